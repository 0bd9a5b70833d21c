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
import copy
import functools
import itertools
import json
import math
import os
import platform
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from typing import Any

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
PRECISIONS = ("float32", "tf32", "half")
STEPS = 10  # of tuning, a measurement; the first ones are not counted
UNCOUNTED = 3
COUNTED = 1  # frames of so many steps, of stitching, after one that is not counted
LAST_LINES, LINES_SHOWN = 120, 12  # of a part that failed: in the JSON file, on the page

Row = dict[str, Any]


@dataclass
class Part:
    """One thing to be tried: a process of its own, its limit and what came of it."""

    name: str
    title: str
    limit: float  # seconds
    status: str = "not begun"
    seconds: float = 0.0
    rows: list[Row] = field(default_factory=list)
    said: list[str] = field(default_factory=list)  # last lines of its output, where it did not come to its end


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
            write(options, facts, parts, time.monotonic() - began)
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


def steps(options: argparse.Namespace, keep: Keep) -> None:
    import torch

    from stitchedit.models.generator import Generator, load_default_generator
    from stitchedit.stylegan2 import StyleGAN2

    def config_f(size: int) -> Generator:
        torch.manual_seed(0)
        return StyleGAN2(img_resolution=size, num_fp16_res=4).eval().to(options.device)

    default = options.part == "steps-default"
    sizes = ((256,) if default else (64,)) if options.small else (256, 1024)
    for size in sizes:
        make = (
            functools.partial(load_default_generator, options.device) if default else functools.partial(config_f, size)
        )
        expected = None
        for precision in PRECISIONS if options.device == "cuda" else ("float32", "half"):
            for form in ("reference", "ours"):
                with numbers(precision, options.device):
                    recast = FORMS["default" if default else "stylegan2", form, precision == "half"]
                    generator = make()
                    recast(generator)
                    step = Steps(generator, size, options.device, options.small)
                    image = step.picture()
                    expected = image if expected is None else expected
                    error = (image - expected).square().mean() / expected.abs().max().square()
                    told = {"size": size, "precision": precision, "form": form, "mean_square": float(error)}
                    for job in ("tuning", "stitching"):
                        keep(told | {"job": job} | getattr(step, job)())


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


WORK: dict[str, Callable[[argparse.Namespace, Keep], None]] = {
    "build": build,
    "tests": tests,
    "ops": ops,
    "steps": steps,
    "job": job,
}


# One step of tuning and of stitching, with the network in several forms.


@contextlib.contextmanager
def numbers(precision: str, device: str) -> Iterator[None]:
    """Matrix products and convolutions in whole float32, or with TF32 where the card has it."""
    import torch

    fast = precision != "float32" and device == "cuda"
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = fast
    yield


class Steps:
    """Measures with the product's own `tune` and `stitch_frame`, on random pictures and codes."""

    def __init__(self, generator: Any, size: int, device: str, small: bool) -> None:
        import numpy as np
        import torch

        from stitchedit.models.loading import perceptual
        from stitchedit.types import Crops, Latents

        self.generator, self.size, self.device = generator, size, torch.device(device)
        self.count, self.uncounted = (1, 1) if small else (STEPS, UNCOUNTED)
        random = np.random.default_rng(0)
        z = torch.from_numpy(random.standard_normal((2, generator.z_dim)).astype(np.float32)).to(device)
        with torch.no_grad():
            ws = generator.mapping(z, truncation_psi=0.7)
        self.latents = Latents(ws.cpu().numpy())
        coarse = random.integers(0, 255, (2, 8, 8, 3)).astype(np.uint8)
        images = [np.repeat(np.repeat(image, size // 8, 0), size // 8, 1) for image in coarse]
        self.crops = Crops(np.arange(2), np.zeros((2, 4, 2), np.float32), images, size)
        self.perceptual = perceptual(self.device)

    def picture(self) -> Any:
        import torch

        with torch.no_grad():
            ws = torch.from_numpy(self.latents.ws[:1]).to(self.device)
            return self.generator.synthesis(ws, resolution=self.size).float()

    def tuning(self) -> Row:
        from stitchedit.config import TuneConfig
        from stitchedit.inversion.crop_batches import Batches
        from stitchedit.inversion.pivotal_tuning import tune

        ticks: list[float] = []
        config = TuneConfig(steps=self.count + self.uncounted, coarse_part=0, plateau=0, ramp_down=0)
        with self.peak() as peak:
            # A step ends with reading its loss, so the clock is read when the card is done.
            report = tune(
                copy.deepcopy(self.generator).requires_grad_(True),
                self.latents,
                Batches(self.crops, None, self.device),
                self.perceptual,
                config,
                size=self.size,
                progress=lambda stage, done, total, note="": ticks.append(time.perf_counter()),
            )
        took = [b - a for a, b in itertools.pairwise(ticks)][self.uncounted - 1 :]
        return {"ms": statistics.median(took) * 1e3, "loss": float(report.curve[-1, 0]), **peak}

    def stitching(self) -> Row:
        import torch

        from stitchedit.config import StitchConfig
        from stitchedit.editing.stitching_tuning import Chain, stitch_frame
        from stitchedit.inversion.crop_batches import Batches

        batches = Batches(self.crops, None, self.device)
        source, content = batches.images([0], self.size), batches.images([1], self.size)
        inside = torch.zeros(1, 1, self.size, self.size, device=self.device)
        inside[..., self.size // 4 : -self.size // 4, self.size // 4 : -self.size // 4] = 1
        w = torch.from_numpy(self.latents.ws[:1]).to(self.device)
        took = []
        with self.peak() as peak:
            chain = Chain(copy.deepcopy(self.generator).requires_grad_(True), StitchConfig(border_threshold=0))
            for _ in range(1 + COUNTED):
                began = time.perf_counter()
                _, curve = stitch_frame(chain, w, source, content, 1 - inside, inside, size=self.size, steps=self.count)
                took.append((time.perf_counter() - began) / (self.count + 0.5))  # the last pass has no gradient
        return {"ms": statistics.median(took[1:]) * 1e3, "loss": curve[-1][0], **peak}

    @contextlib.contextmanager
    def peak(self) -> Iterator[Row]:
        """Peak of the card's memory, less what was there before."""
        import torch

        found: Row = {}
        if self.device.type != "cuda":
            yield found
            return
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        yield found
        found["peak_mb"] = (torch.cuda.max_memory_allocated() - before) / 1e6


def as_it_is(generator: Any) -> None:
    """The network as the product tunes it."""


def whole_numbers(generator: Any) -> None:
    """StyleGAN2 as the product tunes it: in float32 also where no gradient is asked for."""
    become(generator.synthesis, forward=functools.partialmethod(type(generator.synthesis).forward, force_fp32=True))


def exported(generator: Any) -> None:
    """The default generator as its file has it, operation by operation, see `bench_generator.py`."""
    import bench_generator

    def synthesis(self: Any, ws: Any, *, noise_mode: str = "const", resolution: int | None = None) -> Any:
        draw = bench_generator.exported(self)
        return draw(ws.expand(-1, self.num_ws, -1), resolution or self.resolution)

    become(generator, synthesis=synthesis)


def published(generator: Any) -> None:
    """StyleGAN2 in plain torch as NVIDIA's code trains it, see `bench_stylegan2.py`."""
    import bench_stylegan2

    def forward(self: Any, ws: Any, *, noise_mode: str = "const", resolution: int | None = None) -> Any:
        return bench_stylegan2.reference(SimpleNamespace(synthesis=self), ws.expand(-1, self.num_ws, -1))

    become(generator.synthesis, forward=forward)


def in_half(recast: Callable[[Any], None], name: str) -> Callable[[Any], None]:
    """A form under torch.autocast."""

    def also(generator: Any) -> None:
        import torch

        recast(generator)
        network, method = (generator, "synthesis") if name == "default" else (generator.synthesis, "forward")
        plain = getattr(type(network), method)
        dtype = torch.bfloat16 if name == "default" else torch.float16

        def run(self: Any, ws: Any, **options: Any) -> Any:
            with torch.autocast(ws.device.type, dtype if ws.is_cuda else torch.bfloat16):
                return plain(self, ws, **options).float()

        become(network, **{method: run})

    return also


def whole_in_half(generator: Any) -> None:
    """The default generator's synthesis in bfloat16; the weights that are tuned stay float32."""
    import torch

    def synthesis(self: Any, ws: Any, *, noise_mode: str = "const", resolution: int | None = None) -> Any:
        state = {k: v.bfloat16() for k, v in self.synthesis_network.state_dict(keep_vars=True).items()}
        rows = ws.expand(-1, self.num_ws, -1).bfloat16()
        size = resolution or self.resolution
        return torch.func.functional_call(self.synthesis_network, state, (rows, size, noise_mode == "const")).float()

    become(generator, synthesis=synthesis)


def own_half(generator: Any) -> None:
    """StyleGAN2's own scheme: its four highest resolutions in float16."""
    plain = type(generator.synthesis).forward

    def forward(self: Any, ws: Any, **options: Any) -> Any:
        return plain(self, ws, **options, force_fp32=False)

    become(generator.synthesis, forward=forward)


def become(network: Any, **methods: Any) -> None:
    """Give this one network other methods, which its copies have too."""
    network.__class__ = type(type(network).__name__, (type(network),), methods)


# (network, form, in half precision) -> what brings a generator into this form
FORMS: dict[tuple[str, str, bool], Callable[[Any], None]] = {
    ("default", "reference", False): exported,
    ("default", "ours", False): as_it_is,
    ("default", "reference", True): in_half(exported, "default"),
    ("default", "ours", True): whole_in_half,
    ("stylegan2", "reference", False): published,
    ("stylegan2", "ours", False): whole_numbers,
    ("stylegan2", "reference", True): in_half(published, "stylegan2"),
    ("stylegan2", "ours", True): own_half,
}


# The page.


def write(options: argparse.Namespace, facts: Row, parts: Sequence[Part], seconds: float) -> None:
    found = {"machine": facts, "seconds": seconds, "parts": [vars(part) for part in parts]}
    path = options.json or options.out.with_suffix(".json")
    for file, text in ((path, json.dumps(found, indent=1) + "\n"), (options.out, page(facts, parts, seconds, options))):
        aside = file.with_name(f"{file.name}.part")
        aside.write_text(text)
        aside.replace(file)


def page(facts: Row, parts: Sequence[Part], seconds: float, options: argparse.Namespace) -> str:
    told = ", ".join(f"{name} {value}" for name, value in facts.items() if name != "card")
    lines = ["# On a GPU", "", f"Card: {facts['card']} ({told}). Made by `scripts/gpu_check` in {seconds:.0f} s.", ""]
    if options.small:
        lines += ["**Small sizes, to try the check itself: the figures mean nothing.**", ""]
    lines += table(("part", "came to", "s"), [(part.title, part.status, f"{part.seconds:.0f}") for part in parts])
    for part in parts:
        if part.status == "not begun":
            continue
        lines += [f"## {part.title}", ""]
        if part.said:
            last = [line.replace("```", "...") for line in part.said[-LINES_SHOWN:]]
            lines += [f"{part.status.capitalize()}; last said:", "", "```", *last, "```", ""]
        if part.rows:
            lines += SHOWN[part.name.split("-")[0]](part.rows)
    return "\n".join(lines).rstrip() + "\n"


def table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    cells = [titles, ["---"] * len(titles), *rows]
    return [*(f"| {' | '.join(str(cell).replace('|', '/') for cell in row)} |" for row in cells), ""]


def shown_build(rows: Sequence[Row]) -> list[str]:
    return [
        f"Built for {r['arch']} in {r['seconds']:.0f} s ({r['bytes'] / 1e3:.0f} kB), {r['nvcc']}." for r in rows
    ] + [""]


def shown_tests(rows: Sequence[Row]) -> list[str]:
    kinds = ("passed", "failure", "error", "skipped")
    files = [row for row in rows if "file" in row]
    shown = [(row["file"], *(str(row.get(kind, 0)) for kind in kinds)) for row in files]
    shown.append(("all", *(str(sum(row.get(kind, 0) for row in files)) for kind in kinds)))
    failed = [f"- `{row['failed']}`: {row['why']}" for row in rows if "failed" in row]
    return [*table(("file", *kinds), shown), *failed, *([""] if failed else [])]


def shown_ops(rows: Sequence[Row]) -> list[str]:
    if "copies_gb_s" not in rows[0]:  # on the processor
        return table(tuple(rows[0]), [tuple(str(value) for value in row.values()) for row in rows])
    lines = [f"Copying moves {rows[0]['copies_gb_s']:.0f} GB/s on this card.", ""]
    lines += [f"- {row['case']}, {row['form']}: {row['why_not']}" for row in rows if "why_not" in row] + [""]
    shown = [
        (
            r["case"],
            r["pass"],
            r["form"],
            f"{r['us']:.1f}",
            f"{r['called_us']:.1f}",
            f"{r['moved_mb']:.1f}",
            f"{r['share']:.0%}",
        )
        for r in rows
        if "share" in r
    ]
    titles = (
        "op",
        "pass",
        "form",
        "us on the card",
        "us called from Python",
        "MB moved at the least",
        "share of copying",
    )
    return [*lines, *table(titles, shown)]


def shown_steps(rows: Sequence[Row]) -> list[str]:
    base = {(r["size"], r["job"]): r["ms"] for r in rows if (r["form"], r["precision"]) == ("reference", "float32")}
    shown = [
        (
            r["job"],
            f"{r['size']}",
            r["precision"],
            r["form"],
            f"{r['ms']:.1f}",
            f"{base[r['size'], r['job']] / r['ms']:.2f}x" if (r["size"], r["job"]) in base else "",
            f"{r['peak_mb']:.0f}" if "peak_mb" in r else "",
            f"{-10 * math.log10(r['mean_square']):.0f}" if r["mean_square"] else "",
            f"{r['loss']:.4f}",
        )
        for r in sorted(rows, key=lambda r: (r["job"], r["size"]))
    ]
    titles = (
        "step",
        "px",
        "precision",
        "form",
        "ms",
        "against reference, float32",
        "peak MB",
        "picture off by",
        "last loss",
    )
    told = (
        "One frame a step, median. Reference: the published network in plain torch. Half: for the default generator "
        "bfloat16 (ours: all of synthesis; reference: `torch.autocast`), for StyleGAN2 float16 (ours: its four highest "
        "resolutions, as NVIDIA trains it; reference: `torch.autocast`); weights and the optimiser stay float32. "
        "dB: how near the picture is to the reference's in float32, of its largest value."
    )
    return [told, "", *table(titles, shown)]


def shown_job(rows: Sequence[Row]) -> list[str]:
    stages = [row for row in rows if "stage" in row]
    shown = [
        (r["stage"], f"{r['seconds']:.1f}" if r["seconds"] else "kept", f"{r['seconds'] / r['frames']:.2f}")
        for r in stages
    ]
    for name, of in (("invert", False), ("edit", True)):
        took = [r["seconds"] for r in stages if r["stage"].startswith("edit: ") == of]
        if took:
            shown.append((f"**{name}**", f"{sum(took):.1f}", f"{sum(took) / stages[0]['frames']:.2f}"))
    told = f"{stages[0]['frames']} frames, crops of {stages[0]['crop_px']} px." if stages else ""
    figures = [f"- {row['figure']}: {row['is']}" for row in rows if "figure" in row]
    return [told, "", *table(("stage", "s", "s a frame"), shown), *figures, ""]


SHOWN: dict[str, Callable[[Sequence[Row]], list[str]]] = {
    "build": shown_build,
    "tests": shown_tests,
    "ops": shown_ops,
    "steps": shown_steps,
    "job": shown_job,
}


if __name__ == "__main__":
    sys.exit(main())
