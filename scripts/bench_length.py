#!/usr/bin/env python3
"""What inverting takes by the length of a clip: steps of tuning, time and memory, as one table.

    nice scripts/bench_length.py CLIP.mp4 --work FOLDER [--frames 24 100 400 1600] [--preset balanced] [--threads 2]
        [--table FILE.md]

The clip is played forth and back until it has so many frames, without a jump, and each of them is inverted by a process
of its own. A benchmark that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

from benchmark_speed import ROOT, spent
from memory_over_time import loop

from stitchedit.files.atomic import write_file
from stitchedit.video import open_video

Length = dict[str, Any]  # what `invert --json` says; wall, cpu: seconds; peak: GB


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--frames", type=int, nargs="+", default=[24, 100, 400, 1600])
    parser.add_argument("--preset", default="balanced")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--table", type=Path, help="also write the table here")
    options = parser.parse_args()
    options.work = options.work.resolve()
    options.work.mkdir(parents=True, exist_ok=True)
    text = table({frames: inverted(frames, options) for frames in options.frames})
    print(text)
    if options.table:
        options.table.write_text(text, encoding="utf-8")


def inverted(frames: int, options: argparse.Namespace) -> Length:
    """Invert so many frames, or read what it took when that was done."""
    folder = options.work / str(frames)
    folder.mkdir(exist_ok=True)
    done, clip, project = folder / "invert.json", folder / "clip.mp4", folder / "project"
    if not done.exists():
        if not clip.exists():
            info = open_video(options.clip).info
            loop(options.clip, clip, frames, info.width, info.height)
        shutil.rmtree(project, ignore_errors=True)  # of a run that was stopped
        command = ["invert", str(clip), "--project", str(project), "--preset", options.preset, "--json"]
        with (folder / "said.json").open("w+", encoding="utf-8") as said:
            costs = spent(command, ROOT, options.threads, said)
            said.seek(0)
            found = json.load(said) | costs
        write_file(done, lambda temp: temp.write_text(json.dumps(found)))
    length: Length = json.loads(done.read_text())
    return length


def table(lengths: dict[int, Length]) -> str:
    lines = [
        "| frames | tuning | track, align, encode, tune, s | wall, s | a frame | processor, s | a frame | peak, GB "
        "| PSNR, mean / worst, dB |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for frames, it in lengths.items():
        stages = ", ".join(f"{it['seconds'][stage]:.0f}" for stage in ("track", "align", "encode", "tune"))
        costs = " | ".join(f"{it[name]:.0f} | {it[name] / frames:.2f}" for name in ("wall", "cpu"))
        psnr = f"{it['psnr_mean_db']:.1f} / {it['psnr_worst_db']:.1f}"
        lines.append(f"| {frames} | {it['tuning']} | {stages} | {costs} | {it['peak']:.2f} | {psnr} |")
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    main()
