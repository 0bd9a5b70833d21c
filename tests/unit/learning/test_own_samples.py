"""People of the default generator, few of them: they have faces."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from stitchedit.errors import ConfigError, NotFetched
from stitchedit.faces.attributes import Predictors
from stitchedit.faces.expression import COEFFICIENTS
from stitchedit.learning import own_samples
from stitchedit.learning.generator_samples import NAMES
from stitchedit.learning.own_samples import draw_samples, read_moved, reader_of
from stitchedit.models.generator import Generator, load_default_generator
from stitchedit.stylegan2 import StyleGAN2


def _none_fetched(name: str) -> Any:
    raise NotFetched(name, "fetch it")


NONE = Predictors(_none_fetched)


@pytest.fixture(scope="module")
def generator() -> Generator:
    return load_default_generator()


def test_what_is_read_without_the_fetched_networks() -> None:
    reader = reader_of("jawOpen", predictors=NONE)
    assert reader.names == (*(name for name in NAMES if name not in ("age", "gender")), "jawOpen")
    assert reader_of("smile", predictors=NONE).names == reader.names[:-1]
    assert reader_of("bearded", lambda picture: 1.0, NONE).names[-1] == "bearded"
    with pytest.raises(NotFetched):
        reader_of("age", predictors=NONE)
    with pytest.raises(ConfigError, match="unknown attribute 'beard'"):
        reader_of("beard", predictors=NONE)
    assert len(own_samples.ATTRIBUTES) == len(NAMES) + len(COEFFICIENTS)


def test_people_are_drawn_and_read(generator: Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_samples, "LOOKED_AT", 2)
    ticks: list[None] = []
    drawn = draw_samples(generator, reader_of("jawOpen", predictors=NONE), 3, lambda: ticks.append(None))
    assert len(ticks) == 3
    assert drawn.values.shape == (3, len(drawn.names))
    assert drawn.psi.tolist() == pytest.approx([0.7, 0.7, 1])
    assert np.isfinite(drawn.values).all()
    column = drawn.names.index("jaw_open")
    np.testing.assert_allclose(drawn.values[:, column], drawn.values[:, -1], err_msg="the same coefficient")
    again = read_moved(generator, reader_of("jawOpen", predictors=NONE), drawn.w[:1, None].astype(np.float32))
    np.testing.assert_allclose(again, drawn.values[:1], atol=1e-3)
    assert (drawn.spread > 0).all()


def test_a_generator_without_faces_is_refused(tiny_generator: StyleGAN2) -> None:
    with pytest.raises(ConfigError, match="show a face in 0 of 12 pictures") as caught:
        draw_samples(tiny_generator, reader_of("smile", predictors=NONE), 20, lambda: None)
    assert "--pca" in caught.value.hint
