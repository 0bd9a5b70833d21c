"""Pictures on disk: PNG files, and a folder of them that is read picture by picture."""

from __future__ import annotations

import struct
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from stitchedit.errors import ProjectError
from stitchedit.files.atomic import atomic
from stitchedit.types import ByteArray, FloatArray

Pixels = TypeVar("Pixels")
_DAMAGE = (OSError, ValueError, SyntaxError, EOFError, struct.error, Image.DecompressionBombError, cv2.error)
_STEPS = 4  # to a grey level, in the finer pictures


def save_png(picture: ByteArray, path: Path) -> None:
    """Write [H, W, 3] RGB or [H, W] grey as PNG. Raises NotWritable, DiskFull."""
    with atomic(path) as temp:
        temp.write_bytes(png_bytes(picture))


def png_bytes(picture: ByteArray) -> bytes:
    """[H, W, 3] RGB or [H, W] grey as the bytes of a PNG."""
    file = BytesIO()
    by = PngInfo()
    by.add_text("Software", "stitchedit")  # by which `require_own` knows it
    Image.fromarray(picture).save(file, format="PNG", compress_level=1, pnginfo=by)
    return file.getvalue()


class _Folder:
    """`000000.png`, `000001.png` ... in a folder: square RGB pictures of one size, decoded when asked for."""

    def __init__(self, folder: Path, count: int, size: int) -> None:
        self.folder, self.count, self.size = folder, count, size

    def __len__(self) -> int:
        return self.count

    def path(self, index: int) -> Path:
        return self.folder / f"{index:06d}.png"

    def _read(self, index: int, decode: Callable[[Image.Image, Path], Pixels]) -> Pixels:
        path = self.path(index)
        try:
            with Image.open(path, formats=["PNG"]) as picture:
                if picture.size != (self.size, self.size):  # known before anything is decoded
                    raise ValueError(f"{picture.width}x{picture.height} in place of {self.size} pixels")
                return decode(picture, path)
        except _DAMAGE as exc:
            raise ProjectError(f"{path} cannot be read: {exc}", "remove the folder and invert the clip again") from exc


class PictureFolder(_Folder):
    """Pictures in whole grey levels."""

    def save(self, index: int, picture: ByteArray) -> None:
        """Raises NotWritable, DiskFull."""
        save_png(picture, self.path(index))

    def save_map(self, index: int, values: ByteArray) -> None:
        """A grey picture [size, size], read back as one of three equal channels. Raises NotWritable, DiskFull."""
        save_png(values, self.path(index))

    def __getitem__(self, index: int, /) -> ByteArray:
        """uint8 [size, size, 3]. Raises ProjectError, when the file is missing, damaged or of another size."""
        return self._read(index, lambda picture, _: np.asarray(picture.convert("RGB")))


class FinePictures(_Folder):
    """Pictures in quarters of a grey level, as PNG of 16 bits a channel; those of 8 bits can be read as well."""

    def save(self, index: int, picture: FloatArray) -> None:
        """float32 [size, size, 3] on 0..255, rounded. Raises NotWritable, DiskFull."""
        quarters = np.rint(picture.clip(0, 255) * _STEPS).astype(np.uint16) * np.uint16(256 // _STEPS)
        with atomic(self.path(index)) as temp:
            temp.write_bytes(cv2.imencode(".png", quarters[..., ::-1])[1].tobytes())

    def __getitem__(self, index: int, /) -> FloatArray:
        """float32 [size, size, 3] on 0..255. Raises as `PictureFolder` does."""
        return self._read(index, _fine)


def _fine(_: Image.Image, path: Path) -> FloatArray:
    # PIL keeps eight of the bits
    found = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH)
    if found is None:
        raise ValueError("no whole picture")
    levels: FloatArray = found[..., ::-1].astype(np.float32)
    return levels / np.float32(256) if found.dtype == np.uint16 else levels
