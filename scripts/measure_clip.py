#!/usr/bin/env python3
"""Figures of an edited clip against its source, and against the true edit where there is one.

    scripts/measure_clip.py SOURCE OUTPUT [--truth CLIP] [--ceiling] [--every N] [--json]

The face is followed in the source; the output is read at the same places. `--ceiling` also measures the source against
its own H.264 crf 18 re-encoding: what no edit can beat. Definitions: `stitchedit.metrics`. Needs the measuring networks
(`stitchedit weights fetch measuring`). About half a second a frame on one core.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import imageio_ffmpeg
import numpy as np
import torch

from stitchedit import metrics
from stitchedit.align import crop, quads
from stitchedit.attributes import Predictors, appearance, geometry
from stitchedit.config import AlignConfig, TrackConfig
from stitchedit.data import FloatArray, Tracks
from stitchedit.faces import Box, detect, embed, face_box, landmarks
from stitchedit.losses import MobileNetPerceptual
from stitchedit.progress import silent
from stitchedit.segment import crop_mesh, face_mask
from stitchedit.track import track
from stitchedit.video import open_video

CURVES = ("mouth_open", "mouth_width", "eyes_open", "gaze", "brow_height", "smile")
CROP_PX = 256


@dataclass
class Faces:
    """What was read off the faces of a clip, a row a frame in which one was found."""

    values: dict[str, list[float]] = field(default_factory=dict)
    embeddings: list[FloatArray] = field(default_factory=list)
    points: list[FloatArray] = field(default_factory=list)
    crops: list[np.ndarray] = field(default_factory=list)
    missing: list[int] = field(default_factory=list)  # frames in which the detector saw no face

    def mean(self, name: str) -> float:
        return float(np.nanmean(self.values[name]))


def read(path: Path, tracks: Tracks, places: FloatArray, predictors: Predictors, every: int) -> Faces:
    """All readings of the clip's face, at the places where the source has it."""
    quad_of = dict(zip(tracks.frames.tolist(), places, strict=True))
    found = Faces()
    for frame in open_video(path):
        if frame.index not in quad_of or frame.index % every:
            continue
        rgb = frame.rgb()
        box = face_box(tracks.landmarks[frame.index])
        near = Box(
            box.left - box.width / 2, box.top - box.width / 2, box.right + box.width / 2, box.bottom + box.width / 2
        )
        if not detect(rgb, scale=max(0.25, 120 / box.width), threshold=-0.5, region=near):
            found.missing.append(frame.index)
        points = landmarks(rgb, box)
        seen = predictors(rgb, points) | geometry(points) | appearance(rgb, points)
        for name, value in seen.items():
            found.values.setdefault(name, []).append(value)
        found.embeddings.append(embed(rgb, points))
        found.points.append(points)
        found.crops.append(crop(rgb, quad_of[frame.index], CROP_PX))
    return found


def stream_facts(path: Path) -> dict[str, Any]:
    """Size, time stamps and the packets of the sound, by hash."""
    source = open_video(path)
    times, size = [], (0, 0)
    for frame in source:
        times.append(frame.time)
        size = frame.size
    sound = hashlib.sha256()
    packets = 0
    with av.open(str(path)) as container:
        streams = container.streams.audio
        if streams:
            for packet in container.demux(*streams):
                if packet.size:
                    sound.update(bytes(packet))
                    packets += 1
    return {"frames": len(times), "size": size, "times": times, "sound": sound.hexdigest(), "packets": packets}


def compare_streams(source: Path, output: Path) -> dict[str, Any]:
    """Whether frame count, time stamps, size and sound are the source's."""
    a, b = stream_facts(source), stream_facts(output)
    gap = max((abs(x - y) for x, y in zip(a["times"], b["times"], strict=False)), default=0)
    return {
        "frames": [a["frames"], b["frames"]],
        "size": [a["size"], b["size"]],
        "largest_time_gap_s": float(gap),
        "audio_packets": [a["packets"], b["packets"]],
        "audio_equal": a["sound"] == b["sound"],
    }


def compare_faces(source: Faces, output: Faces, rate: float) -> dict[str, Any]:
    """Identity, attributes, expression and steadiness of the output against the source."""
    distance = metrics.identity_distance(np.stack(output.embeddings), np.stack(source.embeddings))
    mean, each = metrics.expression_correlation(
        {name: np.array(output.values[name]) for name in CURVES},
        {name: np.array(source.values[name]) for name in CURVES},
    )
    a, b = np.stack(source.embeddings), np.stack(output.embeddings)
    return {
        "faces_missing": output.missing,
        "identity_distance": {"mean": float(distance.mean()), "worst": float(distance.max())},
        "tl_id": metrics.tl_id(b, a),
        "tg_id": metrics.tg_id(b, a),
        "change": {name: output.mean(name) - source.mean(name) for name in source.values},
        "age_spread": float(np.std(np.array(output.values["age"]) - np.array(source.values["age"]))),
        "smile": [source.mean("smile"), output.mean("smile")],
        "expression_correlation": {"mean": mean} | each,
        "jitter": metrics.jitter_ratio(np.stack(output.points), np.stack(source.points), rate),
    }


def compare_truth(source: Faces, output: Faces, truth: Faces, masks: list[FloatArray]) -> dict[str, Any]:
    """How near the output is to the true edit, beside doing nothing."""
    network = MobileNetPerceptual().eval()

    def distance(a: Faces, b: Faces) -> FloatArray:
        found = []
        with torch.inference_mode():
            for x, y, mask in zip(a.crops, b.crops, masks, strict=True):
                first, second = (
                    torch.from_numpy(v.astype(np.float32) / 127.5 - 1).permute(2, 0, 1)[None] for v in (x, y)
                )
                weight = torch.from_numpy(mask)[None, None]
                found.append(float(network.distance(network.features(first), network.features(second), weight)))
        return np.array(found, np.float32)

    nothing, edited = distance(source, truth), distance(output, truth)
    psnr = [
        [metrics.masked_psnr(x, t, m) for x, t, m in zip(clip.crops, truth.crops, masks, strict=True)]
        for clip in (output, source)
    ]
    return {
        "perceptual_to_truth": float(edited.mean()),
        "perceptual_of_doing_nothing": float(nothing.mean()),
        "nearer_to_truth": metrics.nearer_to_truth(edited, nothing),
        "psnr_to_truth": float(np.mean(psnr[0])),
        "psnr_of_doing_nothing": float(np.mean(psnr[1])),
        "attribute_error": {n: output.mean(n) - truth.mean(n) for n in ("age", "smile", "gender", "mouth_width")},
        "attribute_error_of_doing_nothing": {
            n: source.mean(n) - truth.mean(n) for n in ("age", "smile", "gender", "mouth_width")
        },
    }


def reencoded(source: Path, folder: Path) -> Path:
    """The source through H.264 crf 18."""
    target = folder / "crf18.mp4"
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", str(source), "-an", "-fps_mode", "passthrough"]
    subprocess.run([*command, "-c:v", "libx264", "-crf", "18", "-pix_fmt", "yuv420p", str(target)], check=True)
    return target


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--truth", type=Path, help="the clip as it would be had only the attribute changed")
    parser.add_argument("--ceiling", action="store_true", help="also measure the source's own re-encoding")
    parser.add_argument("--every", type=int, default=1, help="read the face in every N-th frame only")
    parser.add_argument("--models", type=Path, help="folder with the measuring networks (default: the fetched ones)")
    parser.add_argument("--json", action="store_true", help="one line for machines")
    options = parser.parse_args()
    torch.set_num_threads(1)
    predictors = Predictors((lambda name: options.models / name) if options.models else None)

    video = open_video(options.source)
    info = video.info
    frames = ((frame.index, frame.rgb()) for frame in video)
    size, rate = (info.width, info.height), info.rate
    tracks = track(frames, TrackConfig(), frame_size=size, rate=rate, progress=silent)
    places = quads(tracks.landmarks[tracks.frames], AlignConfig(), tracks.runs)
    source = read(options.source, tracks, places, predictors, options.every)
    output = read(options.output, tracks, places, predictors, options.every)
    report: dict[str, Any] = {"streams": compare_streams(options.source, options.output), "read": len(source.crops)}
    report |= compare_faces(source, output, float(rate) / options.every)
    if options.ceiling:
        with tempfile.TemporaryDirectory() as folder:
            again = read(reencoded(options.source, Path(folder)), tracks, places, predictors, options.every)
        report["ceiling"] = compare_faces(source, again, float(rate) / options.every)["expression_correlation"]
    if options.truth:
        truth = read(options.truth, tracks, places, predictors, options.every)
        masks = [face_mask(crop_mesh(picture)[0], CROP_PX) for picture in source.crops]
        report["truth"] = compare_truth(source, output, truth, masks)
    if options.json:
        print(json.dumps(report))
    else:
        show(report)


def show(report: dict[str, Any], indent: str = "") -> None:
    """The report as indented lines."""
    for key, value in report.items():
        if isinstance(value, dict):
            print(f"{indent}{key}:")
            show(value, indent + "  ")
        else:
            print(f"{indent}{key}: {round(value, 4) if isinstance(value, float) else value}")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
