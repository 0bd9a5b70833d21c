#!/usr/bin/env python3
"""All presets on the same clips with the same weights: figures, passes, time and memory, as one table.

    nice scripts/benchmark_quality.py CLIP.mp4 [CLIP.mp4=TRUTH.mp4 ..] --work FOLDER
        [--presets stit fast balanced quality] [--frames 24] [--stit 300 100]
        [--direction age] [--strength 2] [--noise] [--table FILE.md]

A clip may name the truth after `=`: the same clip with just that edit truly made. `--frames` cuts clips to their first
frames. `--stit` is the reference's budget: passes of tuning and steps of stitching a frame; its own, 300 and 100, take
days on a CPU for a whole clip, so say less and the table says it. `--noise` runs `balanced` with a second seed: by how
much a figure differs then is its noise. Every job (invert, edit, evaluate) is a process of its own with its own peak of
memory; FOLDER keeps all, and a benchmark that was stopped goes on where it was. A pass is one frame through the
generator, with or without backward; those of the encoder are counted apart, for all presets have it alike. Seconds are
wall and processor time of invert and edit together; a job that was stopped in between counts its last start only, and
the table says so.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from stitchedit import config as settings
from stitchedit.cli.console import MALLOC, THREADS
from stitchedit.evaluation.aggregate import CEILING
from stitchedit.files.atomic import write_file
from stitchedit.metrics import METRICS
from stitchedit.pipeline import invert_clip, presets

Row = dict[str, Any]
SECOND_SEED = 1


@dataclass(frozen=True)
class Take:
    """One clip by one preset."""

    clip: Path
    truth: Path | None
    preset: str
    seed: int
    frames: int | None

    def folder(self, work: Path) -> Path:
        cut = f".first{self.frames}" if self.frames else ""
        return work / f"{self.clip.stem}{cut}.{self.preset}.seed{self.seed}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", nargs="+", metavar="CLIP[=TRUTH]")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument(
        "--presets", nargs="+", choices=settings.PRESETS, default=["stit", "fast", "balanced", "quality"]
    )
    parser.add_argument("--frames", type=int)
    parser.add_argument("--stit", type=int, nargs=2, default=(300, 100), metavar=("TUNE", "STITCH"))
    parser.add_argument("--direction", default="age")
    parser.add_argument("--strength", default="2")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--noise", action="store_true")
    parser.add_argument("--table", type=Path, help="also write the table here")
    parser.add_argument("--job", help=argparse.SUPPRESS)  # what the child processes are called with
    args = parser.parse_args()
    if args.job:
        do_job(json.loads(args.job), args)
        return
    tables = []
    for named in args.clips:
        clip, _, truth = named.partition("=")
        takes = [Take(Path(clip), Path(truth) if truth else None, p, 0, args.frames) for p in args.presets]
        if args.noise:
            takes.append(replace(takes[0], preset="balanced", seed=SECOND_SEED))
        rows = {(take.preset, take.seed): measure(take, args) for take in takes}
        tables.append(table(Path(clip).stem, rows, args))
        print(tables[-1], flush=True)
    if args.table:
        args.table.write_text("\n".join(tables))


def measure(take: Take, args: argparse.Namespace) -> Row:
    """The figures of one take; those of an earlier run where it came to its end."""
    folder = take.folder(args.work)
    done = folder / "row.json"
    if not done.exists():
        folder.mkdir(parents=True, exist_ok=True)
        row: Row = {"restarted": False, "wall": 0.0, "cpu": 0.0, "peak": 0.0}
        for job in ("invert", "edit", "evaluate"):
            row |= run(job, take, folder, row, args)
        done.write_text(json.dumps(row))
    found: Row = json.loads(done.read_text())
    return found


def run(job: str, take: Take, folder: Path, row: Row, args: argparse.Namespace) -> Row:
    """One job in a process of its own."""
    result, started = folder / f"{job}.json", folder / f"{job}.started"
    if not result.exists():
        said = {"job": job, "clip": str(take.clip), "preset": take.preset, "seed": take.seed, "frames": take.frames}
        said |= {"truth": str(take.truth) if take.truth else None, "folder": str(folder)}
        said |= {"restarted": started.exists()}
        started.touch()
        command = [sys.executable, __file__, str(take.clip), "--work", str(args.work), "--job", json.dumps(said)]
        command += ["--stit", *map(str, args.stit), "--direction", args.direction, "--strength", args.strength]
        command += ["--threads", str(args.threads)]
        print(f"{take.clip.stem} {take.preset} seed {take.seed}: {job}", file=sys.stderr, flush=True)
        subprocess.run(command, check=True, env=os.environ | MALLOC | THREADS)
    found: Row = json.loads(result.read_text())
    cost = {key: found.pop(key) for key in ("wall", "cpu", "peak")}
    if job == "evaluate":  # what measuring costs is no preset's
        return found
    spent = {key: row[key] + cost[key] for key in ("wall", "cpu")} | {"peak": max(row["peak"], cost["peak"])}
    return found | spent | {"restarted": row["restarted"] or found["restarted"]}


def do_job(said: Row, args: argparse.Namespace) -> None:
    """In the child: the job itself, and its cost, into FOLDER/JOB.json."""
    import resource
    import time

    torch.set_num_threads(args.threads)
    folder, clip = Path(said["folder"]), Path(said["clip"])
    began = time.monotonic()
    found = JOBS[said["job"]](said, folder, clip, args)
    used = resource.getrusage(resource.RUSAGE_SELF)
    cost = {"wall": time.monotonic() - began, "cpu": used.ru_utime + used.ru_stime, "peak": used.ru_maxrss / 1e6}
    text = json.dumps(found | cost | {"restarted": said["restarted"]})
    write_file(folder / f"{said['job']}.json", lambda temp: temp.write_text(text))


def do_invert(said: Row, folder: Path, clip: Path, args: argparse.Namespace) -> Row:

    config = replace(presets.invert_preset(said["preset"]), seed=said["seed"])
    if said["preset"] == "stit":
        config = replace(config, tune=replace(config.tune, steps_per_frame=args.stit[0], steps=args.stit[0]))
    source = cut(clip, folder / clip.name, said["frames"])
    summary = invert_clip.invert(source, folder / "project", config)
    encode = settings.for_frames(config.encode, summary.edited_frames)
    return {
        "crop_px": summary.crop_px,
        "edited_frames": summary.edited_frames,
        "encode_passes": round(encode.steps * encode.started_share),  # a frame each, from the trained start
        "tune_passes": int(summary.tuning.split()[0]),
    }


def do_edit(said: Row, folder: Path, clip: Path, args: argparse.Namespace) -> Row:
    from stitchedit.pipeline import edit_clip
    from stitchedit.project.folder import Project
    from stitchedit.strength import parse_strength

    edits = ((args.direction, parse_strength(args.strength)),)
    config = replace(presets.edit_preset(said["preset"]), edits=edits, seed=0)
    if said["preset"] == "stit":
        config = replace(config, stitch=replace(config.stitch, steps=args.stit[1], first_steps=args.stit[1]))
    summary = edit_clip.edit(Project.open(folder / "project"), config, folder / f"edited{clip.suffix}")
    drawn = 3 if config.stitch.detail else 2  # after the last step, before the first, and unedited
    return {"stitch_passes": round((summary.stitch_steps + drawn) * summary.edited_frames)}


def do_evaluate(said: Row, folder: Path, clip: Path, args: argparse.Namespace) -> Row:
    from stitchedit.evaluation import html_report
    from stitchedit.evaluation.run import evaluate

    truth = None if said["truth"] is None else cut(Path(said["truth"]), folder / "truth.mp4", said["frames"])
    found, job = evaluate(folder / f"edited{clip.suffix}", project=folder / "project", truth=truth)
    html_report.write_page(found, job, folder / "page.html")
    figures = {figure.name: figure.value for figure in found.figures.values()}
    worst = {f"{figure.name}, worst": figure.worst[0] for figure in found.figures.values() if figure.worst is not None}
    asked = {f"{a.name}, change": a.change for a in found.attributes if a.asked}
    beside = found.figure("expression_correlation").beside
    ceiling = {name: beside[name] for name in CEILING if name in beside}
    return {"figures": figures | worst | asked | ceiling, "page": str(folder / "page.html")}


JOBS = {"invert": do_invert, "edit": do_edit, "evaluate": do_evaluate}


def cut(clip: Path, into: Path, frames: int | None) -> Path:
    """A link to the clip, or its first frames with their packets as they are."""
    if into.exists():
        return into
    if frames is None:
        into.symlink_to(clip.resolve())
        return into
    import imageio_ffmpeg

    part = into.with_name(f"part{into.suffix}")
    command = [
        imageio_ffmpeg.get_ffmpeg_exe(),
        "-v",
        "error",
        "-y",
        "-i",
        f"file:{clip}",
        "-an",
        "-frames:v",
        str(frames),
    ]
    subprocess.run([*command, "-c:v", "libx264", "-qp", "0", "-preset", "veryfast", str(part)], check=True)
    part.replace(into)
    return into


def table(name: str, rows: dict[tuple[str, int], Row], args: argparse.Namespace) -> str:
    """Markdown: a line a figure, a column a preset."""
    shown = {key: row for key, row in rows.items() if key[1] == 0}
    second, first = rows.get(("balanced", SECOND_SEED)), rows.get(("balanced", 0))
    noise = (
        {}
        if second is None or first is None
        else {key: abs(value - first["figures"].get(key, np.nan)) for key, value in second["figures"].items()}
    )
    some = next(iter(shown.values()))
    budget = f"{args.stit[0]} passes of tuning and {args.stit[1]} steps of stitching a frame"
    lines = [
        f"**{name}**: {some['edited_frames']} frames, {args.direction} {args.strength}; stit with {budget}.",
        "",
        f"| figure | {' | '.join(preset for preset, _ in shown)} | noise | better |",
        "|---" * (len(shown) + 3) + "|",
    ]
    for key in [k for k in some["figures"] if k.split(",")[0] in METRICS or k.endswith("change") or k in CEILING]:
        metric = METRICS.get(key.split(",")[0])
        better = "" if metric is None else metric.better + ("" if metric.target is None else f" ({metric.target:g})")
        values = [number(row["figures"].get(key, np.nan)) for row in shown.values()]
        lines.append(f"| {key} | {' | '.join(values)} | {number(noise.get(key, np.nan))} | {better} |")
    for key, unit in COSTS.items():
        values = [f"{row[key]:.0f}" if row[key] >= 20 else f"{row[key]:.1f}" for row in shown.values()]
        lines.append(f"| {unit} | {' | '.join(values)} | | lower |")
    stopped = [preset for (preset, _), row in shown.items() if row["restarted"]]
    if stopped:
        lines += ["", f"Stopped and taken up again, so that their seconds are too few: {', '.join(stopped)}."]
    return "\n".join([*lines, ""])


COSTS = {
    "crop_px": "crop, px",
    "tune_passes": "passes, tuning",
    "stitch_passes": "passes, stitching",
    "encode_passes": "passes, encoding",
    "wall": "wall, s",
    "cpu": "processor, s",
    "peak": "peak memory, GB",
}


def number(value: float) -> str:
    if not np.isfinite(value):
        return ""
    return f"{value:.4f}" if abs(value) < 0.1 else f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"


if __name__ == "__main__":
    main()
