"""The hashes by which a clip is known again: of its files, and of what they show, whatever they are packed in."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from stitchedit.files.hashing import known_sha256
from stitchedit.video.sequence_names import find_numbered, means_pictures

if TYPE_CHECKING:
    from stitchedit.video.base import Frame
    from stitchedit.video.file_reader import CodedFrame

_shown: dict[str, str] = {}  # sha256 of a file -> that of its pictures


def clip_sha256(path: Path) -> str:
    """Of a clip's file; of numbered pictures, that of their names with the sha256 of each.

    What did not change since is not read again in the same process. Raises CannotOpen.
    """
    if not means_pictures(path):
        return known_sha256(path)
    lines = (f"{known_sha256(file)}  {file.name}\n" for file in find_numbered(path).files)
    return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


class PicturesHash:
    """The sha256 of all decoded samples of a clip, in order, with what they mean as colour and which way is up.

    It is of samples, not of packets: these are framed otherwise in MP4, Matroska and transport streams, which strip and
    add parameter sets. Times are left out: Matroska rounds them. All frames count, not a sample of them: else a clip
    with a few frames retouched would pass for the old one.
    """

    def __init__(self) -> None:
        self._sha = hashlib.sha256()

    def of(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """The same frames, which count as they are taken; pictures of a shot do not."""
        from stitchedit.video.file_reader import CodedFrame

        for frame in frames:
            if isinstance(frame, CodedFrame):
                self._add(frame)
            yield frame

    def _add(self, frame: CodedFrame) -> None:
        meaning = [round(float(value), 4) for value in (*frame.colour.offset, *frame.colour.to_rgb.ravel())]
        self._sha.update(f"{frame.layout.name} {frame.size} {frame.orientation} {meaning}".encode())
        for samples in frame.planes.values():
            self._sha.update(samples.tobytes())

    def hexdigest(self) -> str:
        return self._sha.hexdigest()


def pictures_sha256(path: Path) -> str:
    """Of what a clip's file shows (`PicturesHash`); it is decoded once a process. Raises CannotOpen, CannotDecode."""
    from stitchedit.video.file_reader import open_file

    sha = clip_sha256(path)
    if sha not in _shown:
        found = PicturesHash()
        for _ in found.of(open_file(path)):
            pass
        _shown[sha] = found.hexdigest()
    return _shown[sha]
