"""Numbered pictures as a clip: what `stitchedit.video` opens for a folder or a pattern."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO, Protocol

from stitchedit.config import DEFAULT_FPS
from stitchedit.errors import CannotDecode, CannotOpen
from stitchedit.video.base import Damage, Frame, VideoInfo, View
from stitchedit.video.exr import EXR, ExrFrame
from stitchedit.video.file_reader import CodedFrame
from stitchedit.video.image_codecs import JPEG, PNG, TIFF
from stitchedit.video.image_metadata import Head
from stitchedit.video.sequence_names import Numbered, find_numbered


class Pictures(Protocol):
    """A format of picture files; see `_coded_pictures.CodedPictures`."""

    @property
    def name(self) -> str: ...

    @property
    def exact(self) -> bool: ...

    def head(self, path: Path) -> Head: ...

    def describe(self, path: Path, rate: Fraction) -> VideoInfo: ...

    def read(self, path: Path, index: int, rate: Fraction) -> CodedFrame | ExrFrame: ...

    def write(
        self, frame: Frame, source: Path | None, notes: Mapping[str, str], target: Path, file: BinaryIO
    ) -> None: ...

    def notes(self, path: Path) -> list[tuple[str, str]]: ...


FORMATS: dict[str, Pictures] = {".png": PNG, ".exr": EXR, ".tif": TIFF, ".tiff": TIFF, ".jpg": JPEG, ".jpeg": JPEG}


class SequenceSource:
    """A shot of numbered pictures of one format, size and kind; every file was looked at when it was opened."""

    def __init__(self, info: VideoInfo, numbered: Numbered, pictures: Pictures, view: View | None = None) -> None:
        self.info, self.numbered, self.pictures, self.view = info, numbered, pictures, view
        self.frames: int | None = len(numbered.files)
        self.damage: list[Damage] = []  # a picture that cannot be read is an error

    def count(self) -> int:
        return len(self.numbered.files)

    def __iter__(self) -> Iterator[Frame]:
        for index, path in enumerate(self.numbered.files):
            frame = self.pictures.read(path, index, self.info.rate)
            if frame.size != (self.info.width, self.info.height):
                raise CannotDecode(path, index, "its size has changed")
            yield frame if self.view is None else replace(frame, view=self.view)


def open_sequence(path: Path, fps: Fraction | None, view: View | None = None) -> SequenceSource:
    """Opens a folder of numbered pictures, or those that a pattern means.

    Args:
        view: None: light of the file's own primaries for EXR, codes as they are for others.
    Raises: CannotOpen, naming the picture that is missing, damaged, or of another size or kind than the first.
    """
    numbered = find_numbered(path)
    pictures = FORMATS.get(numbered.suffix)
    if pictures is None:
        raise CannotOpen(numbered.files[0], "pictures of this kind are not read", f"known are {', '.join(FORMATS)}")
    first, size = pictures.head(numbered.files[0]), 0
    for file in numbered.files:
        if FORMATS.get(file.suffix.lower()) is not pictures:
            raise CannotOpen(file, f"it is no {pictures.name} as {numbered.files[0].name}", "give one kind of pictures")
        head = pictures.head(file)
        if (head.width, head.height) != (first.width, first.height):
            why = f"it has {head.width} x {head.height} pixels, {numbered.files[0].name} {first.width} x {first.height}"
            raise CannotOpen(file, why, "all pictures of a shot must have one size")
        if head.kind != first.kind:
            why = f"it is {head.kind}, {numbered.files[0].name} is {first.kind}"
            raise CannotOpen(file, why, "all pictures of a shot must be of one kind")
        size += file.stat().st_size
    info = pictures.describe(numbered.files[0], fps or DEFAULT_FPS)
    assumed = () if fps else (f"{DEFAULT_FPS} frames a second are assumed; --fps of `invert` says otherwise",)
    duration = len(numbered.files) / info.rate
    info = replace(info, path=path, duration=duration, size_bytes=size, notes=(*info.notes, *assumed))
    return SequenceSource(info, numbered, pictures, view)
