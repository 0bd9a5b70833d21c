#!/usr/bin/env python3
"""Memory and disk of a long clip's run: the source is played forth and back until it has so many frames.

    python scripts/memory_over_time.py SOURCE.mp4 FOLDER [--frames 3000] [--size 1280x720]

Runs `invert --preset fast --encoder network` (its work is bounded: 72 steps of the search for codes, 800 of tuning) and
`edit --direction age --strength 1` (two steps a frame) on the clip, in processes of their own, and notes each second
what they hold in memory and which stage they are in. Writes into FOLDER: clip.mp4, the project, `memory.csv`,
`memory.png`, and `run.log` with what the processes say, each line with its time, so that the time left they tell can
be compared with what it took. Called again after it was killed, it goes on where the project stands.
"""

from __future__ import annotations

import argparse
import csv
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

import numpy as np
from imageio_ffmpeg import get_ffmpeg_exe

from stitchedit.image.plots import drawing

STAGES = ("track", "align", "mesh", "encode", "tune", "stitch", "video")
FIELDS = ("time", "stage", "resident_mb", "anonymous_mb", "disk_mb")
AIM_MB = 4096
DRAWN_EVERY = 300  # rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--frames", type=int, default=3000)
    parser.add_argument("--size", default="1280x720")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    clip = args.folder / "clip.mp4"
    if not clip.exists():
        loop(args.source, clip, args.frames, *(int(v) for v in args.size.split("x")))
    table = args.folder / "memory.csv"
    invert = ["invert", clip.name, "--preset", "fast", "--encoder", "network", "--device", "cpu"]
    edit = ["edit", f"{clip.name}.stitch", "--direction", "age", "--strength", "1", "--device", "cpu"]
    for command in (invert, edit):
        code = watched(command, args.folder, table, args.frames)
        plot(table, table.with_suffix(".png"), args.frames)
        if code:
            sys.exit(code)
    summary(table, args.folder, args.frames)


def loop(source: Path, clip: Path, frames: int, width: int, height: int) -> None:
    """The source forth and back, fitted into the picture, `frames` long; no jump for the tracker to take for a cut."""
    once = clip.with_name("once.mp4")
    fit = f"scale={width}:{height}:force_original_aspect_ratio=decrease,pad={width}:{height}:-1:-1,setsar=1"
    there_and_back = f"{fit},split[a][b];[b]reverse[c];[a][c]concat"
    ffmpeg = [get_ffmpeg_exe(), "-nostdin", "-v", "error", "-y", "-threads", "1"]
    coded = ["-c:v", "libx264", "-preset", "veryfast", "-crf", "18", "-pix_fmt", "yuv420p", "-bf", "0"]
    subprocess.run([*ffmpeg, "-i", source, "-an", "-vf", there_and_back, *coded, once], check=True)
    part = clip.with_name("part.mp4")
    again = ["-stream_loop", "-1", "-i", once, "-frames:v", str(frames), "-c", "copy", part]
    subprocess.run([*ffmpeg, *again], check=True)
    part.replace(clip)
    once.unlink()


def watched(command: list[str], folder: Path, table: Path, frames: int) -> int:
    """Run the program in `folder`, with a row a second in the table; gives its exit status."""
    child = subprocess.Popen(
        [sys.executable, "-m", "stitchedit", *command],
        cwd=folder,
        stderr=subprocess.STDOUT,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "COLUMNS": "200"},
    )
    stage = ["start"]
    assert child.stdout is not None
    reader = threading.Thread(target=follow, args=(child.stdout, folder / "run.log", stage))
    reader.start()
    new, drawn = not table.exists(), 0
    with table.open("a", newline="") as file:
        rows = csv.writer(file)
        if new:
            rows.writerow(FIELDS)
        while child.poll() is None:
            held = memory(child.pid)
            if held is not None:
                rows.writerow([f"{time.time():.1f}", stage[0], *held, f"{disk(folder):.1f}"])
                file.flush()
                drawn += 1
                if drawn % DRAWN_EVERY == 0:
                    plot(table, table.with_suffix(".png"), frames)
            time.sleep(1)
    reader.join()
    return child.returncode


def follow(lines: Iterable[str], log: Path, stage: list[str]) -> None:
    """Keep what the program says, and note in which stage it is."""
    with log.open("a") as file:
        for line in lines:
            file.write(f"{time.time():.1f} {line.rstrip()}\n")
            file.flush()
            found = re.match(r"(?:INFO\s+)?(\w+): ", line)
            if found and found[1] in STAGES:
                stage[0] = found[1]


def memory(pid: int) -> tuple[str, str] | None:
    """Resident and anonymous memory of a process in MB (Linux)."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return None
    found = [re.search(rf"^{name}:\s+(\d+) kB", status, re.MULTILINE) for name in ("VmRSS", "RssAnon")]
    if None in found:
        return None
    resident, anonymous = (f"{int(one[1]) / 1024:.1f}" for one in found if one is not None)
    return resident, anonymous


def disk(folder: Path) -> float:
    """MB in the project."""
    total = 0
    for path in folder.glob("*.stitch/**/*"):
        try:
            total += path.stat().st_size
        except OSError:  # a part that is finished by now
            continue
    return total / 1e6


def read(table: Path) -> list[dict[str, str]]:
    with table.open(newline="") as file:
        return list(csv.DictReader(file))


def plot(table: Path, path: Path, frames: int) -> None:
    """Resident memory over the time at work, a colour a stage; pauses between runs are left out."""
    rows = read(table)
    if not rows:
        return
    held, stages = np.array([float(row["resident_mb"]) for row in rows]), [row["stage"] for row in rows]
    starts = [k for k in range(len(rows)) if k == 0 or stages[k] != stages[k - 1]]
    with drawing((1400, 560), ink="black") as figure:
        axes = figure.subplots()
        for first, end in pairwise([*starts, len(rows)]):
            colour = f"C{(*STAGES, stages[first]).index(stages[first])}"
            axes.plot(range(first, min(end + 1, len(rows))), held[first : end + 1], color=colour)
            axes.axvline(first, color="#bbbbbb", linewidth=0.8)
            axes.text(first, 0, f" {stages[first]}", color=colour, rotation=90, va="bottom")
        axes.axhline(AIM_MB, color="black", linewidth=1)
        axes.set(ylim=(0, max(AIM_MB, held.max()) * 1.1), xlabel="seconds at work", ylabel="MB")
        axes.set_title(f"{frames} frames, {len(rows)} samples, peak {held.max():.0f} MB")
        figure.savefig(path)


def summary(table: Path, folder: Path, frames: int) -> None:
    rows = read(table)
    print("stage     seconds  first MB  last MB   peak MB")
    for stage in dict.fromkeys(row["stage"] for row in rows):
        held = [float(row["resident_mb"]) for row in rows if row["stage"] == stage]
        print(f"{stage:8} {len(held):8} {held[0]:9.0f} {held[-1]:8.0f} {max(held):9.0f}")
    for part in ("crops", "edits", ""):
        files = [p for p in (folder / "clip.mp4.stitch" / part).rglob("*") if p.is_file()]
        total = sum(p.stat().st_size for p in files)
        print(f"disk of {part or 'the whole project'}: {total / 1e6:.1f} MB, {total / frames / 1e3:.1f} kB a frame")


if __name__ == "__main__":
    main()
