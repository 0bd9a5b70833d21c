"""An edited frame taken apart adds up to itself again."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import av
import numpy as np
import pytest

from stitchedit.compositing.composite import Composite
from stitchedit.compositing.layers import FrameLayers, frame_layers, st_map
from stitchedit.compositing.paste import Patch
from stitchedit.faces.alignment import to_crop
from stitchedit.types import FloatArray
from stitchedit.video import CodedFrame, View
from stitchedit.video.linear_light import LinearLight
from stitchedit.video.orientation import Orientation
from stitchedit.video.pixel_formats import find_layout
from stitchedit.video.transfer_curves import PQ
from stitchedit.video.yuv import colour_of

SIZE = (48, 64)  # height, width
QUAD = np.array([[10, 6], [8, 40], [42, 42], [44, 8]], np.float32)


def a_frame(view: View | None = None, form: str = "yuv420p") -> CodedFrame:
    random = np.random.default_rng(0)
    video = av.VideoFrame.from_ndarray(random.integers(20, 235, (*SIZE, 3), np.uint8), format="rgb24")
    video = video.reformat(format=form)
    video.time_base = Fraction(1, 25)
    layout = find_layout(form)
    assert layout is not None
    return CodedFrame(0, 0, 1, Fraction(1, 25), video, colour_of(layout, 1, 1, 64, 48), Orientation(), view)


def a_patch(box: tuple[int, int, int, int], seed: int) -> Patch:
    random = np.random.default_rng(seed)
    shape = (box[3] - box[1], box[2] - box[0])
    alpha = np.clip(random.random(shape, np.float32) * 1.6 - 0.3, 0, 1)
    rgb = random.random((*shape, 3), np.float32) * 255
    return Patch(np.where(alpha[..., None] > 0, rgb, np.nan), alpha, box)


def a_composite(frame: CodedFrame, *boxes: tuple[int, int, int, int]) -> Composite:
    patches = tuple((place, 0, a_patch(box, place)) for place, box in enumerate(boxes))
    edited = frame
    for _, _, patch in patches:
        edited = edited.pasted(np.nan_to_num(patch.rgb), patch.alpha, patch.box)
    return Composite(frame, edited, patches)


def recomposed(layers: FrameLayers) -> FloatArray:
    matte = layers.matte[..., None]
    whole: FloatArray = layers.source.astype(np.float32) * (1 - matte) + layers.inside * matte
    return whole


BOXES = [((8, 6, 40, 40),), ((8, 6, 40, 40), (30, 20, 70, 60))]  # the last one leaves the picture


@pytest.mark.parametrize("boxes", BOXES)
@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("view", [None, LinearLight(), PQ])
def test_both_sums_give_the_edited_picture(
    boxes: tuple[tuple[int, int, int, int], ...], half: bool, view: View | None
) -> None:
    frame = a_composite(a_frame(view), *boxes)
    layers = frame_layers(frame, [QUAD] * len(boxes), half=half)
    source, edited = layers.source.astype(np.float32), layers.edited.astype(np.float32)
    np.testing.assert_array_equal(source + layers.delta, edited)
    np.testing.assert_allclose(recomposed(layers), edited, atol=0.5 / 255)
    outside = layers.matte == 0
    assert 0.2 < outside.mean() < 0.9
    assert not layers.delta[outside].any()
    assert not layers.inside[outside].any()


def test_the_file_of_the_edit_holds_the_edited_picture_rounded_to_its_samples() -> None:
    frame = a_composite(a_frame(form="gbrp"), BOXES[0][0])
    layers = frame_layers(frame, [QUAD], half=False)
    np.testing.assert_allclose(layers.edited.clip(-16 / 219, 239 / 219), frame.edited.values(), atol=0.501 / 219)


def test_one_patch_is_what_is_inside() -> None:
    frame = a_composite(a_frame(), BOXES[0][0])
    layers = frame_layers(frame, [QUAD], half=False)
    patch, (x0, y0, x1, y1) = frame.patches[0][2], BOXES[0][0]
    there = patch.alpha > 0
    np.testing.assert_allclose(layers.inside[y0:y1, x0:x1][there], patch.rgb[there] / 255, atol=1e-4)
    np.testing.assert_allclose(layers.matte[y0:y1, x0:x1], patch.alpha, atol=1e-6)


class _Light:
    """A frame of light, looked at as it is."""

    def __init__(self, values: FloatArray) -> None:
        self._values = values

    def values(self) -> FloatArray:
        return self._values

    def rgb_float(self) -> FloatArray:
        return np.nan_to_num(self._values, posinf=65504.0)

    def values_of(self, rgb: FloatArray) -> FloatArray:
        return rgb


def test_in_half_the_sum_is_exact_however_much_brighter_the_source_is() -> None:
    random = np.random.default_rng(0)
    light = np.exp2(random.uniform(-20, 15.9, (*SIZE, 3))).astype(np.float16).astype(np.float32)
    wanted = np.exp2(random.uniform(-20, 15.9, (*SIZE, 3))).astype(np.float32)
    patch = Patch(wanted, np.ones(SIZE, np.float32), (0, 0, 64, 48))
    frame: Any = _Light(light)
    layers = frame_layers(Composite(frame, frame, ((0, 0, patch),)), [QUAD], half=True)
    np.testing.assert_array_equal(layers.source.astype(np.float32) + layers.delta, layers.edited.astype(np.float32))
    off = np.abs(layers.edited.astype(np.float32) - wanted)
    assert (off <= wanted * 2.0**-10 + light * 2.0**-22 + 2.0**-24).all()


def test_where_the_source_is_no_number_the_edit_is_one() -> None:
    light = np.full((*SIZE, 3), 0.5, np.float32)
    light[10, 10], light[40, 60] = np.nan, np.nan
    light[11, 11] = np.inf
    patch = Patch(np.full((20, 20, 3), 0.25, np.float32), np.ones((20, 20), np.float32), (0, 0, 20, 20))
    frame: Any = _Light(light)
    layers = frame_layers(Composite(frame, frame, ((0, 0, patch),)), [QUAD], half=True)
    np.testing.assert_array_equal(layers.edited[:20, :20], np.float16(0.25))
    np.testing.assert_array_equal(layers.source.astype(np.float32) + layers.delta, layers.edited.astype(np.float32))
    assert np.isnan(layers.edited[40, 60]).all()
    assert not layers.delta[40, 60].any()


def test_a_scale_takes_that_part_of_the_change() -> None:
    frame = a_composite(a_frame(), BOXES[0][0])
    whole, part, none = (frame_layers(frame, [QUAD], half=False, scale=scale) for scale in (1.0, 0.7, 0.0))
    np.testing.assert_allclose(part.delta, 0.7 * whole.delta, atol=1e-6)
    np.testing.assert_allclose(recomposed(part), part.edited, atol=1e-5)
    np.testing.assert_array_equal(none.edited, none.source)


def test_a_frame_without_a_face_is_its_source() -> None:
    frame = a_frame()
    layers = frame_layers(Composite(frame, frame, ()), [], half=False)
    np.testing.assert_array_equal(layers.edited, frame.values())
    assert not layers.matte.any()
    assert not layers.uvs


def test_the_st_map_counts_upward_from_the_lower_left_corner_of_the_crop() -> None:
    uv = st_map(QUAD, SIZE)
    place = to_crop(np.array([20.5, 12.5], np.float32), QUAD)
    np.testing.assert_allclose(uv[12, 20], (place[0], 1 - place[1]), atol=1e-6)
    assert uv[12, 20, 1] > 0.5, "in the upper half"
    assert not uv[0, 0].any(), "outside"
