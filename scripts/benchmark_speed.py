#!/usr/bin/env python3
"""Two revisions on the same clip, in the same run: time, memory and figures of `invert` and `edit`, as one table.

    nice scripts/benchmark_speed.py CLIP.mp4 --work FOLDER [--frames 24] [--pairs 2] [--before 3b83b58]
        [--after HEAD] [--preset balanced] [--direction age] [--strength 2] [--threads 2] [--table FILE.md]

Both are checked out below FOLDER and run from there by this Python, each job a process of its own, in the order A B A
B, so that a machine which slows down or speeds up does so for both. What is told of a cost is the median of the pairs'
ratios. Their results are measured by the revision that this script is of (`stitchedit evaluate`), both alike. A second
edit of the same project, of the other sign, tells what of the first is used again. A benchmark that was stopped goes on
where it was.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tarfile
import time
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from statistics import median
from typing import IO, Any

from benchmark_quality import cut, number

from stitchedit.files.atomic import write_file
from stitchedit.metrics import METRICS

ROOT = Path(__file__).resolve().parents[1]
LINKS = {
    "stylegan2": "third_party",
    "stylegan3": "third_party",
    "mobilestylegan": "third_party",
    "cuda_ops": "",
}  # packages that live elsewhere
JOBS = ("invert", "edit", "second edit")
Costs = dict[str, float]  # wall, cpu: seconds; peak: GB


@dataclass(frozen=True)
class Take:
    """One run of one revision."""

    name: str  # "before" or "after"
    tree: Path  # its sources
    folder: Path
    clip: Path
    options: argparse.Namespace

    @property
    def edited(self) -> Path:
        return self.folder / f"edit{self.clip.suffix}"

    def run(self, job: str) -> Costs:
        """Do a job, or read what it took when it was done."""
        done = self.folder / f"{job.replace(' ', '_')}.json"
        if not done.exists():
            print(f"{self.folder.name}: {job}", file=sys.stderr, flush=True)
            cost = spent(self._command(job), self.tree, self.options.threads)
            write_file(done, lambda temp: temp.write_text(json.dumps(cost)))
        found: Costs = json.loads(done.read_text())
        return found

    def _command(self, job: str) -> list[str]:
        project, options = self.folder / "project", self.options
        if job == "invert":
            shutil.rmtree(project, ignore_errors=True)  # of a run that was stopped
            return ["invert", str(self.clip), "--project", str(project), "--preset", options.preset]
        strength = options.strength if job == "edit" else -options.strength
        output = self.edited if job == "edit" else self.edited.with_stem("second")
        command = ["edit", str(project), "--direction", options.direction, "--strength", str(strength)]
        return [*command, "-o", str(output)]

    def figures(self) -> dict[str, float]:
        """What `evaluate` of this script's revision says of the first edit."""
        page = self.folder / "figures.json"
        if not page.exists():
            command = [sys.executable, "-P", "-m", "stitchedit", "evaluate", str(self.edited)]
            command += ["--project", str(self.folder / "project"), "--json"]
            told = subprocess.run(command, check=True, capture_output=True, text=True, cwd=self.folder).stdout
            write_file(page, lambda temp: temp.write_text(told))
        found: dict[str, Any] = json.loads(page.read_text())
        return flat_figures(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--frames", type=int, default=24)
    parser.add_argument("--pairs", type=int, default=2)
    parser.add_argument("--before", default="3b83b58")
    parser.add_argument("--after", default="HEAD")
    parser.add_argument("--preset", default="balanced")
    parser.add_argument("--direction", default="age")
    parser.add_argument("--strength", type=float, default=2)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--table", type=Path, help="also write the table here")
    options = parser.parse_args()
    options.work = options.work.resolve()
    options.work.mkdir(parents=True, exist_ok=True)
    clip = cut(options.clip, options.work / options.clip.name, options.frames)
    trees = {name: checkout(getattr(options, name), options.work) for name in ("before", "after")}
    pairs = [{name: take(name, trees[name], pair, clip, options) for name in trees} for pair in range(options.pairs)]
    costs = [{name: {job: taken.run(job) for job in JOBS} for name, taken in pair.items()} for pair in pairs]
    figures = {name: taken.figures() for name, taken in pairs[0].items()}
    text = table(costs, figures, options)
    print(text)
    if options.table:
        options.table.write_text(text, encoding="utf-8")


def take(name: str, tree: Path, pair: int, clip: Path, options: argparse.Namespace) -> Take:
    folder = options.work / f"{name}{pair}"
    folder.mkdir(exist_ok=True)
    return Take(name, tree, folder, clip, options)


def checkout(revision: str, work: Path) -> Path:
    """The sources of a revision, below `work`, ready to be run from there."""
    said = subprocess.run(["git", "rev-parse", revision], cwd=ROOT, check=True, capture_output=True, text=True)
    tree = work / said.stdout.strip()
    if not tree.exists():
        packed = subprocess.run(["git", "archive", tree.name], cwd=ROOT, check=True, capture_output=True).stdout
        part = tree.with_suffix(".part")
        shutil.rmtree(part, ignore_errors=True)
        with tarfile.open(fileobj=BytesIO(packed)) as archive:
            archive.extractall(part, filter="data")
        for package, folder in LINKS.items():
            (part / "stitchedit" / package).symlink_to(Path("..") / folder / package)
        part.rename(tree)
    return tree


def spent(command: list[str], tree: Path, threads: int, said: IO[str] | None = None) -> Costs:
    """What `stitchedit COMMAND` of the sources in `tree` takes; what it prints goes to the file `said`."""
    environment = os.environ | {"PYTHONPATH": str(tree), "OMP_NUM_THREADS": str(threads)}
    environment.pop("STITCHEDIT_MALLOC", None)
    began = time.monotonic()
    child = subprocess.Popen(
        [sys.executable, "-P", "-m", "stitchedit", *command], env=environment, cwd=tree.parent, stdout=said
    )
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{' '.join(command)} of {tree.name} ended with {child.returncode}")
    wall = time.monotonic() - began
    return {"wall": wall, "cpu": used.ru_utime + used.ru_stime, "peak": used.ru_maxrss / 1e6}


def flat_figures(found: dict[str, Any]) -> dict[str, float]:
    """Name -> value of the figures in the JSON of `evaluate`, the worst frame's beside the mean, and what was asked."""
    flat = {}
    for name, figure in found["figures"].items():
        flat[name] = figure["value"]
        if "worst" in figure:
            flat[f"{name}, worst"] = figure["worst"]["value"]
    flat |= {
        f"{name}, change": found["attributes"][name]["change"] for name in found["asked"] if name in found["attributes"]
    }
    return {name: value for name, value in flat.items() if value is not None}


def table(
    costs: list[dict[str, dict[str, Costs]]], figures: dict[str, dict[str, float]], options: argparse.Namespace
) -> str:
    """Markdown: costs of every job with the median of their ratios, then the figures of both."""
    lines = [
        f"| {options.frames} frames, {len(costs)} pairs | {options.before} | {options.after} | ratio |",
        "|---|---|---|---|",
    ]
    for job in JOBS:
        for key, unit in (("wall", "wall, s"), ("cpu", "processor, s"), ("peak", "peak, GB")):
            before, after = ([pair[name][job][key] for pair in costs] for name in ("before", "after"))
            ratio = median(a / b for a, b in zip(before, after, strict=True))
            lines.append(f"| {job}: {unit} | {median(before):.3g} | {median(after):.3g} | {ratio:.2f} |")
    for name, value in figures["after"].items():
        metric = METRICS.get(name.split(",")[0])
        better = f" ({metric.better}; noise {metric.noise:g})" if metric and metric.noise else ""
        lines.append(f"| {name}{better} | {number(figures['before'].get(name, float('nan')))} | {number(value)} | |")
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    main()
