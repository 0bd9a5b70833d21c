"""What pictures carry beside their samples, and what of it an encoder does not keep.

Every kind that FFmpeg has a name for, and PyAV too, is in one of the three tables.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterable, Mapping
from fractions import Fraction

KEPT = {  # by all encoders, or with notes of their own where not
    "DISPLAYMATRIX",
    "MASTERING_DISPLAY_METADATA",
    "CONTENT_LIGHT_LEVEL",
    "GOP_TIMECODE",  # as the output's start time code
}
KEPT_BY_H264 = {"A53_CC", "STEREO3D"}
TOLD = {
    "A53_CC": "closed captions",
    "STEREO3D": "the arrangement of a stereo picture",
    "SPHERICAL": "the mapping of a 360 degree picture",
    "DOVI_RPU_BUFFER": "Dolby Vision metadata",
    "DOVI_METADATA": "Dolby Vision metadata",
    "DYNAMIC_HDR_PLUS": "HDR10+ metadata",
    "DYNAMIC_HDR_VIVID": "HDR Vivid metadata",
    "AMBIENT_VIEWING_ENVIRONMENT": "the ambient viewing environment",
    "ICC_PROFILE": "the ICC profile",
    "AFD": "the active format description",
    "PANSCAN": "pan and scan windows",
    "S12M_TIMECODE": "time codes of the pictures",
    "FILM_GRAIN_PARAMS": "film grain parameters",
}
NOTHING_LOST = {  # the encoder's own words, what programs found in pictures, and what sound carries
    *(
        "SEI_UNREGISTERED",
        "MOTION_VECTORS",
        "REGIONS_OF_INTEREST",
        "VIDEO_ENC_PARAMS",
        "DETECTION_BBOXES",
        "VIDEO_HINT",
    ),
    *("MATRIXENCODING", "DOWNMIX_INFO", "REPLAYGAIN", "SKIP_SAMPLES", "AUDIO_SERVICE_TYPE"),
}


def carried(names: Iterable[str], tags: Mapping[str, str], codec: str) -> tuple[str, ...]:
    """The names that mean something for an output.

    Args:
        names: FFmpeg's, of the first picture's side data.
        tags: of container and stream: a start time code there makes those of the pictures superfluous.
        codec: of the source; MPEG-2 has a window for pan and scan that says nothing in every picture.
    """
    plain = {"PANSCAN"} if codec == "mpeg2video" else set()
    if any(key.lower() == "timecode" for key in tags):
        plain.add("S12M_TIMECODE")
    return tuple(sorted(set(names) - NOTHING_LOST - plain))


def gop_timecode(data: bytes) -> str:
    """The time code in front of an MPEG-2 group of pictures, FFmpeg's side data; "" for none, and for zero.

    Source: ISO 13818-2, 6.2.2.6.
    """
    bits = int.from_bytes(data, sys.byteorder) if len(data) == 8 else 0
    hours, minutes, seconds, pictures = bits >> 19 & 31, bits >> 13 & 63, bits >> 6 & 63, bits & 63
    if not any((hours, minutes, seconds, pictures)):
        return ""
    return f"{hours:02d}:{minutes:02d}:{seconds:02d}{';' if bits >> 24 & 1 else ':'}{pictures:02d}"


def mastering_figures(data: bytes) -> tuple[float, ...] | None:
    """x, y of red, green, blue and white, then the least and the most light in cd/m2; None, where not all are given.

    Args:
        data: FFmpeg's AVMasteringDisplayMetadata; empty where a clip has none.
    """
    if len(data) != 88:
        return None
    *numbers, has_primaries, has_luminance = struct.unpack("=22i", data)
    if not (has_primaries and has_luminance):
        return None
    return tuple(top / bottom if bottom else 0.0 for top, bottom in zip(numbers[::2], numbers[1::2], strict=True))


def light_levels(data: bytes) -> tuple[int, int] | None:
    """The most light of a pixel and of a picture's average, in cd/m2, from FFmpeg's AVContentLightMetadata."""
    return struct.unpack("=2I", data) if len(data) == 8 else None


def lost_in_pictures(pixel: Fraction, hdr: tuple[bytes, bytes], shown: str) -> tuple[str, ...]:
    """A note for each property of a video that pictures and GIF have no place for, or none that programs read.

    Args:
        pixel: width of a pixel by its height; hdr: HDR10 figures, see `VideoInfo`.
        shown: the output's form for people.
    """
    shape = (f"the shape of the pixels, {pixel}, is left out, {shown} is shown with square ones",) if pixel != 1 else ()
    return (*shape, f"not kept in {shown} output: HDR10 figures") if any(hdr) else shape


def lost(names: Iterable[str], codec: str, shown: str) -> tuple[str, ...]:
    """A note for each kind that an encoder does not keep.

    Args:
        codec: FFmpeg's name of the encoder.
        shown: the same for people.
    """
    kept = KEPT | (KEPT_BY_H264 if codec.startswith("libx264") else set())
    words = dict.fromkeys(TOLD.get(name, name) for name in names if name not in kept)
    return tuple(f"not kept in {shown} output: {what}" for what in words)
