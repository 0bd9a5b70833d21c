"""Whether an edited clip has the times and the sound of its source."""

from __future__ import annotations

import hashlib
from contextlib import closing
from typing import Any

from stitchedit.video import VideoSource
from stitchedit.video.decoder import Decoder


def compare_streams(source: VideoSource, edit: VideoSource) -> dict[str, Any]:
    """The largest gap between times of shown frames in seconds; the packets of the sound, and whether all are equal."""
    gap = max((abs(float(a.time - b.time)) for a, b in zip(source, edit, strict=False)), default=0.0)
    (packets, own), (copied, other) = _sound(source), _sound(edit)
    return {"largest_time_gap_s": gap, "sound_packets": [packets, copied], "sound_equal": own == other}


def _sound(clip: VideoSource) -> tuple[int, str]:
    """Number and hash of all packets of sound."""
    found, packets = hashlib.sha256(), 0
    if not clip.info.audio_streams:  # pictures have no container to look into
        return 0, found.hexdigest()
    with closing(Decoder(clip.info.path)) as decoder:
        container = decoder.container
        if container.streams.audio:
            for packet in container.demux(*container.streams.audio):
                if packet.size:
                    found.update(bytes(packet))
                    packets += 1
    return packets, found.hexdigest()
