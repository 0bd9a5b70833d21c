from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from stitchedit.errors import ConfigError
from stitchedit.faces import detectors
from stitchedit.faces.tracklets import Person, Tracklet, evidence, find_pick, resolve_track_collision

RATE = 25.0
FACE = Path(__file__).parents[2] / "data" / "rendered_face.png"
RING = np.stack([np.cos(np.linspace(0, 6, 68)), np.sin(np.linspace(0, 6, 68))], 1).astype(np.float32)


def person(x: float, frames: range, weight: float) -> Person:
    """Somebody with a face of about 60 px around (x, 100)."""
    rows = {k: 30 * RING + np.float32([x, 100]) for k in frames}
    box = detectors.face_box(rows[frames[0]])
    return [Tracklet(0, box, box, rows, [], weight)]


@pytest.fixture
def two() -> list[Person]:
    return [person(300, range(50), 9.0), person(100, range(25, 100), 4.0)]


def test_the_largest_is_meant_unless_something_else_is_said(two: list[Person]) -> None:
    assert find_pick("largest")(two, RATE) is two[0]
    assert find_pick("1")(two, RATE) is two[0]
    assert find_pick(" 2 ")(two, RATE) is two[1]
    for number in ("0", "3"):
        with pytest.raises(ConfigError, match=f"no face {number}: 2 faces were followed"):
            find_pick(number)(two, RATE)


def test_a_place_at_a_time_means_who_is_there(two: list[Person]) -> None:
    assert find_pick("305,90@1")(two, RATE) is two[0]
    assert find_pick("95.5,105@3.2s")(two, RATE) is two[1]
    assert find_pick("95,105@0.8")(two, RATE) is two[1], "it appears 0.2 s later"
    for place in ("95,105@0.1", "200,100@1", "300,100@4"):
        with pytest.raises(ConfigError, match=f"no face at {place.split('@')[0]}"):
            find_pick(place)(two, RATE)


def test_a_picture_means_who_looks_like_it(two: list[Person], tmp_path: Path) -> None:
    rgb = np.asarray(Image.open(FACE).convert("RGB"))
    (found,) = detectors.detect(rgb)
    chip = detectors.identity_chip(rgb, detectors.landmarks(rgb, found.box))
    two[0][0].chips.append(np.random.default_rng(0).integers(0, 255, (150, 150, 3), np.uint8))
    two[1][0].chips.append(chip)
    smaller = tmp_path / "the one.jpg"
    cv2.imwrite(str(smaller), cv2.resize(rgb[..., ::-1], None, fx=0.8, fy=0.8, interpolation=cv2.INTER_AREA))
    assert find_pick(f"like {smaller}")(two, RATE) is two[1]
    with pytest.raises(ConfigError, match="nobody in the clip looks like"):
        find_pick(f"like {smaller}")(two[:1], RATE)
    mark = evidence(f"like {smaller}")
    smaller.write_bytes(FACE.read_bytes())
    assert evidence(f"like {smaller}") != mark
    assert evidence("largest") == {}


@pytest.mark.parametrize("choice", ["", "smallest", "-1", "1.5", "10,20", "x,y@1", "like"])
def test_what_is_no_choice(choice: str) -> None:
    with pytest.raises(ConfigError, match="unknown face"):
        find_pick(choice)


def test_pictures_that_cannot_be_meant(tmp_path: Path) -> None:
    blank, broken, empty = (tmp_path / name for name in ("blank.png", "broken.png", "empty.png"))
    cv2.imwrite(str(blank), np.full((100, 100, 3), 128, np.uint8))
    broken.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    empty.touch()
    for path, why in (
        (blank, "no face"),
        (broken, "no picture"),
        (empty, "no picture"),
        (tmp_path / "no", "cannot read"),
    ):
        with pytest.raises(ConfigError, match=why):
            find_pick(f"like {path}")


def test_where_two_met_on_one_face_identity_says_whose_it_is(
    two: list[Person], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The face that passed behind another must not go on with it."""

    def embed_chips(chips: list[int]) -> np.ndarray:
        return np.float32([[chip / 10, 0] for chip in chips])

    monkeypatch.setattr(detectors, "embed_chips", embed_chips)
    (older,), (younger,) = two
    older.chips, younger.chips = [1, 2], [8, 9]  # type: ignore[list-item]
    assert resolve_track_collision(older, younger, 8) == (older, younger)  # type: ignore[arg-type]
    assert resolve_track_collision(younger, older, 2) == (younger, older)  # type: ignore[arg-type]
    assert resolve_track_collision(older, younger, 5) == (older, younger), (
        "a close call, and it was seen in fewer frames"
    )  # type: ignore[arg-type]


def test_frames_on_a_face_of_somebody_else_are_forgotten() -> None:
    (behind,), (front,) = person(100, range(20), 20.0), person(300, range(20), 20.0)
    for k in range(14, 20):
        behind.rows[k] = front.rows[k] + np.float32([20 - k, 0])
    before = behind.weight
    behind.cut_back(front)
    assert behind.last == 13
    assert behind.weight < before
    behind.cut_back(front)
    assert behind.last == 13, "what is left is its own"
    front.cut_back(front)
    assert not front.rows
