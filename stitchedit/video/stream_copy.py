"""Everything of a clip but its pictures: sound, subtitles, attachments, chapters and tags, handed over as they are."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.stream import Discard, Disposition, Stream

from stitchedit.errors import CannotEncode
from stitchedit.video.decoder import close_container, is_still, open_container
from stitchedit.video.file_reader import FileSource
from stitchedit.video.sound import AAC, Recoder, add_recoded, pcm_for
from stitchedit.video.subtitles import TARGETS, add_converted, converted, convertible

_OF_THE_OLD_FILE = {
    *("major_brand", "minor_version", "compatible_brands"),
    # what MXF says of the program that wrote it, and the numbers it gave
    *("operational_pattern_ul", "uid", "generation_uid", "material_package_umid", "product_uid"),
    *("company_name", "product_name", "product_version", "product_version_num", "toolkit_version_num"),
    "application_platform",
}
_OF_THE_OLD_STREAM = ("duration", "number_of_frames", "number_of_bytes", "bps", "_statistics_", "encoder", "rotate")
_MP4_TAGS = {  # what MP4 has a place of its own for; any other tag needs the free form
    *("title", "artist", "album_artist", "composer", "album", "date", "encoder", "comment", "genre", "copyright"),
    *("grouping", "lyrics", "description", "synopsis", "show", "episode_id", "network", "keywords", "creation_time"),
    *("make", "model", "location", "track", "disc", "compilation", "hd_video", "media_type", "gapless_playback"),
}


class Ticks:
    """Exact conversion of a packet's times into steps of the output, and their order.

    Args:
        step: seconds of a tick of the output.
        offset: seconds by which everything is moved.
    """

    def __init__(self, step: Fraction, offset: Fraction) -> None:
        self._step, self._offset = step, offset
        self._last: int | None = None
        self._next = 0

    def stamp(self, packet: Packet[Any], stream: Stream) -> None:
        """Restates the packet's times; decoding times are made to rise, as containers demand.

        A jump back by more than two packets is taken for a new recording joined on, as for the pictures.
        """
        base = packet.time_base
        dts = packet.dts if packet.dts is not None else packet.pts
        pts = packet.pts if packet.pts is not None else dts
        duration = round((packet.duration or 0) * base / self._step)
        if dts is not None and pts is not None:
            at = self._at(dts, base)
            if self._last is not None and at <= self._last:
                if self._last - at > 2 * max(duration, 1):
                    self._offset += (self._next - at) * self._step
                at = max(self._at(dts, base), self._last + 1)
            self._last, self._next = at, at + duration
            packet.dts, packet.pts = at, max(at, self._at(pts, base))
        packet.duration = duration
        assert stream.time_base is not None, "the header is written"
        packet.stream, packet.time_base = stream, stream.time_base

    def _at(self, time: int, base: Fraction) -> int:
        return round((time * base + self._offset) / self._step)


class Copier:
    """The other streams of a clip, on their way into an output container, in the order of the source.

    Args:
        video: index of the stream that is not copied, because it is edited.
        add_video: adds to the output the stream that takes its place.
        container: FFmpeg's name of the output format, which decides what can be copied.
        audio: one of `config.AUDIO`: whether sound is copied, coded as AAC, or left out.
    Raises: CannotEncode, when the container does not take the sound, neither as it is nor as PCM of the same samples.
        Of what else it does not take, text subtitles are converted and the rest is left out; `notes` name all this.
    """

    def __init__(
        self,
        source: FileSource,
        add_video: Callable[[Stream], None],
        output: OutputContainer,
        container: str,
        target: Path,
        audio: str = "copy",
    ) -> None:
        self.notes: list[str] = []
        self._damaged = 0
        self._input = open_container(source.info.path)
        self._output, self._container, self._target, self._audio = output, container, target, audio
        self._streams: dict[int, Stream] = {}
        self._converted: dict[int, tuple[str, str]] = {}  # codecs there and here, of subtitles that must be converted
        self._recoders: dict[int, Recoder] = {}
        self._ticks: dict[int, Ticks] = {}
        self._next: Packet[Any] | None = None
        self._packets = self._read()
        try:
            self._edited = self._input.streams[source.stream]
            for stream in self._input.streams:
                if stream.index == source.stream:
                    add_video(stream)
                elif stream.type == "audio":
                    self._add_sound(stream)
                else:
                    self._add(stream)
        except BaseException:
            self.close()
            raise

    @property
    def damaged(self) -> int:
        """How many packets container or decoder could make nothing of."""
        return self._damaged + sum(recoder.damaged for recoder in self._recoders.values())

    @property
    def input(self) -> InputContainer:
        return self._input

    @property
    def codecs(self) -> set[str]:
        """FFmpeg's names of the codecs of the copied streams."""
        streams = (self._input.streams[index] for index in self._streams)
        return {stream.codec_context.name for stream in streams if stream.codec_context is not None}

    @property
    def starts(self) -> list[Fraction]:
        """When each copied stream starts, in seconds, where it is known."""
        streams = [self._input.streams[index] for index in self._streams]
        return [s.start_time * s.time_base for s in streams if s.start_time is not None and s.time_base]

    def _add(self, stream: Stream) -> None:
        """A stream that is neither the edited one nor sound."""
        container, target = self._container, self._target
        if stream.type == "data" and self._is_made_anew(stream):
            return
        # FFmpeg's MOV muxer takes any data and writes most without a description; that for MP4 knows which it can.
        judge = "mp4" if container == "mov" and stream.type == "data" else container
        if stream.type == "video" and is_still(self._input, stream):
            self.notes.append("a still picture beside the animation is left out")
        elif takes(judge, stream):
            self._take(stream, _add_stream(self._output, stream), copied=True)
        elif convertible(stream):
            self._take(stream, add_converted(self._output, container), copied=False)
            codecs = stream.codec_context.name, TARGETS[container]
            self._converted[stream.index] = codecs
            self.notes.append(f"subtitles are converted from {' to '.join(codecs)}: the words stay, styles do not")
        else:
            what = "cover picture" if stream.disposition & Disposition.attached_pic else f"{stream.type} stream"
            handler = stream.metadata.get("handler_name", "") if stream.type == "data" else ""
            what += f" ({handler.strip()})" if handler.strip() else ""
            self.notes.append(
                f"{'an' if what[0] in 'aeiou' else 'a'} {what} is left out, {target.suffix} does not hold it"
            )

    def _is_made_anew(self, stream: Stream) -> bool:
        """Whether it is QuickTime's track of time codes or of chapter names, which the muxer makes from tags."""
        if stream.discard == Discard.all:
            return bool(self._input.chapters())
        return stream.metadata.get("timecode", "") == self._edited.metadata.get("timecode")

    def _add_sound(self, stream: Stream) -> None:
        name = stream.codec_context.name if stream.codec_context else "unknown"
        if self._audio == "none":
            self.notes.append(f"sound ({name}) is left out, as asked")
            return
        if takes(self._container, stream) and (self._audio == "copy" or name == AAC):
            self._take(stream, _add_stream(self._output, stream), copied=True)
            return
        codec = AAC if self._audio == "aac" and stream.codec_context else pcm_for(stream)
        if codec is None or not takes(self._container, stream, codec):
            why = f"the clip's sound ({codec or name}) cannot be written to {self._target.suffix}"  # others may
            raise CannotEncode(self._target, why, self._sound_hint(stream, codec))
        added = add_recoded(self._output, stream, codec)
        self._take(stream, added, copied=False)
        self._recoders[stream.index] = Recoder(stream, added)
        how = "encoded as AAC" if codec == AAC else f"rewritten as {codec}, sample for sample"
        self.notes.append(f"sound ({name}) is {how}")

    def _sound_hint(self, stream: Stream, codec: str | None) -> str:
        """Where such sound fits, or what else can be done."""
        suffixes = {"mp4": ".mp4", "mov": ".mov", "matroska": ".mkv"}
        fits = [s for c, s in suffixes.items() if c != self._container and takes(c, stream, codec)]
        named = f"name the output {' or '.join(fits)}, or " if fits else ""
        return f"{named}give --audio {'none' if codec == AAC else 'aac or none'}"

    def _take(self, stream: Stream, added: Stream, *, copied: bool) -> None:
        added.metadata.update(stream_tags(stream, copied=copied))
        added.disposition = stream.disposition
        self._streams[stream.index] = added

    def start(self, offset: Fraction, step: Fraction | None) -> None:
        """After the header is written. `step`: seconds of a tick where the container's own time base is not it."""
        for index, added in self._streams.items():
            assert added.time_base is not None, "the header is written"
            self._ticks[index] = Ticks(step or added.time_base, offset)

    def until(self, time: Fraction | None) -> None:
        """Hands over what comes before this time of the source in seconds, or all that is left."""
        while True:
            if self._next is None:
                self._next = next(self._packets, None)
            packet = self._next
            if packet is None or (time is not None and _time(packet) > time):
                break
            self._next = None
            for made in self._made(packet):
                self._put(packet.stream_index, made)
        if time is None:
            for index, recoder in self._recoders.items():
                for made in recoder.packets(None):
                    self._put(index, made)

    def _made(self, packet: Packet[Any]) -> Iterator[Packet[Any]]:
        """What is written for a packet of the source."""
        index = packet.stream_index
        if index in self._recoders:
            yield from self._recoders[index].packets(packet)
        elif index in self._converted:
            made = converted(packet, *self._converted[index])
            if made.size:  # MP4 has packets that only end the last words
                yield made
        else:
            yield packet

    def _put(self, index: int, packet: Packet[Any]) -> None:
        self._ticks[index].stamp(packet, self._streams[index])
        try:
            self._output.mux_one(packet)
        except av.InvalidDataError:  # some containers look into packets
            self._damaged += 1

    def _read(self) -> Iterator[Packet[Any]]:
        streams = [self._input.streams[index] for index, added in self._streams.items() if added.type != "attachment"]
        if not streams:
            return
        torn_possible = self._input.format.name != "mpegts"  # there, "corrupt" may mean a lost packet before it
        with suppress(av.FFmpegError):  # damage is told by the pass over the pictures
            for packet in self._input.demux(streams):
                if packet.size and not (packet.is_corrupt and torn_possible):
                    if torn_possible or _is_whole(packet):
                        yield packet
                    else:
                        self._damaged += 1

    def close(self) -> None:
        self._packets.close()  # type: ignore[attr-defined]  # a generator, typed by what it gives
        close_container(self._input)


def _is_whole(packet: Packet[Any]) -> bool:
    """Whether AAC out of a transport stream has a header; MP4 would find out too late, when it is closed.

    Source: the fixed header of ISO 13818-7, 6.2.
    """
    if packet.stream.codec_context is None or packet.stream.codec_context.name != "aac":
        return True
    head = bytes(memoryview(packet)[:6])
    length = int.from_bytes(head[3:6], "big") >> 5 & 0x1FFF
    return len(head) == 6 and head[0] == 0xFF and head[1] & 0xF6 == 0xF0 and head[2] >> 2 & 15 < 13 and length >= 7


def _time(packet: Packet[Any]) -> Fraction:
    at = packet.dts if packet.dts is not None else packet.pts
    return (at or 0) * packet.time_base


def takes(container: str, stream: Stream, codec: str | None = None) -> bool:
    """Whether a container holds a stream, found out by writing a header with it.

    Args:
        codec: of sound that is coded anew; None: its packets as they are.
    """
    if stream.disposition & Disposition.attached_pic and container != "mp4":
        return False  # dropped without a word, or made a track
    trial = av.open(io.BytesIO(), "w", format=container)
    try:
        if codec is None:
            _add_stream(trial, stream)
        else:
            add_recoded(trial, stream, codec)
        trial.start_encoding()
    except (ValueError, av.FFmpegError):
        return False
    finally:
        with suppress(av.FFmpegError):
            trial.close()
    return True


def _add_stream(output: OutputContainer, stream: Stream) -> Stream:
    return output.add_stream_from_template(stream, opaque=True)


def stream_tags(stream: Stream, *, copied: bool) -> dict[str, str]:
    """A stream's tags; without those that tell of the old packets, unless these are copied."""
    if copied:
        return dict(stream.metadata)
    return {k: v for k, v in stream.metadata.items() if not k.lower().startswith(_OF_THE_OLD_STREAM)}


def start_timecode(edited: Stream, in_pictures: str) -> dict[str, str]:
    """Start time code and reel as tags, where they are in a track of data or, the former, in pictures alone.

    QuickTime keeps the reel with its track of time codes; cameras write these into tracks of their own (Sony's `rtmd`).
    """
    container = edited.container
    tracks = [stream.metadata for stream in container.streams if stream.type == "data"]
    reel = next(({"reel_name": tags["reel_name"]} for tags in tracks if tags.get("reel_name")), {})
    if "reel_name" in edited.metadata:
        reel = {}
    if "timecode" in {key.lower() for key in (*edited.metadata, *container.metadata)}:
        return reel
    codes = [*(tags.get("timecode", "") for tags in tracks), in_pictures]
    told = next(({"timecode": code} for code in codes if re.fullmatch(r"\d\d:\d\d:\d\d[:;.]\d\d", code)), {})
    return reel | told


def set_tags(output: OutputContainer, source: InputContainer, added: Mapping[str, str], offset: Fraction) -> None:
    """Chapters and tags of the source, and new tags; one that is there already gets the new text after its own."""
    for key, value in source.metadata.items():
        if key.lower() not in _OF_THE_OLD_FILE:
            output.metadata[key] = value
    for key, value in added.items():
        old = next((k for k in output.metadata if k.lower() == key.lower()), None)
        if old is None:
            output.metadata[key] = value
        elif value not in output.metadata[old]:
            output.metadata[old] = f"{output.metadata[old]}; {value}"
    chapters = source.chapters()
    for chapter in chapters:
        base = chapter["time_base"] or Fraction(1, 1000)
        chapter["start"], chapter["end"] = (max(0, round(chapter[k] + offset / base)) for k in ("start", "end"))
    output.set_chapters(chapters)


def needs_free_tags(source: InputContainer, added: Mapping[str, str]) -> bool:
    """Whether MP4 must be told to write tags under any name (`movflags use_metadata_tags`)."""
    return any(key.lower() not in _MP4_TAGS | _OF_THE_OLD_FILE for key in (*source.metadata, *added))
