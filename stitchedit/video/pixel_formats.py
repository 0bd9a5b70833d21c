"""Pixel formats: where each sample of a picture lies in memory, and how to see it as an array.

A `Layout` says for every component (Y, U, V, R, G, B or A) in which plane it lies and at what step, so that the
rest of the program never asks for a format's name. Covered are the planar, half-planar and packed formats of 8 to
16 bits that decoders give; `readable_as` names a format of the same content for the palette and few-bit ones.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

import av
import numpy as np
from numpy.typing import NDArray

_SUBSAMPLING = {"410": (2, 2), "411": (2, 0), "420": (1, 1), "422": (1, 0), "440": (0, 1), "444": (0, 0)}
_SEMI_PLANAR = {  # name: (subsampling, depth, unused low bits, order of the chroma pair)
    "nv12": ("420", 8, 0, "UV"),
    "nv21": ("420", 8, 0, "VU"),
    "nv16": ("422", 8, 0, "UV"),
    "nv24": ("444", 8, 0, "UV"),
    "nv42": ("444", 8, 0, "VU"),
    "nv20le": ("422", 10, 0, "UV"),
}
_PACKED_YUV = {"yuyv422": "YUYV", "uyvy422": "UYVY", "yvyu422": "YVYU"}
_READABLE_AS = {
    "pal8": "bgra",
    **dict.fromkeys(("monow", "monob"), "gray"),
    **dict.fromkeys(("rgb8", "bgr8", "rgb4_byte", "bgr4_byte", "rgb4", "bgr4"), "rgb24"),
    **dict.fromkeys(("rgb565le", "rgb555le", "rgb444le", "bgr565le", "bgr555le", "bgr444le"), "rgb24"),
}


@dataclass(frozen=True, slots=True)
class Component:
    """Where the samples of one component lie."""

    role: str  # one of Y U V R G B A
    plane: int
    offset: int = 0  # samples before the first one of a row
    step: int = 1  # samples from one to the next
    shift: int = 0  # unused low bits of a sample


@dataclass(frozen=True, slots=True)
class Layout:
    """One pixel format."""

    name: str  # as FFmpeg spells it
    components: tuple[Component, ...]  # colour first, alpha last
    depth: int  # bits of a sample, 8 to 16
    dtype: np.dtype[np.unsignedinteger]
    log2: tuple[int, int] = (0, 0)  # chroma is 2**log2 times coarser across and down
    full_range: bool = False  # the name itself says full range (yuvj...)

    @property
    def roles(self) -> str:
        """The components in order, such as "YUV", "RGBA" or "Y"."""
        return "".join(component.role for component in self.components)

    @property
    def is_rgb(self) -> bool:
        return "R" in self.roles

    @property
    def has_alpha(self) -> bool:
        return "A" in self.roles

    def log2_of(self, role: str) -> tuple[int, int]:
        """How much coarser than the picture a component is, as powers of two (across, down)."""
        return self.log2 if role in "UV" else (0, 0)

    def size_of(self, role: str, width: int, height: int) -> tuple[int, int]:
        """(width, height) in samples of a component of a picture of this size; odd sizes round up."""
        across, down = self.log2_of(role)
        return -(-width >> across), -(-height >> down)


@lru_cache(maxsize=256)
def find_layout(name: str) -> Layout | None:
    """The layout of FFmpeg's pixel format `name`, or None for one that is not known here."""
    return _planar(name) or _semi_planar(name) or _packed_rgb(name) or _packed_yuv(name)


def readable_as(name: str) -> str | None:
    """The known format that holds what `name` holds: `name` itself, a wider one, or None.

    Palettes become BGRA, one-bit pictures gray, 15 and 16-bit RGB 24-bit RGB; none of them loses anything.
    """
    if find_layout(name) is not None:
        return name
    return _READABLE_AS.get(name)


def samples(frame: av.VideoFrame, layout: Layout, component: Component) -> NDArray[np.unsignedinteger]:
    """The raw samples of a component, [h, w] uint8 or uint16, as a writable view into the frame's memory.

    Raw means that `component.shift` low bits are still there. Writing is safe on frames made by `clone` or
    `convert`; a decoder may still need the memory of a frame of its own.
    """
    plane = frame.planes[component.plane]
    width, height = layout.size_of(component.role, frame.width, frame.height)
    item, stride = layout.dtype.itemsize, plane.line_size
    first_row = -stride * (height - 1) if stride < 0 else 0  # bottom-up pictures have a negative stride
    return np.ndarray(
        (height, width),
        layout.dtype,
        buffer=memoryview(plane),
        offset=first_row + component.offset * item,
        strides=(stride, component.step * item),
    )


def clone(frame: av.VideoFrame) -> av.VideoFrame:
    """A copy with memory of its own and all of the frame's side data (captions, HDR data), time and tags.

    PyAV copies pixels but no side data; the `copy` filter copies both, in 0.7 ms for 1280x720.
    """
    graph = av.filter.Graph()
    graph.threads = 1
    time_base = frame.time_base
    assert time_base is not None, "every decoded frame has a time base"
    source = graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=time_base)
    copy, sink = graph.add("copy"), graph.add("buffersink")
    source.link_to(copy)
    copy.link_to(sink)
    graph.configure()
    graph.push(frame)
    copied = graph.pull()
    assert isinstance(copied, av.VideoFrame)
    return copied


def convert(frame: av.VideoFrame, source: Layout, target: Layout, *, narrow: bool = False) -> av.VideoFrame:
    """The same picture in another layout of the same colour family, without a scaler's rounding.

    Samples are copied where depth and subsampling are equal. Chroma is repeated where the target has more of it,
    depths are scaled with rounding, a missing alpha is opaque. Side data does not come along.

    Args:
        narrow: make limited range of YUV codes of full range.
    Raises: ValueError, when the target has components that cannot be derived, or coarser chroma.
    """
    made = av.VideoFrame(frame.width, frame.height, target.name)
    for component in target.components:
        codes = _codes(frame, source, component.role, target, narrow)
        samples(made, target, component)[:] = codes << component.shift
    made.pts, made.time_base, made.duration = frame.pts, frame.time_base, frame.duration
    made.colorspace, made.color_range = frame.colorspace, 1 if narrow else frame.color_range
    made.color_trc, made.color_primaries = frame.color_trc, frame.color_primaries
    return made


def _codes(frame: av.VideoFrame, source: Layout, role: str, target: Layout, narrow: bool) -> NDArray[np.int32]:
    width, height = target.size_of(role, frame.width, frame.height)
    found = next((component for component in source.components if component.role == role), None)
    if found is None and role == "A":
        return np.full((height, width), (1 << target.depth) - 1, np.int32)
    if found is None:
        raise ValueError(f"{source.name} has no {role} for {target.name}")
    codes: NDArray[np.int32] = np.right_shift(samples(frame, source, found), found.shift, dtype=np.int32)
    for axis, (have, want) in enumerate(zip(source.log2_of(role)[::-1], target.log2_of(role)[::-1], strict=True)):
        if want > have:
            raise ValueError(f"{target.name} has coarser chroma than {source.name}")
        codes = np.repeat(codes, 1 << (have - want), axis)
    if narrow and role != "A":
        return _narrowed(codes[:height, :width], role, source.depth, target.depth)
    return _rescale(codes[:height, :width], source, target, frame.color_range)


def _narrowed(codes: NDArray[np.int32], role: str, depth: int, wanted: int) -> NDArray[np.int32]:
    """Codes of full range, `depth` bits, as such of limited range with `wanted` bits."""
    unit, middle = 1 << (wanted - 8), 1 << (depth - 1)
    low, span, zero = (128, 224, middle) if role in "UV" else (16, 219, 0)
    scaled: NDArray[np.int32] = np.rint((codes - zero) * (span * unit / ((1 << depth) - 1)) + low * unit).astype(
        np.int32
    )
    return scaled


def _rescale(codes: NDArray[np.int32], source: Layout, target: Layout, color_range: int) -> NDArray[np.int32]:
    if source.depth == target.depth:
        return codes
    if source.is_rgb or source.full_range or color_range == 2:
        top = (1 << target.depth) - 1
        scaled: NDArray[np.int32] = np.rint(codes * (top / ((1 << source.depth) - 1))).astype(np.int32)
        return scaled
    if target.depth > source.depth:
        return np.left_shift(codes, target.depth - source.depth)
    lost = source.depth - target.depth
    return np.minimum(np.right_shift(codes + (1 << (lost - 1)), lost), (1 << target.depth) - 1)


def _dtype(depth: int, endian: str | None) -> np.dtype[np.unsignedinteger]:
    if depth == 8:
        return np.dtype(np.uint8)
    return np.dtype(">u2" if endian == "be" else "<u2")


def _planar(name: str) -> Layout | None:
    if found := re.fullmatch(r"yuv([aj]?)(410|411|420|422|440|444)p(?:(9|10|12|14|16)(le|be))?", name):
        kind, subsampling, bits, endian = found.groups()
        roles, log2 = ("YUVA" if kind == "a" else "YUV"), _SUBSAMPLING[subsampling]
    elif found := re.fullmatch(r"gbr(a?)p(?:(9|10|12|14|16)(le|be))?", name):
        kind, bits, endian = found.groups()
        roles, log2 = ("GBRA" if kind else "GBR"), (0, 0)
    elif found := re.fullmatch(r"gray(?:(9|10|12|14|16)(le|be))?", name):
        (bits, endian), kind, roles, log2 = found.groups(), "", "Y", (0, 0)
    elif found := re.fullmatch(r"ya(?:8|(16)(le|be))", name):
        bits, endian = found.groups()
        depth = int(bits or 8)
        pair = tuple(Component(role, 0, place, 2) for place, role in enumerate("YA"))
        return Layout(name, pair, depth, _dtype(depth, endian))
    else:
        return None
    depth = int(bits or 8)
    planes = tuple(Component(role, plane) for plane, role in enumerate(roles))
    return Layout(name, planes, depth, _dtype(depth, endian), log2, full_range=kind == "j")


def _semi_planar(name: str) -> Layout | None:
    if found := re.fullmatch(r"p([024])(10|12|16)(le|be)", name):
        subsampling, depth, endian = {"0": "420", "2": "422", "4": "444"}[found[1]], int(found[2]), found[3]
        shift, order = 16 - depth, "UV"
    elif name in _SEMI_PLANAR:
        (subsampling, depth, shift, order), endian = _SEMI_PLANAR[name], "le"
    else:
        return None
    pair = sorted((Component(role, 1, place, 2, shift) for place, role in enumerate(order)), key=lambda c: c.role)
    luma = Component("Y", 0, shift=shift)
    return Layout(name, (luma, *pair), depth, _dtype(depth, endian), _SUBSAMPLING[subsampling])


def _packed_rgb(name: str) -> Layout | None:
    if found := re.fullmatch(r"(rgb|bgr)(24|48(?=le|be))(le|be)?", name):
        order, depth = found[1], int(found[2]) // 3
    elif found := re.fullmatch(r"(rgba|bgra|argb|abgr)(64(?=le|be))?(le|be)?", name):
        order, depth = found[1], 16 if found[2] else 8
    elif found := re.fullmatch(r"(rgb0|bgr0|0rgb|0bgr)()()", name):
        order, depth = found[1], 8
    else:
        return None
    if depth == 8 and found[3]:
        return None
    places = {role.upper(): place for place, role in enumerate(order) if role != "0"}
    roles = "RGBA" if "A" in places else "RGB"
    components = tuple(Component(role, 0, places[role], len(order)) for role in roles)
    return Layout(name, components, depth, _dtype(depth, found[3]))


def _packed_yuv(name: str) -> Layout | None:
    order = _PACKED_YUV.get(name)
    if order is None:
        return None
    components = tuple(Component(role, 0, order.index(role), 2 if role == "Y" else 4) for role in "YUV")
    return Layout(name, components, 8, np.dtype(np.uint8), _SUBSAMPLING["422"])
