#!/usr/bin/env python3
"""Adds a soft tone to a silent clip: `make_demo_clip.py SOURCE OUT.mp4`. The pictures' packets are copied untouched."""

from __future__ import annotations

import sys
from fractions import Fraction

import av
import numpy as np

RATE = 48_000  # samples a second


def tone(seconds: float) -> np.ndarray:
    """A fifth, A3 and E4, at a twentieth of full scale, swelling once a second; float32 [1, samples]."""
    time = np.arange(round(seconds * RATE)) / RATE
    chord = np.sin(2 * np.pi * 220.0 * time) + 0.6 * np.sin(2 * np.pi * 330.0 * time)
    return (0.05 * np.sin(np.pi * time) ** 2 * chord).astype(np.float32)[None]


def main(source: str, out: str) -> None:
    with av.open(source) as clip, av.open(out, "w", options={"fflags": "+bitexact"}) as made:
        pictures = clip.streams.video[0]
        video = made.add_stream_from_template(pictures, opaque=True)
        sound = made.add_stream("aac", rate=RATE, layout="mono", bit_rate=64_000)
        for packet in clip.demux(pictures):
            if packet.size:
                packet.stream = video
                made.mux(packet)
        frame = av.AudioFrame.from_ndarray(tone(clip.duration / av.time_base), "fltp", "mono")
        frame.sample_rate, frame.pts, frame.time_base = RATE, 0, Fraction(1, RATE)
        made.mux([*sound.encode(frame), *sound.encode(None)])


if __name__ == "__main__":
    main(*sys.argv[1:])
