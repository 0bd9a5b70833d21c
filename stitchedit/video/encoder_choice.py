"""Which encoder writes a clip, in which pixel format, with which options."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import av
from av.codec.context import Flags, ThreadType
from av.container import OutputContainer
from av.video.stream import VideoStream

from stitchedit.errors import CannotEncode
from stitchedit.video.base import VideoInfo
from stitchedit.video.pixel_formats import Layout, find_layout
from stitchedit.video.side_data import light_levels, lost, mastering_figures
from stitchedit.video.yuv import BT709, FULL_RANGE, LIMITED_RANGE, matrix_of

CONTAINERS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm"}  # FFmpeg's names
PROFESSIONAL = {"prores": "prores_ks", "dnxhr": "dnxhd"}  # of `config.CODECS`: FFmpeg's encoders; in .mov
_H264_CRF = 12  # differences of about one code value
_VP9_CRF = 8  # the same
_THREADS = 4  # x264's packets depend on their number, so it is not the machine's


@dataclass(frozen=True, slots=True)
class Encoding:
    """How the frames of a clip are written."""

    codec: str  # FFmpeg's name of the encoder
    source: Layout
    target: Layout  # the samples are equal to the source's unless `notes` say otherwise
    notes: tuple[str, ...]  # what is lost, one line each
    narrow: bool = False  # full range becomes limited, for the encoder has no way to say which


def container_of(path: Path, lossless: bool, codec: str = "h264") -> str:
    """FFmpeg's name of the container for a file name. Raises: CannotEncode, for one that will not do."""
    container = CONTAINERS.get(path.suffix.lower())
    if container is None:
        why = f"{path.suffix} files are not written" if path.suffix else "its name has no ending, such as .mp4"
        raise CannotEncode(path, why, f"use one of {', '.join(CONTAINERS)}")
    if lossless and container != "matroska":
        why = f"{path.suffix} does not hold lossless FFV1 video"
        raise CannotEncode(path, why, f"name it {path.with_suffix('.mkv').name}")
    if codec in PROFESSIONAL and container != "mov":
        why = f"{_shown(PROFESSIONAL[codec])} is written to .mov"
        raise CannotEncode(path, why, f"name it {path.with_suffix('.mov').name}")
    return container


def choose_encoding(path: Path, info: VideoInfo, lossless: bool, codec: str = "h264") -> Encoding:
    """FFV1, H.264, ProRes, DNxHR or, in WebM, VP9, in the pixel format that loses least of the source's.

    Raises: CannotEncode, when no format of the encoder holds such pictures.
    """
    container = container_of(path, lossless, codec)
    source = find_layout(info.pix_fmt)
    assert source is not None, "a source has a known layout"
    professional = codec in PROFESSIONAL
    if professional:
        codec = PROFESSIONAL[codec]
    else:
        codec = "ffv1" if lossless else "libx264rgb" if source.is_rgb else "libx264"
    if container == "webm":
        codec = "libvpx-vp9"
    odd = (0, 0) if lossless or codec == "libvpx-vp9" else (info.stored_width % 2, info.stored_height % 2)
    costs = {}
    for target in _layouts_of(codec):
        cost = _cost(source, target, odd)
        if cost is not None:
            costs[cost] = target
    if not costs:
        raise CannotEncode(path, f"{_shown(codec)} has no form of {source.name} pictures", "use --lossless and .mkv")
    target = costs[min(costs)]
    stored = info.stored_width, info.stored_height
    if codec == "dnxhd" and not source.is_rgb and matrix_of(info.colour.matrix, *stored) != BT709:
        raise CannotEncode(path, "DNxHR is written with colours of BT.709, the clip has others", "use --codec prores")
    notes = _losses(source, target, _shown(codec))
    if info.hdr[0] and mastering_figures(info.hdr[0]) is None:
        notes = (*notes, "HDR10 mastering figures are left out, the clip has only some of them")
    notes = (*notes, *lost(info.side_data, codec, _shown(codec)))
    if professional and any(info.hdr):
        notes = (*notes, f"not kept in {_shown(codec)} output: HDR10 figures")
    if codec == "dnxhd" and info.interlaced:
        notes = (*notes, "DNxHR has no fields: both stay woven together in pictures that are marked as progressive")
    full = source.full_range or info.colour.range == FULL_RANGE
    return Encoding(codec, source, target, notes, narrow=professional and full and not source.is_rgb)


@lru_cache
def _layouts_of(codec: str) -> tuple[Layout, ...]:
    formats = av.codec.Codec(codec, "w").video_formats or []
    layouts = (find_layout(pixel_format.name) for pixel_format in formats)
    # libvpx lists formats of RGB, and refuses their pictures
    return tuple(layout for layout in layouts if layout is not None and not (codec == "libvpx-vp9" and layout.is_rgb))


def _cost(source: Layout, target: Layout, odd: tuple[int, int]) -> tuple[object, ...] | None:
    """What writing as `target` loses, then what it wastes; None where it will not do."""
    coarse = any(want > have for want, have in zip(target.log2, source.log2, strict=True))
    # x264 crops by whole chroma samples, so a picture of odd size needs one for every pixel.
    uncropped = any(log2 and rest for log2, rest in zip(target.log2, odd, strict=True))
    if sorted(_colours(source)) != sorted(_colours(target)) or coarse or uncropped:
        return None
    if target.full_range and not source.full_range:
        return None
    return (
        source.has_alpha and not target.has_alpha,
        max(0, source.depth - target.depth),
        target.name != source.name,
        target.depth,
        -sum(target.log2),
        target.has_alpha,
        target.full_range != source.full_range,
        target.name,
    )


def _colours(layout: Layout) -> str:
    return layout.roles.replace("A", "")


def _losses(source: Layout, target: Layout, codec: str) -> tuple[str, ...]:
    notes = []
    if source.has_alpha and not target.has_alpha:
        notes.append(f"transparency is left out, {codec} has none; lossless output keeps it")
    if target.depth < source.depth:
        notes.append(f"{source.depth} bits a sample become {target.depth}, {codec} has no more; lossless keeps them")
    if target.log2 != source.log2 and target.log2 == (0, 0):
        notes.append(f"chroma is written at full size: {codec} has no {source.name} of this size")
    return tuple(notes)


def _shown(codec: str) -> str:
    return {"ffv1": "FFV1", "libvpx-vp9": "VP9", "prores_ks": "ProRes", "dnxhd": "DNxHR"}.get(codec, "H.264")


def add_video(output: OutputContainer, info: VideoInfo, encoding: Encoding) -> VideoStream:
    """A stream in `output` that takes the clip's frames, with size, time base, tags and orientation of the source."""
    stream = output.add_stream(
        encoding.codec,
        rate=info.rate,
        options=_options(info, encoding),
        width=info.stored_width,
        height=info.stored_height,
        time_base=info.time_base,
        pix_fmt=encoding.target.name,
    )
    assert isinstance(stream, VideoStream)
    context, tags = stream.codec_context, info.colour
    context.flags |= Flags.bitexact
    context.thread_count = _THREADS
    context.thread_type = ThreadType.SLICE if encoding.codec == "ffv1" else ThreadType.FRAME
    context.color_primaries, context.color_trc, context.colorspace = tags.primaries, tags.transfer, tags.matrix
    context.color_range = FULL_RANGE if encoding.source.full_range else tags.range
    if encoding.narrow:
        context.color_range = LIMITED_RANGE
    if encoding.source.roles in ("Y", "YA") and not tags.range:
        context.color_range = FULL_RANGE  # gray that says nothing is full, but in H.264 saying nothing is limited
    if info.sample_aspect_ratio != 1:
        context.sample_aspect_ratio = info.sample_aspect_ratio
    if _codes_interlaced(info, encoding):
        context.flags |= Flags.interlaced_dct | Flags.interlaced_me
    if info.matrix:
        stream.set_display_matrix(struct.unpack("=9i", info.matrix))
    return stream


def _codes_interlaced(info: VideoInfo, encoding: Encoding) -> bool:
    """Whether fields are coded; x264 wants whole macroblock pairs' worth of rows for that."""
    if encoding.codec == "prores_ks":
        return info.interlaced
    return info.interlaced and encoding.codec == "libx264" and info.stored_height % (2 << encoding.target.log2[1]) == 0


def _options(info: VideoInfo, encoding: Encoding) -> dict[str, str]:
    if encoding.codec == "ffv1":
        return {"level": "3", "slicecrc": "1"}  # the number of slices follows size and threads; not all suit all sizes
    if encoding.codec == "libvpx-vp9":
        return {"crf": str(_VP9_CRF), "b": "0", "deadline": "good", "cpu-used": "4"}
    if encoding.codec == "prores_ks":
        return {"profile": "hq" if encoding.target.log2 == (1, 0) else "4444", "vendor": "apl0"}
    if encoding.codec == "dnxhd":
        finest = encoding.target.log2 == (0, 0)
        return {"profile": "dnxhr_444" if finest else "dnxhr_hq" if encoding.target.depth == 8 else "dnxhr_hqx"}
    options = {"crf": str(_H264_CRF), "preset": "fast"}
    if hdr := ":".join(_hdr_parameters(*info.hdr)):
        options["x264-params"] = hdr
    return options


def _hdr_parameters(mastering: bytes, light: bytes) -> Iterable[str]:
    """HDR10 figures as x264 wants them; the arguments are AVMasteringDisplayMetadata and AVContentLightMetadata."""
    figures, levels = mastering_figures(mastering), light_levels(light)
    if figures is not None:
        red, green, blue, white = (tuple(round(v * 50000) for v in figures[i : i + 2]) for i in (0, 2, 4, 6))
        low, high = (round(v * 10000) for v in figures[8:])
        points = "".join(f"{n}({x},{y})" for n, (x, y) in zip("GBR", (green, blue, red), strict=True))
        yield f"mastering-display={points}WP({white[0]},{white[1]})L({high},{low})"
    if levels is not None:
        yield "cll={},{}".format(*levels)
