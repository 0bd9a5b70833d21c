"""What every blender keeps; a newcomer in `BLENDERS`, a plug-in too, is tested by itself."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stitchedit.compositing.blenders import BLENDERS


def disc(height, width):
    y, x = np.mgrid[:height, :width]
    far = np.hypot(x - width / 2, y - height / 2) / (0.4 * min(height, width))
    return np.clip(2 - 2 * far, 0, 1).astype(np.float32)


def case(seed, height, width):
    rng = np.random.default_rng(seed)
    source = rng.uniform(0, 255, (height, width, 3)).astype(np.float32)
    edited = rng.uniform(0, 255, (height, width, 3)).astype(np.float32)
    return source, edited, disc(height, width)


def shown(source, patch, alpha):
    return source + alpha[..., None] * (patch - source)


sizes = st.tuples(st.integers(0, 2**32), st.integers(8, 40), st.integers(8, 40))


@pytest.mark.parametrize("name", BLENDERS)
class TestBlenders:
    @given(sizes)
    def test_keeps_source_exactly_where_alpha_is_zero(self, name, size):
        source, edited, alpha = case(*size)
        patch, weight = BLENDERS[name](source, edited, alpha)
        assert (weight[alpha == 0] == 0).all()
        np.testing.assert_array_equal(shown(source, patch, weight)[alpha == 0], source[alpha == 0])

    @given(sizes)
    def test_equal_inputs_are_unchanged(self, name, size):
        source, _, alpha = case(*size)
        patch, weight = BLENDERS[name](source, source.copy(), alpha)
        np.testing.assert_allclose(shown(source, patch, weight), source, atol=1e-3)

    @given(sizes)
    def test_gives_finite_values_of_the_same_shape(self, name, size):
        source, edited, alpha = case(*size)
        patch, weight = BLENDERS[name](source, edited, alpha)
        assert patch.shape == source.shape
        assert weight.shape == alpha.shape
        assert patch.dtype == weight.dtype == np.float32
        assert np.isfinite(patch).all()
        assert weight.min() >= 0
        assert weight.max() <= 1

    def test_leaves_its_arguments_alone(self, name):
        arrays = case(1, 24, 30)
        copies = [a.copy() for a in arrays]
        BLENDERS[name](*arrays)
        for a, b in zip(arrays, copies, strict=True):
            np.testing.assert_array_equal(a, b)

    def test_shows_the_edit_where_alpha_is_one(self, name):
        source = np.full((40, 40, 3), 100, np.float32)
        edited = source + 20 * disc(40, 40)[..., None] ** 2
        alpha = disc(40, 40)
        patch, weight = BLENDERS[name](source, edited, alpha)
        middle = shown(source, patch, weight)[18:22, 18:22]
        np.testing.assert_allclose(middle, edited[18:22, 18:22], atol=6)

    @pytest.mark.parametrize("value", [0.0, 1.0])
    def test_takes_alpha_that_is_the_same_everywhere(self, name, value):
        source, edited, _ = case(2, 16, 16)
        patch, weight = BLENDERS[name](source, edited, np.full((16, 16), value, np.float32))
        expected = source if value == 0 else edited
        np.testing.assert_allclose(shown(source, patch, weight), expected, atol=1e-3)
