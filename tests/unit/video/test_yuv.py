from __future__ import annotations

from collections.abc import Callable

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stitchedit.video import Frame, paste
from stitchedit.video.pixel_formats import find_layout
from stitchedit.video.yuv import colour_of, read_rgb, to_bytes

FORMATS = [
    *("yuv420p", "yuvj420p", "yuv422p", "yuv444p", "yuv411p", "yuv410p", "yuv440p", "nv12", "nv21", "yuyv422"),
    *("yuv420p10le", "yuv422p10le", "yuv444p12le", "yuv420p16le", "yuv420p10be", "p010le", "p210le", "yuva420p"),
    *("yuva444p10le", "rgb24", "bgra", "rgb48le", "gbrp", "gbrp10le", "gbrap", "gray", "gray10le", "ya8"),
]
MakeFrame = Callable[..., Frame]


def whole(frame: Frame) -> tuple[int, int, int, int]:
    return (0, 0, *frame.size)


@pytest.mark.parametrize("size", [(24, 16), (23, 17), (127, 93), (5, 3), (1, 1)])
@pytest.mark.parametrize("name", FORMATS)
def test_all_of_a_frame_pasted_onto_another_is_that_frame(
    random_frame: MakeFrame, name: str, size: tuple[int, int]
) -> None:
    frame, other = random_frame(name, *size, seed=1), random_frame(name, *size, seed=2)
    alpha = np.ones((size[1], size[0]), np.float32)
    made = paste(other, frame.rgb_float(), alpha, whole(frame))
    for role, plane in made.planes.items():
        expected = other.planes["A"] if role == "A" else frame.planes[role]
        unit = 1 << (frame.layout.depth - 8)
        # Exact, but for float32's 24 bits, of which a difference of 16-bit codes leaves few.
        assert np.abs(plane.astype(int) - expected).max() <= (1 if unit == 256 else 0), role


@pytest.mark.parametrize("matrix", [1, 5, 9])
@pytest.mark.parametrize("name", ["yuv420p", "yuv444p", "nv12", "yuvj422p", "rgb24", "gray"])
def test_eight_bit_rgb_goes_there_and_back_within_one_code(random_frame: MakeFrame, name: str, matrix: int) -> None:
    frame, other = (random_frame(name, 32, 24, seed, matrix=matrix) for seed in (1, 2))
    rng = np.random.default_rng(5)
    blocks = rng.integers(0, 256, (12, 16, 3)).repeat(2, 0).repeat(2, 1).astype(np.uint8)
    alpha = np.ones((24, 32), np.float32)
    seen = paste(frame, blocks, alpha, whole(frame))  # colours that RGB has, unlike random codes
    back = paste(other, seen.rgb(), alpha, whole(frame))
    for role, plane in back.planes.items():
        assert np.abs(plane.astype(int) - seen.planes[role]).max() <= 1, role
    if name != "gray":
        assert np.abs(seen.rgb().astype(int) - blocks).max() <= 3


@pytest.mark.parametrize("name", FORMATS)
def test_a_frames_own_rgb_changes_nothing_at_any_alpha(random_frame: MakeFrame, name: str) -> None:
    frame = random_frame(name, 23, 17)
    alpha = np.random.default_rng(3).random((9, 14)).astype(np.float32)
    made = paste(frame, frame.rgb_float((5, 4, 19, 13)), alpha, (5, 4, 19, 13))
    for role, plane in made.planes.items():
        limit = 1 if frame.layout.depth == 16 else 0
        assert np.abs(plane.astype(int) - frame.planes[role]).max() <= limit, role


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=12, deadline=None)
@given(st.data())
def test_samples_outside_of_the_mask_are_untouched(random_frame: MakeFrame, name: str, data: st.DataObject) -> None:
    width, height = data.draw(st.integers(1, 40)), data.draw(st.integers(1, 30))
    frame = random_frame(name, width, height, seed=data.draw(st.integers(0, 99)))
    x0, y0 = data.draw(st.integers(-9, width)), data.draw(st.integers(-9, height))
    w, h = data.draw(st.integers(1, 30)), data.draw(st.integers(1, 30))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    alpha = rng.choice([0.0, 0.0, 0.001, 0.5, 1.0], (h, w)).astype(np.float32)
    alpha[rng.random((h, w)) < 0.5] = 1.0
    patch = rng.uniform(-20, 300, (h, w, 3)).astype(np.float32)
    patch[alpha == 0] = np.nan  # what the patch holds there must not matter
    made = paste(frame, patch, alpha, (x0, y0, x0 + w, y0 + h))

    masked = np.zeros((height + 60, width + 60), bool)  # the picture within a rim that the box may reach into
    masked[y0 + 30 : y0 + 30 + h, x0 + 30 : x0 + 30 + w] = alpha > 0
    masked = masked[30 : 30 + height, 30 : 30 + width]
    for role, plane in made.planes.items():
        across, down = (1 << log2 for log2 in frame.layout.log2_of(role))
        rim = ((0, -height % down), (0, -width % across))
        may = np.pad(masked, rim, "edge").reshape(plane.shape[0], down, plane.shape[1], across).all((1, 3))
        if role == "A":
            may[:] = False
        assert np.array_equal(plane[~may], frame.planes[role][~may]), role


def test_a_patch_reaches_the_samples_under_the_mask(random_frame: MakeFrame) -> None:
    frame = random_frame("yuv420p", 16, 16)
    alpha = np.zeros((8, 8), np.float32)
    alpha[1:6, 1:6] = 1.0
    made = paste(frame, np.full((8, 8, 3), 128, np.uint8), alpha, (2, 2, 10, 10))
    assert np.all(made.planes["Y"][3:8, 3:8] == 126)  # 16 + 219 * 128 / 255
    assert np.all(made.planes["U"][2:4, 2:4] == 128)  # of the blocks, these are wholly under the mask
    changed = np.zeros((8, 8), bool)
    changed[2:4, 2:4] = True
    assert np.array_equal(made.planes["U"][~changed], frame.planes["U"][~changed])


def test_half_alpha_goes_half_way(random_frame: MakeFrame) -> None:
    frame = random_frame("yuv444p10le", 8, 8)
    made = paste(frame, np.full((8, 8, 3), 255.0, np.float32), np.full((8, 8), 0.5, np.float32), whole(frame))
    assert np.abs(made.planes["Y"] - (frame.planes["Y"] + 940) / 2.0).max() <= 0.5
    assert np.abs(made.planes["V"] - (frame.planes["V"] + 512) / 2.0).max() <= 0.5


def test_paste_leaves_its_argument_and_refuses_other_shapes(random_frame: MakeFrame) -> None:
    frame = random_frame("yuv420p", 8, 8)
    before = {role: plane.copy() for role, plane in frame.planes.items()}
    paste(frame, np.zeros((4, 4, 3), np.float32), np.ones((4, 4), np.float32), (0, 0, 4, 4))
    assert all(np.array_equal(before[role], plane) for role, plane in frame.planes.items())
    with pytest.raises(ValueError, match="do not fill the box"):
        paste(frame, np.zeros((4, 5, 3), np.float32), np.ones((4, 5), np.float32), (0, 0, 4, 4))


def test_a_box_far_outside_changes_nothing(random_frame: MakeFrame) -> None:
    frame = random_frame("yuv420p", 8, 8)
    for x, y in ((-4, 0), (8, 0), (0, 8), (40, 40), (-40, -40)):
        made = paste(frame, np.zeros((4, 4, 3), np.float32), np.ones((4, 4), np.float32), (x, y, x + 4, y + 4))
        assert all(np.array_equal(made.planes[role], plane) for role, plane in frame.planes.items())


@pytest.mark.parametrize("box", [(0, 0, 9, 4), (-1, 0, 4, 4), (2, 2, 2, 4), (4, 4, 2, 2)])
def test_rgb_refuses_boxes_that_leave_the_picture(random_frame: MakeFrame, box: tuple[int, int, int, int]) -> None:
    with pytest.raises(ValueError, match="box"):
        random_frame("yuv420p", 8, 8).rgb(box)


@pytest.mark.parametrize("name", FORMATS)
def test_rgb_of_a_box_is_the_box_of_the_rgb(random_frame: MakeFrame, name: str) -> None:
    frame = random_frame(name, 23, 17)
    assert np.allclose(frame.rgb_float((3, 5, 22, 16)), frame.rgb_float()[5:16, 3:22], atol=1e-3)


# (codes of Y, Cb, Cr) of the primaries at 100 %, from the standards' own equations, 8 bits.
@pytest.mark.parametrize(
    ("matrix", "color_range", "codes", "rgb"),
    [
        (1, 1, (235, 128, 128), (255, 255, 255)),
        (1, 1, (16, 128, 128), (0, 0, 0)),
        (1, 1, (63, 102, 240), (255, 0, 0)),
        (1, 1, (173, 42, 26), (0, 255, 0)),
        (6, 1, (81, 90, 240), (255, 0, 0)),
        (6, 1, (41, 240, 110), (0, 0, 255)),
        (9, 1, (74, 97, 240), (255, 0, 0)),
        (6, 2, (76, 85, 255), (255, 0, 0)),
        (8, 2, (127, 0, 128), (255, 0, 255)),
    ],
)
def test_matrices_and_ranges(
    matrix: int, color_range: int, codes: tuple[int, int, int], rgb: tuple[int, int, int]
) -> None:
    layout = find_layout("yuv444p")
    assert layout is not None
    colour = colour_of(layout, matrix, color_range, 640, 480)
    shown = colour.to_rgb @ (np.array(codes, np.float32) - colour.offset)
    assert np.abs(shown - rgb).max() < 2.0
    assert np.abs(colour.from_rgb @ np.array(rgb, np.float32) + colour.offset - codes).max() < 1.0


def test_untold_matrix_follows_the_size() -> None:
    layout = find_layout("yuv420p")
    assert layout is not None
    red = {size: float(colour_of(layout, 2, 0, *size).from_rgb[0, 0]) for size in ((640, 480), (720, 576), (1280, 720))}
    assert red[640, 480] == red[720, 576] != red[1280, 720]
    assert red[1280, 720] == colour_of(layout, 1, 0, 1, 1).from_rgb[0, 0]


@pytest.mark.parametrize("name", ["yuv444p", "yuvj444p", "yuv444p10le", "gbrp", "gray", "rgb24"])
def test_rgb_agrees_with_swscale(name: str) -> None:
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (16, 16, 3)).astype(np.uint8)
    video, layout = av.VideoFrame.from_ndarray(picture, "rgb24").reformat(format=name), find_layout(name)
    assert layout is not None
    shown = to_bytes(read_rgb(video, colour_of(layout, 6, 0, 16, 16), (0, 0, 16, 16)))
    theirs = video.reformat(format="rgb24", interpolation="POINT").to_ndarray()
    assert np.abs(shown.astype(int) - theirs).max() <= 2
