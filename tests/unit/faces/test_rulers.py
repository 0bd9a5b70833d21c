from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stitchedit.errors import NotFetched
from stitchedit.faces.attributes import Predictors
from stitchedit.faces.detectors import detect, landmarks
from stitchedit.faces.rulers import ruler_of

FACE = Path(__file__).parents[2] / "data" / "rendered_face.png"


def nothing_fetched(name: str) -> Path:
    raise NotFetched(name, "fetch it")


@pytest.mark.parametrize("attribute", ["age", "smile", "yaw", "eyes_open", "weight", "hair_colour", "skin"])
def test_attributes_are_read_with_nothing_fetched(attribute: str) -> None:
    ruler = ruler_of(attribute, Predictors(nothing_fetched))
    assert ruler is not None
    picture = np.asarray(Image.open(FACE).convert("RGB"))
    points = landmarks(picture, detect(picture)[0].box)
    assert np.isfinite(ruler(picture, points))


def test_what_nothing_reads_has_no_ruler() -> None:
    assert ruler_of("nose") is None
    assert ruler_of("gender", Predictors(nothing_fetched)) is None, "its network was never fetched"


def test_an_attribute_is_the_mean_of_its_rulers() -> None:
    ruler = ruler_of("age", Predictors(nothing_fetched))
    assert ruler is not None
    assert list(ruler.readings) == ["age_rated"]
