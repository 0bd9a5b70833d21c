"""Shots as clips of their own: cut out of the film without loss, and put back into it.

A shot is a Matroska file of FFV1 in the film's own pixel format, with its tags and orientation and without sound: all
that works on clips works on it. What comes back of it are samples; times, side data and sound stay the film's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import av
from av.container import Flags

from stitchedit.errors import CannotEncode, ProjectError
from stitchedit.files.atomic import PartFile, disk_error
from stitchedit.film.shots import Shot
from stitchedit.progress import Progress, silent
from stitchedit.video import CodedFrame, Frame, VideoInfo, open_video
from stitchedit.video.encoder_choice import add_video, choose_encoding
from stitchedit.video.pixel_formats import clone, convert, samples

SUFFIX = ".mkv"


class ShotWriter:
    """Writes pictures of a film into a clip of their own, which appears when the `with` block ends well.

    Raises: CannotEncode, NotWritable, DiskFull.
    """

    def __init__(self, path: Path, info: VideoInfo) -> None:
        self.path, self.frames = path, 0
        self._step = max(1, round(1 / (info.rate * info.time_base)))  # ticks
        self._encoding = choose_encoding(path, info, True)
        self._part = PartFile(path)
        try:
            self._output = av.open(self._part.file, "w", format="matroska")
            bitexact: Any = Flags.bitexact.value  # an int, whatever the stub says
            self._output.flags |= bitexact  # no random numbers: a shot cut out again is the same file
            self._stream = add_video(self._output, info, self._encoding)
        except (av.FFmpegError, OSError) as exc:
            self._part.discard()
            raise self._told(exc) from exc

    def write(self, frame: Frame) -> None:
        """Append a picture. Frames are a step apart, wherever they come from."""
        assert isinstance(frame, CodedFrame), "a film is a file"
        encoding, video = self._encoding, frame.video
        video = convert(video, encoding.source, encoding.target) if encoding.target != encoding.source else clone(video)
        video.pts, video.time_base, video.pict_type = self.frames * self._step, frame.time_base, 0
        try:
            self._output.mux(self._stream.encode(video))
        except (av.FFmpegError, OSError) as exc:
            raise self._told(exc) from exc
        self.frames += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._part.discard()
            with suppress(av.FFmpegError, OSError, ValueError):
                self._output.close()
            return
        try:
            self._output.mux(self._stream.encode(None))
            self._output.close()
        except (av.FFmpegError, OSError) as error:
            self._part.discard()
            raise self._told(error) from error
        self._part.commit()

    def _told(self, exc: Exception) -> Exception:
        if isinstance(exc, OSError) and not isinstance(exc, av.FFmpegError):
            return disk_error(self.path, exc)
        return CannotEncode(self.path, str(exc))


def cut_out(film: Path, shots: Mapping[Path, Shot], progress: Progress = silent) -> None:
    """Write some shots, each into its file, in one reading of the film. Raises what reading and `ShotWriter` raise."""
    wanted = sorted(shots.items(), key=lambda item: item[1].first)
    source = open_video(film)
    frames = iter(source)
    for path, shot in wanted:
        with ShotWriter(path, source.info) as writer:
            for frame in frames_of(frames, shot):
                writer.write(frame)
                progress("cut", frame.index + 1, wanted[-1][1].last + 1)
        if writer.frames != shot.frames:
            path.unlink(missing_ok=True)
            raise ProjectError(f"{film} has not the frames of shot {shot.number}", "remove the film's folder")


def frames_of(frames: Iterator[Frame], shot: Shot) -> Iterator[Frame]:
    """The frames of a shot, of an iterator that is before them; it is left right behind them."""
    for frame in frames:
        if frame.index >= shot.first:
            yield frame
        if frame.index >= shot.last:
            return


def put_back(frames: Iterable[Frame], edited: Mapping[int, Path], shots: Mapping[int, Shot]) -> Iterator[Frame]:
    """The frames of a film with the samples of edited shots in their places.

    Args:
        edited: the clip of each shot that has one, by the shot's number.
    Raises: ProjectError, when a clip has not as many frames as its shot.
    """
    starts = {shots[number].first: number for number in edited}
    pictures: Iterator[Frame] | None = None
    shot: Shot | None = None
    for frame in frames:
        if frame.index in starts:
            shot = shots[starts[frame.index]]
            pictures = iter(open_video(edited[shot.number]))
        if shot is None or pictures is None:
            yield frame
            continue
        picture = next(pictures, None)
        if picture is None:
            raise ProjectError(
                f"{edited[shot.number]} ends before its shot", "remove it and give the same command again"
            )
        yield with_picture(frame, picture)
        if frame.index == shot.last:
            if next(pictures, None) is not None:
                raise ProjectError(f"{edited[shot.number]} is longer than its shot", "remove it, and run film again")
            shot, pictures = None, None


def with_picture(frame: Frame, picture: Frame) -> Frame:
    """A frame with the samples of another one of its size; time and side data stay its own."""
    assert isinstance(frame, CodedFrame)
    assert isinstance(picture, CodedFrame)
    donor = picture.video
    if picture.layout != frame.layout:
        donor = convert(donor, picture.layout, frame.layout)
    made = clone(frame.video)
    for component in frame.layout.components:
        samples(made, frame.layout, component)[:] = samples(donor, frame.layout, component)
    return replace(frame, video=made)
