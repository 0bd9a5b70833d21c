"""Who is seen in a shot."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from films import write_film

from stitchedit.config import TrackConfig
from stitchedit.film.faces import find_faces, read_faces
from stitchedit.film.people import SAME_PERSON


@pytest.mark.slow
def test_a_face_is_known_by_its_identity_and_nobody_is_no_error(tmp_path: Path) -> None:
    found = {}
    for letter in "dpn":
        clip = write_film(tmp_path / f"{letter}.mp4", letter, 3)
        find_faces(clip, tmp_path / letter, TrackConfig())
        found[letter] = read_faces(tmp_path / letter, 7)
    assert [len(found[letter]) for letter in "dpn"] == [1, 1, 0]
    (demo,), (portrait,) = found["d"], found["p"]
    assert (demo.shot, demo.number, demo.frames, demo.first, demo.last) == (7, 1, 3, 0, 2)
    assert (tmp_path / "d" / "1" / "tracks.npz").is_file()
    assert (tmp_path / "d" / "1.png").is_file()
    assert np.linalg.norm(demo.identity - portrait.identity) > SAME_PERSON
