"""A small film from its clip to its edited file, in this very process."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from films import SETTINGS, packets, write_film

from stitchedit.errors import InUse, ProjectError, WouldReplace
from stitchedit.files.locks import Lock
from stitchedit.film import folder as names
from stitchedit.film import local
from stitchedit.film.folder import FilmFolder
from stitchedit.film.given import Given
from stitchedit.film.join import Output
from stitchedit.film.make import Choice
from stitchedit.film.outcome import FAILED, Outcome
from stitchedit.film.run import Until, Where, film
from stitchedit.film.worker import do_task
from stitchedit.pipeline import invert_clip
from stitchedit.progress import Progress
from stitchedit.project.folder import Project
from stitchedit.provenance.manifest import read_back
from stitchedit.video import open_video


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("film")
    write_film(folder / "clip.mp4", "dnpd")
    np.save(folder / "push.npy", np.random.default_rng(0).normal(size=64).astype(np.float32))
    return folder


def make(place: Path, until: Until | None = None, store: str | None = None, workers: int = 0) -> dict[str, object]:
    choice = Choice(("1",), ((str(place / "push.npy"), 2.0),))
    where = Where(
        Given(place / "clip.mp4"), place / "clip.film" if store is None else place / "far.film", store, workers=0
    )
    output = Output(place / ("out.mp4" if store is None else "far.mp4"))
    return film(where, choice, SETTINGS, output, until or Until()).as_json()


@pytest.mark.slow
def test_a_film_is_looked_through_planned_and_made(
    place: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(invert_clip, "try_precisions", None)  # a film depends on no clock: it is never called
    who = make(place, Until(people=True))
    assert [(p["number"], p["shots"]) for p in who["people"]] == [(1, [1, 4]), (2, [3])]  # type: ignore[attr-defined]
    assert (place / "clip.film" / names.SHEET).is_file()
    planned = make(place, Until(plan=True))
    assert planned["estimate"]["edited_shots"] == 2  # type: ignore[index]
    assert not list(place.glob("clip.film/people/*"))
    done = make(place)
    assert (done["frames"], done["shots"], done["edited_shots"]) == (20, 4, 2)
    source, made = (list(open_video(place / name)) for name in ("clip.mp4", "out.mp4"))
    assert [frame.pts * frame.time_base for frame in made] == [frame.pts * frame.time_base for frame in source]
    gaps = [float(np.abs(a.rgb().astype(int) - b.rgb()).max()) for a, b in zip(source, made, strict=True)]
    assert min(gaps[:5] + gaps[15:]) > 25, "person 1 is edited"
    assert max(gaps[5:15]) < 25, "nobody and person 2 are not: what is left is the encoder's"
    assert open_video(place / "out.mp4").info.audio_streams == 1
    assert read_back(place / "out.mp4").edits == ("push +2 (person 1)",)
    caplog.clear()
    with caplog.at_level(logging.INFO):
        make(place)
    assert any("join: nothing changed" in line for line in caplog.messages)
    left = make(place, Until(shots=True))
    assert left["time_lines"] == [str(place / "clip.film" / names.TIME_LINE)]
    assert "shots/0001.edited.mkv" in (place / "clip.film" / names.TIME_LINE).read_text()


@pytest.mark.slow
def test_at_an_address_it_is_the_same_film(place: Path) -> None:
    make(place)
    make(place, store="memory://films/far")
    assert packets(place / "far.mp4") == packets(place / "out.mp4")
    assert not (place / "far.film" / names.person_project(1) / "crops").exists(), "results alone come back"


@pytest.mark.slow
def test_another_file_is_not_replaced_and_a_film_is_made_once_at_a_time(place: Path) -> None:
    make(place)
    kept = (place / "out.mp4").read_bytes()
    (place / "out.mp4").write_bytes(b"mine")
    with pytest.raises(WouldReplace):
        make(place)
    (place / "out.mp4").write_bytes(kept)
    lock = Lock(FilmFolder(place / "clip.film").root, alone=True)
    with pytest.raises(InUse):
        make(place)
    lock.release()


@pytest.mark.slow
def test_a_folder_of_clips_gives_a_file_each_and_none_with_a_hole(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clips, out = tmp_path / "clips", tmp_path / "out"
    clips.mkdir()
    for name, order in (("a", "nd"), ("b", "d"), ("c", "n")):
        write_film(clips / f"{name}.mp4", order, 3)
    choice = Choice(("1",), ((str(place / "push.npy"), 2.0),))
    output = Output(out, codec="prores")

    def once() -> dict[str, object]:
        settings = replace(SETTINGS, layers=True)
        return film(Where(Given(clips), workers=0), choice, settings, output, Until()).as_json()

    def full(address: str, name: str, progress: Progress) -> Outcome:
        bad = name == "edit/0003"
        return Outcome(name, FAILED, said="no space left", exit_code=9) if bad else do_task(address, name, progress)

    with monkeypatch.context() as patched:
        patched.setattr(local, "do_task", full)
        with pytest.raises(ProjectError, match=r"1 shot is not edited, .* edit/0003: no space left"):
            once()
    assert [path.name for path in out.iterdir()] == ["a.mov"], "the clip without a hole is there"
    before = (out / "a.mov").stat().st_mtime_ns
    done = once()
    assert done["outputs"] == [str(out / "a.mov"), str(out / "b.mov")]
    assert (out / "a.mov").stat().st_mtime_ns == before
    assert done["frames"] == 9
    assert any("c.mp4 is left out: nobody in it is edited" in note for note in done["notes"])  # type: ignore[attr-defined]
    for name, lit in (("a", [False] * 3 + [True] * 3), ("b", [True] * 3)):
        made, source = open_video(out / f"{name}.mov"), open_video(clips / f"{name}.mp4")
        assert (made.info.codec, made.info.audio_streams) == ("prores", 1)
        pairs = list(zip(source, made, strict=True))
        assert [b.pts * b.time_base for _, b in pairs] == [a.pts * a.time_base for a, _ in pairs]
        assert [int(np.abs(a.rgb().astype(int) - b.rgb()).max()) > 25 for a, b in pairs] == lit
    assert len(list((tmp_path / "clips.film" / names.layers(2)).glob("*.exr"))) == 3


@pytest.mark.slow
def test_a_cut_list_gives_its_shots_and_the_list_with_them(place: Path, tmp_path: Path) -> None:
    otio = pytest.importorskip("opentimelineio")
    from cut_lists import shot, span, timeline

    clip = str(place / "clip.mp4")
    events = [("one", 1, 3), ("nobody", 6, 3), ("two", 16, 3)]
    shots = [shot(name, clip, span(start, length, 12)) for name, start, length in events]
    cut = timeline(tmp_path / "cut.otio", *shots)
    choice = Choice(("1",), ((str(place / "push.npy"), 2.0),))
    where = Where(Given(cut, "HLG", handles=1), workers=0)
    settings = replace(SETTINGS, colourspace="HLG")
    done = film(where, choice, settings, Output(tmp_path / "unused.mp4"), Until()).as_json()
    root = tmp_path / "cut.otio.film"
    views = [Project.look(root / name).view for name in (names.shot_project(1), names.person_project(1))]
    assert [view and view.name for view in views] == ["HLG", None], "the reel is as it looks already"
    assert done["shots"] == [str(root / names.edited(1)), str(root / names.edited(3))]
    assert done["time_lines"] == [str(root / names.TIME_LINE)]
    line = otio.adapters.read_from_file(done["time_lines"][0])
    one, nobody, two = line.find_clips()
    assert one.media_reference.target_url == (root / names.edited(1)).as_uri()
    assert two.media_reference.available_range == span(15, 5, 12), "with a handle on each side"
    assert one.media_references()["source"].target_url == clip
    assert nobody.media_reference.target_url == clip
    made, source = list(open_video(root / names.edited(3))), list(open_video(clip))[15:20]
    gaps = [int(np.abs(a.rgb().astype(int) - b.rgb()).max()) for a, b in zip(source, made, strict=True)]
    assert min(gaps) > 25
    assert not (tmp_path / "unused.mp4").exists()


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("unshare") is None, reason="needs unshare(1)")
def test_a_full_disk_on_one_worker_fails_its_shot_alone(place: Path) -> None:
    make(place)
    expected, root = packets(place / "out.mp4"), place / "clip.film"
    for name in (names.record("tune/0004"), names.record("edit/0001"), names.edited(1), "../out.mp4"):
        (root / name).unlink()
    shutil.rmtree(root / names.shot_project(4))
    (root / names.shot_project(4)).mkdir()
    job = (
        "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[1]); import test_run as own\n"
        "if __name__ == '__main__':\n"
        "    try:\n        own.make(Path('.').absolute(), workers=2)\n"
        "    except own.ProjectError as exc:\n        print(exc.exit_code, exc)\n"
    )
    (place / "job.py").write_text(job)
    command = 'mount -t tmpfs -o size=64k none "$0" || exit 77; exec "$1" job.py "$2"'
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", command, root / names.shot_project(4), sys.executable, Path(__file__).parent],
        cwd=place,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    if done.returncode == 77 or "unshare" in done.stderr:
        pytest.skip("mounting is not allowed here")
    assert done.stdout.startswith("9 1 shot is not edited, so the film is not put together; tune/0004: "), done.stderr
    assert "are needed (free some space" in done.stdout
    assert (root / names.edited(1)).is_file(), "the others go on"
    assert not (place / "out.mp4").exists()
    make(place)
    assert packets(place / "out.mp4") == expected
