"""Try everything that is for a GPU and measure it, in at most nine minutes: one page and one JSON file.

    scripts/gpu_check [--out docs/gpu.md] [--json gpu.json] [--clip CLIP] [--project FOLDER] [--parts build tests ...]
    scripts/gpu_check --device cpu --small        # the processor stands in, at small sizes: does the check itself work?

The kernels are built, the tests marked `gpu` run, the ops measured (`bench_ops.py`), one step of tuning and one of
stitching measured for the default generator and for StyleGAN2 config-f of random weights, and a clip inverted and
edited. Every part is a process of its own with a time limit of its own. A part that fails, lacks something or runs out
of time is named on the page with the reason, and the others go on; both files are written after each part. Nothing is
installed or fetched.

--project is a project folder of --clip in which some stages are done (tracking and aligning, say): they are kept. Let
nothing else run meanwhile.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any

from gpu_page import Part, Row, write
from gpu_steps import measure_steps

ROOT = Path(__file__).resolve().parents[1]
BUDGET = 540  # seconds for everything
PATIENCE = 4  # times longer limits where the processor stands in: it may be shared
GPU_TESTS = (
    "tests/parity",
    "tests/unit/cuda_ops",
    "tests/unit/stylegan2",
    "tests/unit/models",
)
SMALL_CASE = "enlarge 3x512"
LAST_LINES = 120  # of a part that failed, in the JSON file

PARTS = (
    Part("build", "Kernels", 90),
    Part("tests", "Tests marked `gpu`", 150),
    Part("ops-float32", "Ops, float32", 90),
    Part("ops-float16", "Ops, float16", 90),
    Part("job-balanced", "Whole job, balanced", 150),
    Part("job-quality", "Whole job, quality", 180),
    Part("steps-default", "Steps, default generator", 90),
    Part("steps-stylegan2", "Steps, StyleGAN2 config-f", 120),
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--small", action="store_true", help="small sizes, to try the check itself")
    parser.add_argument("--clip", type=Path, default=ROOT / "tests" / "data" / "demo.mp4")
    parser.add_argument("--project", type=Path, help="of the clip, with some stages done")
    parser.add_argument("--out", type=Path, default=Path("gpu.md"))
    parser.add_argument("--json", type=Path, help="default: beside --out")
    parser.add_argument("--seconds", type=float, default=BUDGET)
    parser.add_argument("--parts", nargs="+", choices=[part.name for part in PARTS])
    parser.add_argument("--part", help=argparse.SUPPRESS)  # what the child processes are called with
    parser.add_argument("--rows", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part:
        with options.rows.open("a") as rows:
            WORK[options.part.split("-")[0]](options, functools.partial(keep, rows))
        return 0
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    end = time.monotonic() + options.seconds
    parts = [replace(part, rows=[]) for part in PARTS if options.parts is None or part.name in options.parts]
    facts = machine(options.device)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="gpu_check-") as folder:
        os.environ["XDG_CACHE_HOME"] = folder  # so that the kernels are built, not found
        for part in parts:
            try_part(part, options, Path(folder), end)
            write(options.out, options.json, facts, parts, time.monotonic() - began, small=options.small)
            print(f"{part.name}: {part.status}, {part.seconds:.0f} s", flush=True)
    return 0 if all(part.status == "done" for part in parts) else 1


def keep(rows: Any, row: Row) -> None:
    """A result is on disk as soon as it is known: a part that is stopped loses none."""
    rows.write(json.dumps(row) + "\n")
    rows.flush()
    print(row, flush=True)


def machine(device: str) -> Row:
    import torch

    facts: Row = {"torch": torch.__version__, "python": platform.python_version(), "cores": os.cpu_count()}
    if device == "cuda" and torch.cuda.is_available():
        found = torch.cuda.get_device_properties(0)
        facts |= {"card": found.name, "memory_gb": round(found.total_memory / 1e9, 1), "cuda": torch.version.cuda}
        facts |= {"capability": f"{found.major}.{found.minor}", "processors": found.multi_processor_count}
    else:
        facts["card"] = "none: the processor stands in" if device == "cpu" else "none was found"
    return facts


def try_part(part: Part, options: argparse.Namespace, folder: Path, end: float) -> None:
    """Run a part to its end or its limit; never raises."""
    began = time.monotonic()
    limit = min(part.limit * (PATIENCE if options.device == "cpu" else 1), end - began)
    if limit < 5:
        part.status, part.said = "skipped", ["no time was left"]
        return
    rows, log = folder / f"{part.name}.rows", folder / f"{part.name}.log"
    command = [sys.executable, __file__, "--part", part.name, "--rows", str(rows), "--device", options.device]
    command += ["--clip", str(options.clip)] + (["--small"] if options.small else [])
    command += ["--project", str(options.project)] if options.project else []
    with log.open("w") as out:
        child = subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=subprocess.STDOUT, start_new_session=True)
        try:
            code = child.wait(limit)
            part.status = {0: "done", SKIPPED: "skipped"}.get(code, "failed")
        except subprocess.TimeoutExpired:
            part.status = f"stopped at its limit of {limit:.0f} s"
        finally:
            with contextlib.suppress(ProcessLookupError):  # nothing of the part is left running
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()
    part.seconds = time.monotonic() - began
    part.rows = [json.loads(line) for line in rows.read_text().splitlines()] if rows.exists() else []
    if part.status != "done":
        part.said = log.read_text(errors="replace").strip().splitlines()[-LAST_LINES:]


SKIPPED = 77  # exit code of a part that cannot be tried on this machine


def skip(why: str) -> None:
    print(why, flush=True)
    raise SystemExit(SKIPPED)


# What the parts do, each in its own process.

Keep = Callable[[Row], None]


def build(options: argparse.Namespace, keep: Keep) -> None:
    import torch

    from stitchedit.cuda_ops import _build
    from stitchedit.errors import OpsBuildError

    arch = "sm_90"
    if options.device == "cuda":
        arch = "sm_{}{}".format(*torch.cuda.get_device_capability())
    nvcc = _build.find_nvcc()
    if nvcc is None:
        skip("nvcc was not found (CUDA_HOME, PATH, /usr/local/cuda)")
    version = subprocess.run([str(nvcc), "--version"], capture_output=True, text=True, check=True).stdout.splitlines()
    began = time.monotonic()
    try:
        path = _build.library(arch)
    except OpsBuildError as exc:
        raise SystemExit(str(exc)) from exc
    keep({"arch": arch, "seconds": time.monotonic() - began, "bytes": path.stat().st_size, "nvcc": version[-2]})


def tests(options: argparse.Namespace, keep: Keep) -> None:
    report = options.rows.with_suffix(".xml")
    command = [sys.executable, "-m", "pytest", "-m", "gpu", "-q", "-p", "no:cacheprovider", f"--junitxml={report}"]
    for kind in ("DeprecationWarning", "FutureWarning", "UserWarning"):  # of other versions of torch and numpy
        command += ["-W", f"default::{kind}"]
    done = subprocess.run([*command, *GPU_TESTS], cwd=ROOT, check=False)
    counts: dict[str, dict[str, int]] = {}
    for case in ElementTree.parse(report).iter("testcase"):
        kinds = [child.tag for child in case if child.tag in ("failure", "error", "skipped")]
        kind = kinds[0] if kinds else "passed"
        of = counts.setdefault(case.get("classname", ""), {})
        of[kind] = of.get(kind, 0) + 1
        if kind in ("failure", "error"):
            told = case.find(kind)
            why = "" if told is None else (told.get("message") or "").splitlines()[:1]
            keep({"failed": f"{case.get('classname')}::{case.get('name')}", "why": "".join(why)[:200]})
    for name, found in counts.items():
        keep({"file": name, **found})
    if done.returncode:
        raise SystemExit(done.returncode)
    if not any("passed" in found for found in counts.values()):
        skip("every test was skipped: there is no CUDA device")


def ops(options: argparse.Namespace, keep: Keep) -> None:
    dtype = options.part.split("-")[1]
    if options.device == "cpu" and dtype != "float32":
        skip("half precision is not measured on the processor")
    found = options.rows.with_suffix(".json")
    command = [sys.executable, "scripts/bench_ops.py", "--device", options.device, "--dtype", dtype]
    command += ["--rows", str(found)] + (["--cases", SMALL_CASE, "--runs", "1"] if options.small else [])
    command += ["--forms", "ours", "definition"] if dtype != "float32" else []  # a compiler takes its time
    try:
        subprocess.run(command, cwd=ROOT, check=True)
    finally:
        for line in found.read_text().splitlines() if found.exists() else []:
            keep(json.loads(line))


def job(options: argparse.Namespace, keep: Keep) -> None:
    import torch

    from stitchedit.pipeline.edit_clip import edit as edit_clip
    from stitchedit.pipeline.invert_clip import invert as invert_clip
    from stitchedit.pipeline.presets import edit_preset, invert_preset
    from stitchedit.project.folder import Project

    preset = "fast" if options.small else options.part.split("-")[1]
    folder = Path(tempfile.mkdtemp(dir=options.rows.parent))
    if not list(metadata.distributions(name="stitchedit")):  # a checkout alone: outputs tell which version made them
        described = folder / "stitchedit-0.dist-info"
        described.mkdir()
        (described / "METADATA").write_text("Metadata-Version: 2.1\nName: stitchedit\nVersion: 0\n")
        sys.path.append(str(folder))
    clip = Path(shutil.copy(options.clip, folder))
    root = Path(f"{clip}.stitch")
    if options.project:
        shutil.copytree(options.project, root)
    peak = torch.cuda.max_memory_allocated if options.device == "cuda" else lambda: 0
    invert = replace(invert_preset(preset), device=options.device)
    done = invert_clip(clip, root, invert)
    for stage, seconds in done.seconds.items():
        keep({"stage": stage, "seconds": seconds, "frames": done.edited_frames, "crop_px": done.crop_px})
    keep(
        {
            "figure": "inversion, PSNR in dB (mean, worst frame)",
            "is": f"{done.psnr_mean_db:.2f}, {done.psnr_worst_db:.2f}",
        }
    )
    keep({"figure": "tuning", "is": done.tuning})
    # Not calibrated: what solving for a strength takes is the measuring models' time.
    edit = replace(
        edit_preset(preset), device=options.device, edits=(("age", 2.0),), metadata_only=True, calibrated=False
    )
    edited = edit_clip(Project.open(root), edit, None)
    for stage, seconds in edited.seconds.items():
        keep({"stage": f"edit: {stage}", "seconds": seconds, "frames": edited.edited_frames, "crop_px": done.crop_px})
    keep({"figure": "stitching, steps a frame", "is": f"{edited.stitch_steps:.1f}"})
    keep(
        {"figure": "border loss (mean, worst frame)", "is": f"{edited.border_loss:.4f}, {edited.border_loss_worst:.4f}"}
    )
    keep({"figure": "peak of the card's memory, MB", "is": f"{peak() / 1e6:.0f}"})


def steps(options: argparse.Namespace, keep: Keep) -> None:
    measure_steps(options.part.split("-")[1], options.device, options.small, keep)


WORK: dict[str, Callable[[argparse.Namespace, Keep], None]] = {
    "build": build,
    "tests": tests,
    "ops": ops,
    "steps": steps,
    "job": job,
}


if __name__ == "__main__":
    sys.exit(main())
