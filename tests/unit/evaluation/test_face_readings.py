"""What is read off faces, and what is said where there is none."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from stitchedit.errors import ConfigError, NotFetched
from stitchedit.evaluation.face_readings import FaceReader, Readings, find_embedder, usable_predictors
from stitchedit.faces.attributes import PREDICTED, Predictors
from stitchedit.faces.detectors import detect, landmarks
from stitchedit.video import open_video

CLIP = Path(__file__).parents[2] / "data" / "demo.mp4"


@pytest.fixture(scope="module")
def face() -> tuple[np.ndarray, np.ndarray]:
    """A frame and its landmarks."""
    rgb = next(iter(open_video(CLIP))).rgb()
    return rgb, landmarks(rgb, detect(rgb)[0].box)


def test_a_frame_without_a_face_is_a_row_of_nan(face: tuple[np.ndarray, np.ndarray]) -> None:
    rgb, points = face
    reader = FaceReader(find_embedder("dlib"), {"age": lambda picture, marks: 30.0})
    for picture in (rgb, np.full_like(rgb, 90), rgb):
        reader.add(picture, points)
    found = reader.readings()
    assert found.missing.tolist() == [1]
    assert found.embeddings.shape == (3, 128)
    assert np.abs(found.landmarks[0] - points).max() < 3
    assert np.isnan(found.values["age"]).tolist() == [False, True, False]
    again = Readings.from_arrays(found.as_arrays())
    np.testing.assert_array_equal(again.embeddings, found.embeddings)
    assert set(again.values) == set(found.values)


def test_a_clip_without_any_face_has_rows_all_the_same(face: tuple[np.ndarray, np.ndarray]) -> None:
    reader = FaceReader(find_embedder("dlib"), {})
    reader.add(np.zeros_like(face[0]), face[1])
    found = reader.readings()
    assert found.missing.tolist() == [0]
    assert np.isnan(found.values["mouth_open"]).all()


def test_predictors_that_are_not_fetched_say_how_to_get_them() -> None:
    def nowhere(name: str) -> Path:
        raise NotFetched(name, "run `stitchedit weights fetch measuring`")

    here, why = usable_predictors(Predictors(nowhere))
    assert set(here) == {"age_rated", "smile_rated"}, "these come along"
    assert set(why) == {"age", "age_v1", "gender", "happy"}
    assert "weights fetch measuring" in why["age"]


def test_predictors_that_are_here_are_used() -> None:
    networks = SimpleNamespace(**{name: lambda *_: 30.0 for name in PREDICTED})
    here, why = usable_predictors(networks)  # type: ignore[arg-type]
    assert list(here) == list(PREDICTED)
    assert why == {}


def test_an_unknown_embedding_is_told_with_those_there_are() -> None:
    with pytest.raises(ConfigError, match="unknown identity embedding 'nope'") as unknown:
        find_embedder("nope")
    assert "dlib" in unknown.value.hint
