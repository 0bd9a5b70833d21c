"""A small film from its clip to its edited file, in this very process."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
from films import SETTINGS, packets, write_film

from stitchedit.errors import InUse, WouldReplace
from stitchedit.files.locks import Lock
from stitchedit.film import folder as names
from stitchedit.film.folder import FilmFolder
from stitchedit.film.given import Given
from stitchedit.film.join import Output
from stitchedit.film.make import Choice
from stitchedit.film.run import Until, Where, film
from stitchedit.pipeline import invert_clip
from stitchedit.provenance.manifest import read_back
from stitchedit.video import open_video


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("film")
    write_film(folder / "clip.mp4", "dnpd")
    np.save(folder / "push.npy", np.random.default_rng(0).normal(size=64).astype(np.float32))
    return folder


def make(place: Path, until: Until | None = None, who: str = "1", store: str | None = None) -> dict[str, object]:
    choice = Choice((who,), ((str(place / "push.npy"), 2.0),))
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
