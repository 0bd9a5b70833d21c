"""Writing a clip as numbered pictures."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from stitchedit.errors import CannotEncode, NotWritable
from stitchedit.files.atomic import begin_folder, commit_folder, write_new
from stitchedit.video.base import Frame, VideoSource
from stitchedit.video.encoder_choice import CONTAINERS
from stitchedit.video.sequence_names import SUFFIXES, Numbered, has_pattern, numbered_name
from stitchedit.video.sequence_reader import FORMATS, Pictures, SequenceSource
from stitchedit.video.side_data import lost_in_pictures

_USUAL = "frame.%04d.png"  # of a video that is written as pictures


# Of a shot's output: other endings are parts of a folder's name, as in `shot.age+2` and `shot.age+2.face`.
_OF_OTHERS = (
    ".avi",
    ".bmp",
    ".dpx",
    ".flv",
    ".gif",
    ".m2ts",
    ".mpeg",
    ".mpg",
    ".mxf",
    ".ogv",
    ".tga",
    ".ts",
    ".webp",
    ".wmv",
)
_FILES = {*CONTAINERS, *SUFFIXES, *_OF_OTHERS}


def writes_pictures(path: Path, source: VideoSource) -> bool:
    """Whether an output's name means pictures: a folder, or a pattern; a folder need not exist yet."""
    of_a_shot = isinstance(source, SequenceSource) and path.suffix.lower() not in _FILES
    return path.is_dir() or has_pattern(path) or of_a_shot


class Target:
    """Where the pictures of a clip go.

    Args:
        path: a folder, or a pattern in one.
        shot: the pictures that the clip is made of, whose names and numbers are kept; None for a video.
    """

    def __init__(self, path: Path, shot: Numbered | None) -> None:
        named = has_pattern(path) and not path.is_dir()
        self.folder = path.parent if named else path
        self._shot = shot
        self._pattern = path if named else path / _USUAL if shot is None else None
        named_by = self._pattern or (shot.files[0] if shot is not None else path)
        self.suffix = named_by.suffix.lower()

    def file(self, index: int) -> Path:
        """The picture of a frame."""
        if self._pattern is None:
            assert self._shot is not None, "a video's pictures have a pattern"
            return self.folder / self._shot.files[index].name
        return self.folder / numbered_name(self._pattern, self._shot.numbers[index] if self._shot else index + 1)

    def overwrites(self, shot: Numbered) -> bool:
        """Whether one of them would take the place of one of `shot`."""
        if self.folder.resolve() != shot.files[0].parent.resolve():
            return False
        taken = {file.name for file in shot.files}
        return any(self.file(index).name in taken for index in range(len(shot.files)))


class SequenceWriter:
    """Writes frames as pictures: those of a shot under their own numbers, those of a video from 1 on.

    They are written into a hidden folder and appear when the `with` block ends well: a new folder all at once, in a
    folder that is there picture by picture, each replacing only one of its own name.

    Args:
        path: a folder (names are those of the source), or a pattern such as `out/frame.%04d.png`.
        metadata: texts to write into each picture.
    Raises, on entering: CannotEncode, NotWritable, DiskFull. On writing and leaving: CannotEncode, DiskFull.
    """

    def __init__(self, path: Path, source: VideoSource, *, metadata: Mapping[str, str] | None = None) -> None:
        self.path, self.source = path, source
        self.frames = 0
        self.notes: tuple[str, ...] = ()
        self._metadata = dict(metadata or {})
        self._shot = source if isinstance(source, SequenceSource) else None
        self._target = Target(path, self._shot.numbered if self._shot else None)

    def __enter__(self) -> Self:
        self._pictures = self._format()
        if self._shot is not None and self._target.overwrites(self._shot.numbered):
            raise NotWritable(self.path, "these are the pictures that are being read")
        info, notes = self.source.info, list[str]()
        if self._shot is None:
            notes += lost_in_pictures(info.sample_aspect_ratio, info.hdr, self._pictures.name)
        if info.audio_streams or info.subtitle_streams:
            notes.append("pictures hold no sound and no subtitles: these are left out")
        if not self._pictures.exact:
            notes.append(f"{self._pictures.name} is coded anew, values differ by about one; .png keeps them")
        self.notes = tuple(notes)
        self._parts = begin_folder(self._target.folder)
        return self

    def write(self, frame: Frame) -> None:
        """Writes the next picture. Raises: CannotEncode, DiskFull."""
        shot, target = self._shot, self._target.file(frame.index)
        origin = shot.numbered.files[frame.index] if shot and shot.pictures is self._pictures else None
        write = partial(self._pictures.write, frame, origin, self._metadata, target)
        write_new(self._parts / target.name, write, target)
        self.frames += 1

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._finish()
        finally:
            shutil.rmtree(self._parts, ignore_errors=True)

    def _format(self) -> Pictures:
        """The kind of picture that is asked for, where this source can be written as such."""
        pictures, shot = FORMATS[self._target.suffix], self._shot
        if shot is None and pictures.name != "PNG":
            raise CannotEncode(self.path, "a video is written as PNG pictures or as a video", "name it .png")
        if shot is not None and shot.pictures is not pictures and "EXR" in (shot.pictures.name, pictures.name):
            why = f"{shot.pictures.name} pictures are not written as {pictures.name}"
            raise CannotEncode(self.path, why, f"name it {shot.numbered.suffix}")
        return pictures

    def _finish(self) -> None:
        if not self.frames:
            raise CannotEncode(self.path, "no frame was written", "")
        commit_folder(self._parts, self._target.folder)
