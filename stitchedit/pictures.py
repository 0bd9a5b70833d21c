"""Pictures on disk: PNG files, and a folder of them that is read picture by picture."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from PIL import Image

from stitchedit.data import ByteArray
from stitchedit.errors import ProjectError
from stitchedit.project import atomic


def save_png(picture: ByteArray, path: Path) -> None:
    """Write [H, W, 3] RGB or [H, W] grey as PNG. Raises NotWritable, DiskFull."""
    with atomic(path) as temp:
        Image.fromarray(picture).save(temp, format="PNG", compress_level=1)


class PictureFolder:
    """`000000.png`, `000001.png` ... in a folder: square RGB pictures of one size, decoded when asked for."""

    def __init__(self, folder: Path, count: int, size: int) -> None:
        self.folder, self.count, self.size = folder, count, size

    def __len__(self) -> int:
        return self.count

    def path(self, index: int) -> Path:
        return self.folder / f"{index:06d}.png"

    def save(self, index: int, picture: ByteArray) -> None:
        """Raises NotWritable, DiskFull."""
        save_png(picture, self.path(index))

    def save_map(self, index: int, values: ByteArray) -> None:
        """A grey picture [size, size], read back as one of three equal channels. Raises NotWritable, DiskFull."""
        save_png(values, self.path(index))

    def __getitem__(self, index: int, /) -> ByteArray:
        """uint8 [size, size, 3]. Raises ProjectError, when the file is missing, damaged or of another size."""
        path = self.path(index)
        try:
            with Image.open(path, formats=["PNG"]) as picture:
                if picture.size != (self.size, self.size):  # known before anything is decoded
                    raise ValueError(f"{picture.width}x{picture.height} in place of {self.size} pixels")
                return np.asarray(picture.convert("RGB"))
        except (OSError, ValueError, SyntaxError, EOFError, struct.error, Image.DecompressionBombError) as exc:
            raise ProjectError(f"{path} cannot be read: {exc}", "remove the folder and invert the clip again") from exc
