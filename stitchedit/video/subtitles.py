"""Text subtitles from one codec's packets to another's, where a container does not take them as they are.

Only the words go over; fonts, colours and places do not. Subtitles that are pictures (Blu-ray, DVD) stay out.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Any

import av
from av.container import OutputContainer
from av.packet import Packet
from av.stream import Stream

TARGETS = {"mp4": "mov_text", "mov": "mov_text", "matroska": "subrip", "webm": "webvtt"}  # by FFmpeg's container
_TEXTS = {"subrip", "srt", "text", "webvtt", "ass", "ssa", "mov_text"}
_ASS_FIELDS = 8  # before the words, in a packet of Matroska
_MOST_BYTES = 65_535  # what MP4 counts in two bytes
_STYLE = (  # encoders of subtitles want one, and make of it what the container keeps of styles
    b"[Script Info]\r\nScriptType: v4.00+\r\nPlayResX: 384\r\nPlayResY: 288\r\n\r\n[V4+ Styles]\r\n"
    b"Format: Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, BackColour, Bold, Italic, "
    b"Underline, StrikeOut, ScaleX, ScaleY, Spacing, Angle, BorderStyle, Outline, Shadow, Alignment, MarginL, MarginR, "
    b"MarginV, Encoding\r\nStyle: Default,Arial,16,&Hffffff,&Hffffff,&H0,&H0,0,0,0,0,100,100,0,0,1,1,0,2,10,10,10,1\r\n"
    b"\r\n[Events]\r\nFormat: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\r\n"
)


def convertible(stream: Stream) -> bool:
    """Whether a stream is subtitles made of text."""
    return stream.type == "subtitle" and stream.codec_context is not None and stream.codec_context.name in _TEXTS


def add_converted(output: OutputContainer, container: str) -> Stream:
    """A stream for the words of another one. The header must not be written yet."""
    added: Any = output.add_stream(TARGETS[container])
    added.codec_context.subtitle_header = _STYLE
    added.codec_context.time_base = Fraction(1, 1000)
    made: Stream = added
    return made


def converted(packet: Packet[Any], codec: str, target: str) -> Packet[Any]:
    """The packet's words at its time.

    Args:
        codec, target: FFmpeg's names of the codecs.
    """
    made: Packet[Any] = av.Packet(packed(words(bytes(packet), codec), target))
    made.pts, made.dts, made.duration, made.time_base = packet.pts, packet.dts, packet.duration or 0, packet.time_base
    return made


def words(data: bytes, codec: str) -> str:
    """The plain text of a packet, lines ended by a newline character."""
    if codec == "mov_text":  # ISO 14496-17: the length of the text, the text, boxes of style
        data = data[2 : 2 + int.from_bytes(data[:2], "big")]
    text = data.decode("utf-8", "replace").replace("\r\n", "\n").replace("\0", "")
    if codec in ("ass", "ssa"):
        text = text.split(",", _ASS_FIELDS)[-1]
        text = re.sub(r"\{[^}]*\}", "", text).replace("\\N", "\n").replace("\\n", "\n").replace("\\h", " ")
    elif codec != "mov_text":
        text = re.sub(r"</?[a-zA-Z][^<>]*>|\{\\[^}]*\}", "", text)
    return text.strip("\n")


def packed(text: str, codec: str) -> bytes:
    """Plain text as a packet."""
    data = text.encode()
    if codec != "mov_text":
        return data
    data = data[:_MOST_BYTES].decode("utf-8", "ignore").encode()  # no half letter at the end
    return len(data).to_bytes(2, "big") + data
