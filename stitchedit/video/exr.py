"""OpenEXR files as frames: linear light in half or float, of which only what an edit covers is changed.

The display window is the picture; pixels lie in the data window, which may be smaller or larger and differ from file to
file. All channels, parts and attributes travel in the file object that was read.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from stitchedit.errors import CannotEncode, CannotOpen
from stitchedit.types import ByteArray, FloatArray
from stitchedit.video.base import ColourTags, Frame, VideoInfo, View
from stitchedit.video.decoder import MAX_PIXELS, open_regular
from stitchedit.video.image_metadata import Head
from stitchedit.video.linear_light import SRGB, LinearLight, to_srgb
from stitchedit.video.orientation import Orientation
from stitchedit.video.yuv import Box, to_bytes

Samples = NDArray[np.floating[Any]]

_MOST_BYTES = 1 << 32  # of all channels of a file once they are unpacked
_LOSSY = ("PXR24", "B44", "B44A", "DWAA", "DWAB")
_OF_THE_FILE = {  # attributes that say how its pixels lie in it
    *("channels", "compression", "dataWindow", "displayWindow", "lineOrder", "type", "name", "tiles", "chunkCount"),
    *("version", "preview", "view", "multiView", "pixelAspectRatio", "screenWindowCenter", "screenWindowWidth"),
}
_LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)  # BT.709
_HINT = "it must hold R, G, B (or Y) as half or float, not deep, not subsampled"


@dataclass(frozen=True, slots=True)
class ExrFrame:
    """A `Frame` of an OpenEXR file."""

    index: int
    pts: int
    duration: int
    time_base: Fraction
    file: Any = field(repr=False)  # the OpenEXR.File with all of its parts
    part: int  # in which the colours are
    names: tuple[str, ...]  # of its colour channels, R G B or Y
    colours: tuple[Samples, ...] = field(repr=False)  # [h, w] each, of the data window
    data: tuple[int, int]  # x, y of the data window in the picture
    size: tuple[int, int]  # (width, height) of the picture: the display window
    view: View = field(repr=False)

    @property
    def time(self) -> Fraction:
        return self.pts * self.time_base

    def rgb_float(self, box: Box | None = None) -> FloatArray:
        """RGB on sRGB's curve, float32 [h, w, 3], not clipped; black where the file has no pixels."""
        x0, y0, x1, y1 = box or (0, 0, *self.size)
        if not (0 <= x0 < x1 <= self.size[0] and 0 <= y0 < y1 <= self.size[1]):
            raise ValueError(f"box {box} is empty or leaves the picture of {self.size[0]} x {self.size[1]}")
        rgb = np.zeros((y1 - y0, x1 - x0, 3), np.float32)
        there, here = self._overlap((x0, y0, x1, y1))
        rgb[there] = self._shown(here)
        return rgb

    def rgb(self, box: Box | None = None) -> ByteArray:
        return to_bytes(self.rgb_float(box))

    @property
    def attributes(self) -> dict[str, Any]:
        """What the file says beside its pictures' shape: primaries, time code, lens, notes."""
        return {k: v for k, v in self.file.parts[self.part].header.items() if k not in _OF_THE_FILE}

    def values(self) -> FloatArray:
        """Black where the file has no pixels."""
        rgb = np.zeros((*self.size[::-1], 3), np.float32)
        there, here = self._overlap((0, 0, *self.size))
        rgb[there] = self._stored(here)
        return rgb

    def values_of(self, rgb: FloatArray) -> FloatArray:
        """One gray for all three, where the file has no others."""
        values = self.view.stored(rgb)
        return values if len(self.names) == 3 else np.repeat((values @ _LUMA)[..., None], 3, 2)

    def pasted(self, patch: FloatArray, alpha: FloatArray, box: Box) -> ExrFrame:
        """See `base.paste`; blended as it is shown, written back as light."""
        if patch.shape != (box[3] - box[1], box[2] - box[0], 3) or alpha.shape != patch.shape[:2]:
            raise ValueError(f"patch {patch.shape} and alpha {alpha.shape} do not fill the box {box}")
        there, here = self._overlap(box)
        weight = alpha[there]
        change = weight > 0
        if not change.any():
            return self
        present = self._shown(here)
        wanted = np.where(change[..., None], patch[there], present)
        mixed = self.values_of((present + weight[..., None] * (wanted - present)).astype(np.float32))
        made = []
        for place, old in enumerate(self.colours):
            new = mixed[..., place]
            top = float(np.finfo(old.dtype).max)
            copy = old.copy()
            np.copyto(copy[here], np.clip(new, -top, top).astype(old.dtype), where=change)
            made.append(copy)
        return replace(self, colours=tuple(made))

    def _overlap(self, box: Box) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
        """Where the data window lies in a box of the picture, and where the box lies in the data window."""
        height, width = self.colours[0].shape
        x0, x1 = (min(max(v, self.data[0]), self.data[0] + width) for v in (box[0], box[2]))
        y0, y1 = (min(max(v, self.data[1]), self.data[1] + height) for v in (box[1], box[3]))
        there = slice(y0 - box[1], y1 - box[1]), slice(x0 - box[0], x1 - box[0])
        here = slice(y0 - self.data[1], y1 - self.data[1]), slice(x0 - self.data[0], x1 - self.data[0])
        return there, here

    def _stored(self, here: tuple[slice, slice]) -> FloatArray:
        parts = [colour[here].astype(np.float32) for colour in self.colours]
        return np.stack(parts * 3 if len(parts) == 1 else parts, 2)

    def _shown(self, here: tuple[slice, slice]) -> FloatArray:
        return self.view.shown(self._stored(here))


class ExrPictures:
    """The format, with the methods of `_coded_pictures.CodedPictures`."""

    name = "EXR"
    exact = True

    def head(self, path: Path) -> Head:
        """Without pixels. Raises CannotOpen."""
        import OpenEXR

        with open_regular(path) as stream:
            try:
                with _quiet():
                    parts = OpenEXR.File(stream, header_only=True).parts
                part, names = _colour_part([(p.header, [c.name for c in p.header["channels"]]) for p in parts])
                total = sum(_unpacked_bytes(p.header) for p in parts)
                header = parts[part].header
                (width, height), _ = _windows(header)
                if any(c.xSampling != 1 or c.ySampling != 1 for c in header["channels"] if c.name in names):
                    raise ValueError("its colours are subsampled")
            except (RuntimeError, ValueError, KeyError, TypeError, AttributeError) as exc:
                why = str(exc) if type(exc) is ValueError else "it is no OpenEXR file that can be read"
                raise CannotOpen(path, why, _HINT) from exc
        if total > _MOST_BYTES or not 0 < width * height <= MAX_PIXELS:
            raise CannotOpen(path, f"{width} x {height} pixels in {total >> 20} MiB are too many", "")
        return Head(width, height, f"channels {', '.join(names)}")

    def describe(self, path: Path, rate: Fraction) -> VideoInfo:
        """What a shot of pictures like this one is. Raises CannotOpen."""
        frame = self.read(path, 0, rate)
        header = frame.file.parts[frame.part].header
        bits = 8 * frame.colours[0].dtype.itemsize
        notes = []
        if _compression(header) in _LOSSY:
            notes.append(f"{_compression(header)} loses precision: written with ZIP, so that values stay as they are")
        aspect = float(header.get("pixelAspectRatio", 1.0))
        return VideoInfo(
            path=path,
            format="EXR pictures",
            codec="exr",
            width=frame.size[0],
            height=frame.size[1],
            stored_width=frame.size[0],
            stored_height=frame.size[1],
            orientation=Orientation(),
            pix_fmt=f"gbrpf{bits}le",
            depth=bits,
            time_base=1 / rate,
            rate=rate,
            start=0,
            duration=None,
            sample_aspect_ratio=Fraction(aspect).limit_denominator(1000) if 0.01 < aspect < 100 else Fraction(1),
            colour=ColourTags(1, 8, 0, 2),  # BT.709 primaries, linear, RGB, full
            interlaced=False,
            audio_streams=0,
            subtitle_streams=0,
            notes=tuple(notes),
        )

    def read(self, path: Path, index: int, rate: Fraction) -> ExrFrame:
        """Frame `index` of the shot. Raises CannotOpen."""
        import OpenEXR

        self.head(path)  # refuses what is too large
        with open_regular(path) as stream:
            try:
                with _quiet():
                    file = OpenEXR.File(stream, separate_channels=True)
                    parts = file.parts
            except (RuntimeError, ValueError) as exc:
                raise CannotOpen(path, f"it is damaged ({exc})", "render or copy it again") from exc
        if not parts:  # the library prints what is wrong, and goes on without pixels
            raise CannotOpen(path, "it is damaged", "render or copy it again")
        part, names = _colour_part([(p.header, list(p.channels)) for p in parts])
        header, channels = parts[part].header, parts[part].channels
        size, data = _windows(header)
        colours = tuple(channels[name].pixels for name in names)
        if any(not np.issubdtype(c.dtype, np.floating) for c in colours):
            raise CannotOpen(path, "its colours are whole numbers", _HINT)
        try:
            matrix = _primaries(tuple(float(v) for v in header.get("chromaticities", SRGB)))
        except (ValueError, TypeError) as exc:
            raise CannotOpen(path, str(exc), "correct its attribute 'chromaticities'") from exc
        return ExrFrame(index, index, 1, 1 / rate, file, part, names, colours, data, size, LinearLight(matrix))

    def write(self, frame: Frame, source: Path | None, notes: Mapping[str, str], target: Path, file: BinaryIO) -> None:
        """Write the frame's file with its edited colours, a note an attribute. Raises: CannotEncode, OSError."""
        import OpenEXR

        if not isinstance(frame, ExrFrame):
            raise CannotEncode(target, "only shots of EXR files are written as EXR", "name it .png")
        part = frame.file.parts[frame.part]
        for name, pixels in zip(frame.names, frame.colours, strict=True):
            part.channels[name].pixels = pixels
        for each in frame.file.parts:
            if _compression(each.header) in _LOSSY:
                each.header["compression"] = OpenEXR.ZIP_COMPRESSION
        for key, text in notes.items():
            key = {"comment": "comments"}.get(key, key)  # OpenEXR's own name
            old = part.header.get(key)
            part.header[key] = text if not isinstance(old, str) or text in old else f"{old}; {text}"
        try:
            frame.file.write(file)
        except (RuntimeError, ValueError) as exc:
            raise CannotEncode(target, str(exc), "") from exc

    def notes(self, path: Path) -> list[tuple[str, str]]:
        """(name, text) of the attributes that are texts. Raises CannotOpen."""
        import OpenEXR

        self.head(path)
        with open_regular(path) as stream:
            headers = [part.header for part in OpenEXR.File(stream, header_only=True).parts]
        return [(k, v) for header in headers for k, v in header.items() if isinstance(v, str)]


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps back what the library prints of damaged files, on Python's stdout and C's stderr: an error says it."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        with redirect_stdout(io.StringIO()):
            yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


@lru_cache(maxsize=8)
def _primaries(chromaticities: tuple[float, ...]) -> FloatArray | None:
    return None if np.allclose(chromaticities, SRGB, atol=1e-4) else to_srgb(chromaticities)


def _colour_part(parts: list[tuple[Any, list[str]]]) -> tuple[int, tuple[str, ...]]:
    """The first part with colours, and its channels of them: plain ones, or those of its first layer."""
    for index, (header, names) in enumerate(parts):
        if "deep" in str(header.get("type", "")):
            continue
        layers = sorted({name[:-1] for name in names if name.endswith((".R", ".Y"))})
        for layer in ("", *layers):
            for group in ("RGB", "Y"):
                wanted = tuple(layer + letter for letter in group)
                if set(wanted) <= set(names):
                    return index, wanted
    raise ValueError("it holds no colours")


def _windows(header: Any) -> tuple[tuple[int, int], tuple[int, int]]:
    """(width, height) of the display window, and where the data window begins in it."""
    low, high = header["displayWindow"]
    start = header["dataWindow"][0]
    size = int(high[0]) - int(low[0]) + 1, int(high[1]) - int(low[1]) + 1
    return size, (int(start[0]) - int(low[0]), int(start[1]) - int(low[1]))


def _unpacked_bytes(header: Any) -> int:
    (x0, y0), (x1, y1) = header["dataWindow"]
    pixels = (int(x1) - int(x0) + 1) * (int(y1) - int(y0) + 1)
    if not 0 < pixels <= 4 * MAX_PIXELS:
        raise ValueError("its data window is too large")
    return 4 * pixels * len(header["channels"])


def _compression(header: Any) -> str:
    return str(getattr(header.get("compression"), "name", "")).removesuffix("_COMPRESSION")


EXR = ExrPictures()
