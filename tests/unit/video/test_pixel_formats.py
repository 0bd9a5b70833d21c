from __future__ import annotations

from collections.abc import Callable

import av
import numpy as np
import pytest
from av.video.format import names

from stitchedit.video import Frame, open_video
from stitchedit.video.pixel_formats import clone, convert, find_layout, readable_as, samples

KNOWN = sorted(name for name in names if find_layout(name))


def test_many_formats_are_known() -> None:
    asked = "yuv420p yuvj420p yuv422p10le yuv444p12le nv12 p010le rgb24 bgra gbrp10le gray gray16le yuva420p yuyv422"
    assert set(asked.split()) <= set(KNOWN)
    assert len(KNOWN) > 140


@pytest.mark.parametrize("name", KNOWN)
def test_layouts_agree_with_ffmpeg(name: str) -> None:
    layout, theirs = find_layout(name), av.VideoFormat(name, 127, 93)
    assert layout is not None
    roles = "RGBA" if theirs.is_rgb else "YUVA" if len(theirs.components) > 2 else "YA"
    by_role = {component.role: component for component in layout.components}
    assert len(theirs.components) == len(by_role)
    for role, component in zip(roles, theirs.components, strict=False):
        assert (by_role[role].plane, layout.depth) == (component.plane, component.bits)
    assert layout.size_of("U", 127, 93) == (theirs.chroma_width(), theirs.chroma_height())
    assert layout.is_rgb == theirs.is_rgb


@pytest.mark.parametrize("name", ["hevc", "yuv420p10", "rgb24le", "gbrpf32le", "yuv444p10msble", "cuda", ""])
def test_other_names_are_not_known(name: str) -> None:
    assert find_layout(name) is None


def test_palettes_are_read_as_bgra() -> None:
    assert readable_as("pal8") == "bgra"
    assert readable_as("yuv420p") == "yuv420p"
    assert readable_as("cuda") is None


# What swscale makes of one bright red pixel beside black shows whether each component is looked for in its place.
@pytest.mark.parametrize("name", [n for n in KNOWN if (layout := find_layout(n)) and layout.is_rgb])
def test_rgb_components_are_where_swscale_puts_them(name: str) -> None:
    picture = np.zeros((4, 8, 3), np.uint8)
    picture[1, 2] = (250, 130, 10)
    video, layout = av.VideoFrame.from_ndarray(picture, "rgb24").reformat(format=name), find_layout(name)
    assert layout is not None
    shown = {c.role: samples(video, layout, c) for c in layout.components}
    scale = 255 / ((1 << layout.depth) - 1)
    assert [round(int(shown[role][1, 2]) * scale) for role in "RGB"] == pytest.approx([250, 130, 10], abs=1)
    assert all(shown[role][0, 0] == 0 for role in "RGB")


@pytest.mark.parametrize("name", [n for n in KNOWN if (layout := find_layout(n)) and "U" in layout.roles])
def test_yuv_components_are_where_swscale_puts_them(name: str) -> None:
    picture = np.zeros((16, 16, 3), np.uint8)
    picture[:] = (250, 130, 10)
    video, layout = av.VideoFrame.from_ndarray(picture, "rgb24").reformat(format=name), find_layout(name)
    assert layout is not None
    unit = 1 << (layout.depth - 8)
    shown = [float(np.median(samples(video, layout, c) >> c.shift)) / unit for c in layout.components[:3]]
    full = layout.full_range
    assert shown == pytest.approx([152, 48, 198] if full else [147, 58, 189], abs=2.5)


def test_samples_of_a_bottom_up_picture(ffmpeg: Callable[..., bytes], tmp_path) -> None:
    path = tmp_path / "up.avi"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=16x8:r=1", "-t", 1, "-c:v", "rawvideo", "-pix_fmt", "bgr24", path)
    expected = ffmpeg("-i", path, "-pix_fmt", "rgb24", "-f", "rawvideo", "-")
    (frame,) = open_video(path)
    assert frame.rgb().tobytes() == expected


def test_clone_has_memory_and_side_data_of_its_own(clip) -> None:
    frame = next(iter(open_video(clip)))
    copied = clone(frame.video)
    kinds = [len(bytes(copied.side_data[k])) for k in range(len(copied.side_data))]
    assert kinds == [len(bytes(frame.video.side_data[k])) for k in range(len(frame.video.side_data))]
    assert kinds, "x264 leaves its settings with the first frame"
    assert (copied.pts, copied.duration, copied.time_base) == (frame.pts, frame.duration, frame.time_base)
    before = frame.planes["Y"].copy()
    layout = frame.layout
    samples(copied, layout, layout.components[0])[:] = 7
    assert np.array_equal(frame.planes["Y"], before)


@pytest.mark.parametrize(
    ("name", "target"),
    [("nv12", "yuv420p"), ("p010le", "yuv420p10le"), ("yuyv422", "yuv422p"), ("rgb24", "bgr0"), ("gbrp", "rgb24")],
)
def test_convert_between_equals_keeps_every_sample(random_frame: Callable[..., Frame], name: str, target: str) -> None:
    frame, layout = random_frame(name, 22, 14), find_layout(target)
    assert layout is not None
    made = convert(frame.video, frame.layout, layout)
    for component in layout.components:
        shift = next(c.shift for c in frame.layout.components if c.role == component.role)
        assert np.array_equal(samples(made, layout, component), frame.planes[component.role] >> shift)


def test_convert_repeats_chroma_and_drops_alpha(random_frame: Callable[..., Frame]) -> None:
    frame, layout = random_frame("yuva420p", 7, 5), find_layout("yuv444p")
    assert layout is not None
    made = convert(frame.video, frame.layout, layout)
    repeated = frame.planes["U"].repeat(2, 0).repeat(2, 1)[:5, :7]
    assert np.array_equal(samples(made, layout, layout.components[1]), repeated)


def test_convert_depth_rounds(random_frame: Callable[..., Frame]) -> None:
    frame, layout = random_frame("yuv420p12le"), find_layout("yuv420p10le")
    assert layout is not None
    made = samples(convert(frame.video, frame.layout, layout), layout, layout.components[0])
    assert np.abs(made * 4.0 - frame.planes["Y"]).max() <= 3  # 2, and at the top one more
    back = convert(frame.video, frame.layout, frame.layout)
    assert np.array_equal(samples(back, frame.layout, frame.layout.components[0]), frame.planes["Y"])


def test_convert_refuses_coarser_chroma_and_other_colours(random_frame: Callable[..., Frame]) -> None:
    frame = random_frame("yuv444p")
    for target in ("yuv420p", "rgb24"):
        layout = find_layout(target)
        assert layout is not None
        with pytest.raises(ValueError, match=target):
            convert(frame.video, frame.layout, layout)
