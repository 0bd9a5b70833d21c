"""One picture as a file that painting programs read and write: an OpenEXR in light, or PNG and TIFF in codes.

RGB is on 0..255 as it is shown, as everywhere. An EXR holds the light of that, BT.709 primaries, 1 for white, in float;
a PNG or TIFF its codes in 16 bits. Either comes back within 0.002 of a grey level.
"""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from stitchedit.errors import CannotEncode, CannotOpen
from stitchedit.files.atomic import atomic
from stitchedit.types import FloatArray
from stitchedit.video.linear_light import light
from stitchedit.video.sequence_reader import FORMATS

SUFFIXES = (".exr", ".png", ".tif", ".tiff")
_TAG = "stitchedit"  # attribute of an EXR: which frame it is
_TOP = 65535 / 255


def require_still_name(path: Path) -> None:
    """Raises CannotEncode, where a file of this name is not written."""
    if path.suffix.lower() not in SUFFIXES:
        raise CannotEncode(path, f"{path.suffix or 'a name without ending'} is no picture to paint on", "name it .exr")


def still_size(path: Path) -> tuple[int, int]:
    """Width and height, without pixels. Raises CannotOpen."""
    if path.suffix.lower() not in SUFFIXES:
        raise CannotOpen(path, "it is no picture that can be taken back", f"give one of {', '.join(SUFFIXES)}")
    if not path.exists():
        raise CannotOpen(path, "there is no such file", "`stitchedit retouch` gives a frame to paint on")
    head = FORMATS[path.suffix.lower()].head(path)
    return head.width, head.height


def still_frame(path: Path) -> int | None:
    """Which frame an EXR says that it is; None: it does not say."""
    if path.suffix.lower() != ".exr":
        return None
    found = re.fullmatch(r"frame (\d{1,9}) of .*", dict(FORMATS[".exr"].notes(path)).get(_TAG, ""))
    return int(found[1]) if found else None


def read_still(path: Path) -> FloatArray:
    """RGB on 0..255, float32 [H, W, 3], not clipped. Raises CannotOpen."""
    still_size(path)
    return FORMATS[path.suffix.lower()].read(path, 0, Fraction(25)).rgb_float()


def write_still(path: Path, rgb: FloatArray, frame: int, name: str) -> None:
    """Write RGB on 0..255, [H, W, 3].

    Args:
        frame, name: which frame of which edit it is, told in an EXR.
    Raises: CannotEncode, NotWritable, DiskFull.
    """
    require_still_name(path)
    with atomic(path) as temp:
        if path.suffix.lower() == ".exr":
            _write_exr(temp, rgb, f"frame {frame} of {name}")
        else:
            codes = np.rint(rgb.clip(0, 255) * _TOP).astype(np.uint16)
            temp.write_bytes(cv2.imencode(path.suffix.lower(), codes[..., ::-1])[1].tobytes())


def _write_exr(path: Path, rgb: FloatArray, told: str) -> None:
    import OpenEXR

    linear = light(rgb)
    channels = {letter: np.ascontiguousarray(linear[..., place]) for place, letter in enumerate("RGB")}
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage, _TAG: told}
    with path.open("wb") as file:
        OpenEXR.File(header, channels).write(file)
