"""Sound that an output does not take as it is: decoded, and coded anew as PCM, sample for sample, or as AAC."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import av
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.codec.context import Flags
from av.container import OutputContainer
from av.packet import Packet
from av.stream import Stream

AAC = "aac"
_AAC_BITS = 96_000  # a second and channel: transparent for the encoder of FFmpeg
_AAC_SAMPLES = 1024  # a packet
_AAC_LAYOUTS = {1: "mono", 2: "stereo", 3: "3.0", 4: "4.0", 5: "5.0", 6: "5.1", 8: "7.1"}  # by channels
# Decoders give 24 bits in the upper part of 32, and do not say so; these have no more than 24.
_AT_MOST_24 = {"pcm_bluray", "pcm_dvd", "s302m", "truehd", "mlp", "tta", "pcm_s24be", "pcm_s24le"}
_PCM = {"u8": "pcm_u8", "s16": "pcm_s16le", "s32": "pcm_s32le", "flt": "pcm_f32le", "dbl": "pcm_f64le"}


def pcm_for(stream: Stream) -> str | None:
    """The PCM that holds every sample of a stream as it is decoded; None, for sound that was coded with losses."""
    context = stream.codec_context
    if not isinstance(context, AudioCodecContext) or context.format is None:
        return None
    codec, name = context.codec, context.name
    if not name.startswith("pcm_") and not (codec.lossless and not codec.lossy):
        return None
    if name in _AT_MOST_24 and context.format.name.startswith("s32"):
        return "pcm_s24le"
    return _PCM.get(context.format.name.removesuffix("p"))


def add_recoded(output: OutputContainer, stream: Stream, codec: str) -> Stream:
    """A stream for the sound of another one, in `codec`. The header must not be written yet.

    Raises: ValueError, FFmpegError, when there is no such form of it.
    """
    source = stream.codec_context
    assert isinstance(source, AudioCodecContext), "only sound is coded anew"
    count = source.layout.nb_channels
    layout = source.layout.name if codec != AAC else _AAC_LAYOUTS.get(count, source.layout.name)
    added = output.add_stream(codec, rate=source.sample_rate, layout=layout)
    assert isinstance(added, AudioStream)
    added.codec_context.flags |= Flags.bitexact
    if codec == AAC:
        added.bit_rate = _AAC_BITS * count
    return added


class Recoder:
    """A stream of sound on its way from one codec to another.

    Args:
        stream: that of the source.
        added: what `add_recoded` gave for it.
    """

    def __init__(self, stream: Stream, added: Stream) -> None:
        decoder, encoder = stream.codec_context, added.codec_context
        assert isinstance(decoder, AudioCodecContext), "only sound is coded anew"
        assert isinstance(encoder, AudioCodecContext), "only sound is coded anew"
        self.damaged = 0  # packets of which the decoder could make nothing
        self._decoder, self._encoder = decoder, encoder
        size = _AAC_SAMPLES if encoder.name == AAC else None
        self._resampler = AudioResampler(encoder.format, encoder.layout, encoder.sample_rate, size)

    def packets(self, packet: Packet[Any] | None) -> Iterator[Packet[Any]]:
        """What comes out for a packet of the source, or at its end (None). Raises FFmpegError."""
        for frame in self._decoded(packet):
            for piece in self._resampler.resample(frame):
                yield from self._encoder.encode(piece)
        if packet is None:
            for piece in self._resampler.resample(None):
                yield from self._encoder.encode(piece)
            yield from self._encoder.encode(None)

    def _decoded(self, packet: Packet[Any] | None) -> list[AudioFrame]:
        try:
            return list(self._decoder.decode(packet))
        except av.InvalidDataError:
            self.damaged += 1
            return []
