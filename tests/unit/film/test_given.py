"""A clip, a folder of clips and a cut list as films: their shots, and what is refused."""

from __future__ import annotations

import shutil
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from stitchedit.errors import CannotOpen, ConfigError
from stitchedit.film import folder as names
from stitchedit.film.clips import CLIP as ONE
from stitchedit.film.clips import Clip, Film
from stitchedit.film.folder import FilmFolder
from stitchedit.film.given import Given, cut_bytes, cut_film, read_film
from stitchedit.film.shots import Shot
from stitchedit.video import open_video

otio = pytest.importorskip("opentimelineio")

from cut_lists import shot, span, timeline  # noqa: E402
from shots import write_shot  # noqa: E402

DATA = Path(__file__).parents[2] / "data"
CLIP = DATA / "demo.mp4"  # 48 frames, 24 a second
PORTRAIT = DATA / "portrait.mp4"  # 16 frames, 16 a second


def spans(film: Film) -> list[tuple[int, int, int]]:
    return [(shot.clip, shot.first, shot.last) for shot in film.shots]


def test_a_film_is_looked_through_once(tmp_path: Path) -> None:
    folder = FilmFolder(tmp_path / "demo.film")
    first, notes = read_film(Given(CLIP), folder)
    assert (first.kind, spans(first), notes) == (ONE, [(1, 0, 47)], [])
    told: list[str] = []
    again, _ = read_film(Given(CLIP), folder, lambda stage, done, total, note="": told.append(stage))
    assert (again, told) == (first, [])
    write_shot(tmp_path / "pictures", "rgb8", ".png", range(3))
    with pytest.raises(ConfigError, match="shot of pictures"):
        read_film(Given(tmp_path / "pictures" / "frame.%04d.png"), folder)
    with pytest.raises(ConfigError, match="holds no video"):
        read_film(Given(tmp_path / "pictures"), folder)


def test_another_film_in_the_place_is_another_film(tmp_path: Path) -> None:
    folder = FilmFolder(tmp_path / "demo.film")
    folder.root.mkdir()
    Film(CLIP, ONE, (Clip(CLIP, "another", Fraction(24)),), (Shot(1, 0, 9),)).write(folder.at(names.RECORD))
    for name in (names.shot(1), names.record("tune/0001"), names.TABLE):
        folder.at(name).parent.mkdir(parents=True, exist_ok=True)
        folder.at(name).touch()
    assert spans(read_film(Given(CLIP), folder)[0]) == [(1, 0, 47)]
    assert not folder.at(names.shot(1)).exists()
    assert not folder.at(names.record("tune/0001")).exists()
    assert folder.at("people.old.toml").is_file()


def test_a_folder_of_clips_is_one_film(tmp_path: Path) -> None:
    clips, folder = tmp_path / "clips", FilmFolder(tmp_path / "clips.film")
    clips.mkdir()
    shutil.copy(CLIP, clips / "a.mp4")
    shutil.copy(PORTRAIT, clips / "b.mp4")
    (clips / "c.mov").write_text("no video")
    film, notes = read_film(Given(clips), folder)
    assert spans(film) == [(1, 0, 47), (2, 0, 15)]
    assert len(notes) == 1
    assert "c.mov" in notes[0]
    cut_film(film, folder)
    second = open_video(folder.at(names.shot(2)))
    assert (second.count(), second.info.rate, second.info.width) == (16, 16, 480)
    moved = tmp_path / "moved"
    clips.rename(moved)
    again, _ = read_film(Given(moved), folder)
    assert (again.sha256, again.clips[0].path) == (film.sha256, moved / "a.mp4")
    shutil.copy(moved / "a.mp4", moved / "d.mp4")
    with pytest.raises(ConfigError, match=r"d.mp4 is the same clip as .*a.mp4"):
        read_film(Given(moved), folder)


def test_a_cut_list_gives_what_it_shows_with_handles(tmp_path: Path) -> None:
    cut = timeline(
        tmp_path / "cut.otio",
        shot("one", str(CLIP), span(10, 4)),
        shot("two", str(PORTRAIT), span(20, 3)),
        shot("again", str(CLIP), span(10, 4)),
        shot("fast", str(CLIP), span(30, 4), speed=2.0),
    )
    folder = FilmFolder(tmp_path / "cut.otio.film")
    film, _ = read_film(Given(cut, handles=2), folder)
    assert spans(film) == [(1, 8, 15), (2, 11, 15), (1, 28, 39)], "what is shown twice is one shot"
    cut_film(film, folder)
    own, whole = list(open_video(folder.at(names.shot(1)))), list(open_video(CLIP))
    assert len(own) == 8
    assert np.array_equal(own[0].rgb(), whole[8].rgb())
    skipped, notes = read_film(Given(cut, handles=2, skip=("two", "fast")), folder)
    assert spans(skipped) == [(1, 8, 15)]
    assert "shot 'two' stays as it is" in notes[0]
    assert not folder.at(names.shot(3)).exists(), "it is another film now"


def test_a_cut_list_of_pictures_or_without_media_is_refused(tmp_path: Path) -> None:
    write_shot(tmp_path / "shot", "rgb8", ".png", range(101, 111))
    pictures = otio.schema.ImageSequenceReference(
        str(tmp_path / "shot"), "frame.", ".png", 101, 1, 24, 4, available_range=span(0, 10)
    )
    cut = timeline(tmp_path / "cut.otio", otio.schema.Clip("pics", pictures, span(1, 3)))
    with pytest.raises(CannotOpen, match="shot 'pics' shows numbered pictures"):
        read_film(Given(cut), FilmFolder(tmp_path / "film"))
    cut = timeline(tmp_path / "cut.otio", shot("gone", str(tmp_path / "gone.mp4"), span(0, 3)))
    with pytest.raises(CannotOpen, match=r"media are missing of 1 of its shots: 'gone'"):
        read_film(Given(cut), FilmFolder(tmp_path / "film"))
    assert not (tmp_path / "film").exists()


def test_room_grows_with_frames() -> None:
    clips = (Clip(CLIP, "ab", Fraction(24)),)
    assert cut_bytes(clips, [Shot(1, 0, 9)]) == 0.5 * 10 * 640 * 360 * 1.5
    assert cut_bytes(clips, [Shot(1, 0, 9), Shot(2, 10, 19)]) == 2 * cut_bytes(clips, [Shot(1, 0, 9)])
