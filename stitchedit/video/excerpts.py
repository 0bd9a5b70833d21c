"""Parts of a clip as clips of their own, with the very samples of their frames: FFV1, or the same numbered pictures."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.container import Flags

from stitchedit.errors import CannotEncode, CannotOpen, WouldReplace
from stitchedit.files.atomic import PartFile, begin_folder, commit_folder, disk_error
from stitchedit.progress import Progress
from stitchedit.video.base import VideoInfo, VideoSource
from stitchedit.video.container_patches import ROOM, describe_video, matroska_step_ns, set_matroska_step
from stitchedit.video.decoder import close_container, open_container
from stitchedit.video.encoder_choice import add_video, choose_encoding
from stitchedit.video.file_reader import CodedFrame
from stitchedit.video.file_writer import exact_options
from stitchedit.video.pixel_formats import convert
from stitchedit.video.sequence_reader import SequenceSource
from stitchedit.video.stream_copy import Ticks

SUFFIX = ".mkv"


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A part of a clip that is to be one."""

    frames: range  # of the clip; those beyond its end are left out
    least: range  # those that must be there
    path: Path  # an .mkv, or a folder for pictures
    timecode: str = ""  # of its first frame, HH:MM:SS:FF; empty: none


def write_excerpts(source: VideoSource, excerpts: Sequence[Excerpt], progress: Progress) -> None:
    """Write parts of a clip, in one reading of it; sound is left out. Those that are there already are kept.

    Raises: CannotEncode, naming the excerpt whose frames the clip has not; WouldReplace, where something else lies;
        CannotDecode; NotWritable, DiskFull.
    """
    missing = [excerpt for excerpt in excerpts if not _is_there(source, excerpt)]
    if isinstance(source, SequenceSource):
        for excerpt in missing:
            _require_frames(source.count(), excerpt)
            _link(source, excerpt)
        return
    waiting = sorted(missing, key=lambda excerpt: excerpt.frames.start)
    last = max((excerpt.frames.stop for excerpt in waiting), default=0)
    with ExitStack() as stack:
        open_now: list[_Writer] = []
        for frame in source if waiting else ():
            while waiting and waiting[0].frames.start == frame.index:
                open_now.append(stack.enter_context(_Writer(waiting.pop(0), source.info)))
            for writer in open_now:
                assert isinstance(frame, CodedFrame), "a file's frames are coded ones"
                writer.write(frame)
            progress("cut out", min(frame.index + 1, last), last)
            for writer in [w for w in open_now if w.excerpt.frames.stop == frame.index + 1]:
                writer.finish()
                open_now.remove(writer)
            if frame.index + 1 >= last:
                break
        for excerpt in [*waiting, *(writer.excerpt for writer in open_now)]:
            _require_frames(source.count(), excerpt)
        for writer in open_now:
            writer.finish()


def _require_frames(count: int, excerpt: Excerpt) -> None:
    if excerpt.least.stop > count:
        why = f"frames {excerpt.least.start} to {excerpt.least.stop - 1} are wanted, and the clip ends at {count - 1}"
        raise CannotEncode(excerpt.path, why, "give the clip that the cuts were made on")


def _mark(info: VideoInfo, frames: range) -> str:
    """By which an excerpt is known again."""
    return (
        f"stitchedit excerpt: frames {frames.start} to {frames.stop - 1} of {info.path.name}, {info.size_bytes} bytes"
    )


def _is_there(source: VideoSource, excerpt: Excerpt) -> bool:
    """Whether this very excerpt was written already. Raises WouldReplace, where another thing lies there."""
    path = excerpt.path
    if not os.path.lexists(path):
        return False
    if isinstance(source, SequenceSource):
        wanted = {file.name for file in source.numbered.files[excerpt.frames.start : excerpt.frames.stop]}
        there = path.is_dir() and {file.name for file in path.iterdir()} == wanted
    else:
        there = _comment_of(path) == _mark(source.info, excerpt.frames)
    if not there:
        raise WouldReplace(path, "it is not this excerpt", "name another folder with -o, or remove it")
    return True


def _comment_of(path: Path) -> str:
    """Of a file's tags; empty, where it is no video."""
    try:
        container = open_container(path)
    except CannotOpen:
        return ""
    tags = {key.lower(): value for key, value in container.metadata.items()}
    close_container(container)
    return tags.get("comment", "")


def _link(source: SequenceSource, excerpt: Excerpt) -> None:
    """A folder of the pictures, by hard links where the disk allows."""
    part = begin_folder(excerpt.path)
    try:
        for file in source.numbered.files[excerpt.frames.start : excerpt.frames.stop]:
            try:
                os.link(file.resolve(), part / file.name)
            except OSError:
                shutil.copyfile(file, part / file.name)
        commit_folder(part, excerpt.path)
    except OSError as exc:
        raise disk_error(excerpt.path, exc) from exc
    finally:
        shutil.rmtree(part, ignore_errors=True)


class _Writer:
    """An excerpt while it is written; nothing is left of it, unless `finish` is called."""

    def __init__(self, excerpt: Excerpt, info: VideoInfo) -> None:
        self.excerpt, self._info = excerpt, info
        self._encoding = choose_encoding(excerpt.path, info, True)
        self._part = PartFile(excerpt.path)
        self._first: int | None = None
        self._durations: dict[int, int] = {}

    def __enter__(self) -> _Writer:
        info, output = self._info, av.open(self._part.file, "w", format="matroska")
        bitexact: Any = Flags.bitexact.value  # an int, whatever the stub says
        output.flags |= bitexact
        self._output, self._stream = output, add_video(output, info, self._encoding)
        if self.excerpt.timecode:
            self._stream.metadata["timecode"] = self.excerpt.timecode
        self._describes = info.sample_aspect_ratio != 1 or any(info.hdr)
        if self._describes:
            self._stream.metadata["title"] = ROOM
        output.metadata["comment"] = _mark(info, self.excerpt.frames)
        self._step = Fraction(matroska_step_ns(info.time_base), 1_000_000_000)
        output.container_options.update(exact_options(self._step))
        self._ticks = Ticks(self._step, Fraction(0))
        return self

    def write(self, frame: CodedFrame) -> None:
        """Raises CannotEncode, DiskFull."""
        video = frame.video
        if self._encoding.target.name != self._encoding.source.name:
            video = convert(video, self._encoding.source, self._encoding.target)
        self._first = frame.pts if self._first is None else self._first
        before = video.pts
        video.pts, video.time_base, video.pict_type = frame.pts - self._first, frame.time_base, 0
        self._durations[video.pts] = frame.duration
        self._mux(video)
        video.pts = before

    def finish(self) -> None:
        """The file appears under its name."""
        self._mux(None)
        try:
            self._output.close()
        except (av.FFmpegError, OSError) as exc:
            raise self._error(exc) from exc
        info, file = self._info, self._part.file
        if self._describes:
            describe_video(file, (info.stored_width, info.stored_height), info.sample_aspect_ratio, info.hdr)
        set_matroska_step(file, int(self._step * 1_000_000_000))
        self._part.commit()

    def __exit__(self, *_: object) -> None:
        self._part.discard()  # harmless after `finish`
        with suppress(av.FFmpegError, OSError, ValueError):
            self._output.close()

    def _mux(self, video: av.VideoFrame | None) -> None:
        try:
            for packet in self._stream.encode(video):
                assert packet.pts is not None, "an encoder gives times"
                packet.duration = self._durations.pop(packet.pts, 0)
                self._ticks.stamp(packet, self._stream)
                self._output.mux_one(packet)
        except (av.FFmpegError, OSError) as exc:
            raise self._error(exc) from exc

    def _error(self, exc: Exception) -> Exception:
        if isinstance(exc, av.FFmpegError):
            return CannotEncode(self.excerpt.path, exc.strerror or str(exc))
        assert isinstance(exc, OSError)
        return disk_error(self.excerpt.path, exc)
