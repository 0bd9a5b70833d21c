"""Writing video: what `stitchedit.video` gives for output. Import it from there."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

import av
from av.container import Flags, OutputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream

from stitchedit.errors import CannotEncode, NotWritable
from stitchedit.files.atomic import PartFile, disk_error
from stitchedit.video.base import Frame, VideoInfo
from stitchedit.video.container_patches import ROOM, describe_video, matroska_step_ns, set_matroska_step
from stitchedit.video.encoder_choice import add_video, choose_encoding, container_of
from stitchedit.video.file_reader import CodedFrame, FileSource
from stitchedit.video.pixel_formats import convert
from stitchedit.video.stream_copy import Copier, Ticks, needs_free_tags, set_tags, start_timecode, stream_tags

_CLOCK_FORMATS = ("mpegts", "mpeg")  # their time zero is anywhere
_LATE_START_S = 10  # a clip of theirs that starts later than this is moved to zero
_MAX_TIMESCALE = 2**31 - 1


class VideoWriter:
    """Writes edited frames with everything else of their source.

    The file appears under its name when the `with` block ends well; when it ends with an exception, nothing is left.
    Size, frames, time stamps, colour tags, pixel shape, display orientation, HDR10 figures and closed captions are
    those of the source; sound, subtitles, attachments, chapters and tags are copied. `notes` names every exception.

    H.264 at crf 12 (differences of about one code value), or with `lossless` FFV1 with the source's exact samples.
    The same frames give the same bytes, on any machine with the same library.

    Args:
        path: .mp4, .m4v, .mov, .mkv, or .webm (VP9); lossless .mkv; ProRes and DNxHR .mov.
        codec: one of `config.CODECS`, where it is not lossless.
        source: where the frames come from; it may not be `path`.
        audio: "copy" (what the container does not take becomes PCM where no sample is lost), "aac" or "none".
        metadata: tags to add, such as {"comment": "edited with ..."}. Readers find them by these names.
        seal: called with the finished file and an empty one, into which it writes the same with a signature; the
            second one is what appears.
    Raises, on entering: CannotEncode, NotWritable, DiskFull. On writing and leaving: CannotEncode, DiskFull.
    """

    def __init__(
        self,
        path: Path | str,
        source: FileSource,
        *,
        lossless: bool = False,
        codec: str = "h264",
        audio: str = "copy",
        metadata: Mapping[str, str] | None = None,
        seal: Callable[[BinaryIO, BinaryIO], None] | None = None,
    ) -> None:
        self.path, self.source, self.lossless, self.codec = Path(path), source, lossless, codec
        self.frames = 0
        self.notes: tuple[str, ...] = ()
        self._audio, self._metadata, self._seal = audio, dict(metadata or {}), seal
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        info, path = self.source.info, self.path
        container = container_of(path, self.lossless, self.codec)
        self._encoding = choose_encoding(path, info, self.lossless, self.codec)
        self._describes = container in ("matroska", "webm") and (info.sample_aspect_ratio != 1 or any(info.hdr))
        if path.exists() and path.samefile(info.path):
            raise NotWritable(path, "it is the clip that is being read")
        with ExitStack() as stack:
            self._part = PartFile(path)
            stack.callback(lambda: self._part.discard())
            output = av.open(self._part.file, "w", format=container, metadata_errors="surrogateescape")
            bitexact: Any = Flags.bitexact.value  # an int, whatever the stub says
            output.flags |= bitexact  # no dates, no random numbers
            stack.callback(self._abandon, output)

            def add_stream(old: Stream) -> None:
                self._stream = add_video(output, info, self._encoding)
                self._stream.metadata.update(stream_tags(old, copied=False) | start_timecode(old, info.timecode))
                self._stream.disposition = old.disposition
                if self._describes:
                    self._stream.metadata["title"] = self._stream.metadata.get("title", "") + ROOM

            with self._told():
                self._copier = Copier(self.source, add_stream, output, container, path, self._audio)
            stack.callback(self._copier.close)
            offset, moved = _offset(info, self._copier)
            step = _matroska_step(info, self._copier) if container in ("matroska", "webm") else None
            with self._told():
                output.container_options.update(self._container_options(step))
                set_tags(output, self._copier.input, self._metadata, offset)
                output.start_encoding()
            self._copier.start(offset, step)
            self._stack = stack.pop_all()
        assert self._stream.time_base is not None, "the header is written"
        self._output, self._step, self._offset = output, step, offset
        self._ticks = Ticks(step or self._stream.time_base, offset)
        self._durations: dict[int, int] = {}
        self._packets = 0
        self.notes = (*self._encoding.notes, *moved, *self._copier.notes)
        return self

    def write(self, frame: Frame) -> None:
        """Encodes the next frame, one of the source's, at its own time. Raises: CannotEncode, DiskFull."""
        assert isinstance(frame, CodedFrame), "a file's frames are coded ones"
        encoding, video = self._encoding, frame.video
        if encoding.narrow or encoding.target.name != encoding.source.name:
            video = convert(video, encoding.source, encoding.target, narrow=encoding.narrow)
        video.pts, video.time_base, video.pict_type = frame.pts, frame.time_base, 0  # 0: the encoder's choice
        self._durations[frame.pts] = frame.duration
        with self._told():
            self._mux(self._stream.encode(video))
        self.frames += 1

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._stack:
            if kind is None:
                self._finish()

    def _container_options(self, step: Fraction | None) -> dict[str, str]:
        info, copier = self.source.info, self._copier
        if step is not None:
            return exact_options(step)
        timescale = info.time_base.denominator
        if any(start > 0 for start in (info.start * info.time_base, *copier.starts)):
            # A late start is stored in ticks of the whole file: these must be as fine as those of every stream.
            common = math.lcm(timescale, *(start.denominator for start in copier.starts))
            timescale_of_file = common if common <= _MAX_TIMESCALE else timescale
        else:
            timescale_of_file = timescale
        options = {"video_track_timescale": str(timescale), "movie_timescale": str(timescale_of_file)}
        if needs_free_tags(copier.input, self._metadata):
            options["movflags"] = "use_metadata_tags"
        return options

    def _mux(self, packets: list[Packet[VideoStream]]) -> None:
        for packet in packets:
            assert packet.pts is not None, "an encoder gives times"
            packet.duration = self._durations.pop(packet.pts, 0)
            self._copier.until((packet.dts if packet.dts is not None else packet.pts) * packet.time_base)
            self._ticks.stamp(packet, self._stream)
            self._output.mux_one(packet)
            self._packets += 1

    def _finish(self) -> None:
        if not self.frames:
            raise CannotEncode(self.path, "no frame was written", "")
        with self._told():
            self._mux(self._stream.encode(None))
            self._copier.until(None)
            self._output.close()
            if self._describes:
                info = self.source.info
                describe_video(
                    self._part.file, (info.stored_width, info.stored_height), info.sample_aspect_ratio, info.hdr
                )
            if self._step is not None:
                set_matroska_step(self._part.file, int(self._step * 1_000_000_000))
        if self._copier.damaged:
            self.notes = (*self.notes, f"{self._copier.damaged} damaged packets of sound or subtitles are left out")
        if self._packets != self.frames:
            raise CannotEncode(self.path, f"the encoder gave {self._packets} pictures for {self.frames}", "")
        if self._seal is not None:
            self._sealed(self._seal)
        self._part.commit()

    def _sealed(self, seal: Callable[[BinaryIO, BinaryIO], None]) -> None:
        done, self._part = self._part, PartFile(self.path)
        try:
            with self._told():
                seal(done.file, self._part.file)
        finally:
            done.discard()

    def _abandon(self, output: OutputContainer) -> None:
        """Closes the file first, so that the container writes nothing more into it."""
        self._part.discard()
        with suppress(av.FFmpegError, OSError, ValueError):
            output.close()

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except av.FFmpegError as exc:
            said: Any = exc.log  # level, part of FFmpeg, its last words, which say more than the error's name
            raise CannotEncode(self.path, said[2].strip() if said else exc.strerror or str(exc)) from exc
        except OSError as exc:  # from the file under the container
            raise disk_error(self.path, exc) from exc


def exact_options(step: Fraction) -> dict[str, str]:
    """Options of a Matroska file whose time step, in seconds, is restated at the end."""
    return {
        "avoid_negative_ts": "disabled",  # else sound that starts before zero would move the pictures
        "write_crc32": "0",  # the time step is restated at the end
        "cluster_time_limit": str(min(30_000, int(5 / step))),  # in steps; a cluster counts them in 16 bits
        "max_interleave_delta": str(int(10_000 / step)),  # 10 s, as the muxer sees it
    }


def _matroska_step(info: VideoInfo, copier: Copier) -> Fraction:
    """Seconds of a tick. FFmpeg gets the delay of Opus wrong in steps other than 1 ms."""
    step = Fraction(matroska_step_ns(info.time_base), 1_000_000_000)
    return max(step, Fraction(1, 1000)) if copier.codecs & {"opus", "libopus"} else step


def _offset(info: VideoInfo, copier: Copier) -> tuple[Fraction, tuple[str, ...]]:
    """Seconds by which everything is moved, a whole number of the pictures' ticks, with a note; 0 as a rule."""
    start = info.start * info.time_base
    earliest = min([start, *copier.starts])
    if info.format in _CLOCK_FORMATS and earliest > _LATE_START_S:
        move = -earliest
    elif start < 0:
        move = -start
    else:
        return Fraction(0), ()
    offset = math.ceil(move / info.time_base) * info.time_base
    return offset, (f"everything is moved by {float(offset):+.3f} s, so that the clip starts at zero",)
