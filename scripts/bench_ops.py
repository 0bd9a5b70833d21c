"""Time and memory of the ops, in the shapes that a 1024 px generator gives them.

    python scripts/bench_ops.py [--threads 2] [--runs 7] [--device cpu|cuda] [--dtype float32|float16] [--cases ...]

CPU: the polyphase form in use beside the definition (zeros inserted, depthwise convolution), and `bias_act` beside its
plain form, forward and with the gradient. Every row is a process of its own; its peak is all of its memory, some 200 MB
of it torch. "kept" rows run with the allocator told to keep freed memory (`cli.console.MALLOC`), "plain" rows
without.

CUDA: the kernels beside the definition in torch and, where it can be had, torch.compile of the definition. "us" is the
card's own time: a recorded graph of calls on different pictures, together larger than its caches. "called" is what a
call from Python takes, whichever of the two is slower. "moved" is what must be read and written at the least; its share
is of the bandwidth that copying a large tensor reaches on this card. Let nothing else run meanwhile.
"""

from __future__ import annotations

import argparse
import functools
import importlib
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from stitchedit.cli.console import MALLOC
from stitchedit.cuda_ops import ACTIVATIONS, bias_act, reference, setup_filter, upfirdn2d
from stitchedit.cuda_ops._spec import BiasActSpec, Resampling

ALLOCATORS: dict[str, dict[str, str]] = {"plain": {}, "kept": MALLOC}
BLUR = {"padding": (1, 1, 1, 1), "gain": 4}
ENLARGE = {"up": 2, "padding": (2, 1, 2, 1), "gain": 4}
SHRINK = {"down": 2, "padding": (1, 1, 1, 1)}
# name -> (size of x, arguments of upfirdn2d, or None for bias_act)
CASES: dict[str, tuple[tuple[int, ...], dict[str, Any] | None]] = {
    "blur 32x1025": ((1, 32, 1025, 1025), BLUR),
    "blur 128x257": ((1, 128, 257, 257), BLUR),
    "enlarge 3x512": ((1, 3, 512, 512), ENLARGE),
    "enlarge 64x256": ((1, 64, 256, 256), ENLARGE),
    "shrink 64x512": ((1, 64, 512, 512), SHRINK),
    "lrelu 32x1024": ((1, 32, 1024, 1024), None),
}
ROTATED = 1 << 28  # bytes of pictures that a measurement goes through, several times what a card's cache holds
Run = Callable[[Tensor], Tensor]
Keep = Callable[[dict[str, Any]], None]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--dtype", choices=("float32", "float16", "bfloat16"), default="float32")
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument(
        "--forms", nargs="+", choices=("ours", "definition", "compiled"), help="on CUDA; all by default"
    )
    parser.add_argument("--rows", type=Path, help="write every row as a line of JSON too")
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)  # what the child processes are called with
    args = parser.parse_args()
    if args.measure:
        print(json.dumps(measure(*args.measure, args.threads, args.runs)))
        return
    keep = functools.partial(write, args.rows)
    if args.device == "cpu":
        on_the_cpu(args.cases, args.threads, args.runs, keep)
    else:
        on_the_gpu(
            args.cases, args.forms or ("ours", "definition", "compiled"), getattr(torch, args.dtype), args.runs, keep
        )


def write(path: Path | None, row: dict[str, Any]) -> None:
    if path is not None:
        with path.open("a") as rows:
            rows.write(json.dumps(row) + "\n")


def form(name: str, case: str, device: str = "cpu") -> Run:
    """The op of a case as a function of x: ours, or the definition in torch that autograd differentiates."""
    size, options = CASES[case]
    if options is None:
        b = torch.randn(size[1], generator=torch.Generator().manual_seed(1)).to(device)
        act = ACTIVATIONS["lrelu"]
        plain = BiasActSpec(act, 1, act.alpha, act.gain, None)
        if name == "ours":
            return lambda x: bias_act(x, b.to(x.dtype), act="lrelu")
        return lambda x: reference.bias_act(x, b.to(x.dtype), plain)
    f = setup_filter([1, 3, 3, 1], device=device)
    if name == "ours":
        return lambda x: upfirdn2d(x, f, **options)
    up, down = options.get("up", 1), options.get("down", 1)
    spec = Resampling((up, up), (down, down), options["padding"], False, options.get("gain", 1))
    return lambda x: reference.upfirdn2d_by_definition(x, f, spec)


def on_the_cpu(cases: Sequence[str], threads: int, runs: int, keep: Keep) -> None:
    print(f"torch {torch.__version__}, {threads} threads, load {os.getloadavg()[0]:.2f} before the start; milliseconds")
    print(f"{'op':16}{'allocator':10}{'form':12}{'forward':>9}{'+ gradient':>12}{'CPU':>9}{'peak MB':>9}")
    for case in cases:
        for allocator, settings in ALLOCATORS.items():
            for name in ("definition", "ours"):
                child = [sys.executable, __file__, "--measure", name, case, "--runs", str(runs)]
                child += ["--threads", str(threads)]
                env = {key: value for key, value in os.environ.items() if key not in MALLOC} | settings
                row = json.loads(subprocess.run(child, env=env, check=True, stdout=subprocess.PIPE).stdout)
                times = f"{row['forward']:9.1f}{row['both']:12.1f}{row['cpu']:9.1f}"
                print(f"{case:16}{allocator:10}{name:12}{times}{row['peak']:9.0f}", flush=True)
                keep({"case": case, "allocator": allocator, "form": name, **row})


def measure(name: str, case: str, threads: int, runs: int) -> dict[str, float]:
    """Median milliseconds, and the peak in MB."""
    torch.set_num_threads(threads)
    run = form(name, case)
    x = torch.randn(CASES[case][0]).requires_grad_()
    dy: Tensor | None = None
    wall_forward, wall, cpu = [], [], []
    for i in range(runs + 1):
        began, began_cpu = time.perf_counter(), time.process_time()
        y = run(x)
        middle = time.perf_counter()
        dy = torch.ones_like(y) if dy is None else dy
        torch.autograd.grad(y, x, dy)
        if i:  # the first is not counted
            wall_forward.append(middle - began)
            wall.append(time.perf_counter() - began)
            cpu.append(time.process_time() - began_cpu)
        del y
    return {
        "forward": statistics.median(wall_forward) * 1e3,
        "both": statistics.median(wall) * 1e3,
        "cpu": statistics.median(cpu) * 1e3,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6,
    }


def on_the_gpu(cases: Sequence[str], names: Sequence[str], dtype: torch.dtype, runs: int, keep: Keep) -> None:
    copied = torch.empty(1 << 28, dtype=torch.uint8, device="cuda")
    us, _ = timed([copied.clone], runs)
    bandwidth = 2 * copied.numel() / (us / 1e6)
    del copied
    print(f"torch {torch.__version__}, {torch.cuda.get_device_name()}, {dtype}, copies {bandwidth / 1e9:.0f} GB/s")
    print(f"{'op':16}{'pass':10}{'form':12}{'us':>10}{'called':>10}{'moved MB':>10}{'share':>7}")
    keep({"copies_gb_s": bandwidth / 1e9})
    for case in cases:
        once = torch.empty(CASES[case][0], device="cuda", dtype=dtype)
        count = max(2, ROTATED // (once.numel() * once.element_size()))
        xs = [torch.randn_like(once).requires_grad_() for _ in range(min(count, 64))]
        for name in names:
            try:
                for row in measured(name, case, xs, runs):
                    row["share"] = row["moved_mb"] * 1e6 / (row["us"] / 1e6) / bandwidth
                    times = f"{row['us']:10.1f}{row['called_us']:10.1f}{row['moved_mb']:10.1f}{row['share']:7.0%}"
                    print(f"{case:16}{row['pass']:10}{name:12}{times}", flush=True)
                    keep({"case": case, "form": name, **row})
            except Exception as exc:  # such as a compiler that is not there; the others are measured all the same
                why = str(exc).strip().splitlines()[0][:120]
                print(f"{case:16}{name} cannot be had: {why}", flush=True)
                keep({"case": case, "form": name, "why_not": why})


def measured(name: str, case: str, xs: Sequence[Tensor], runs: int) -> Iterator[dict[str, Any]]:
    """Forward, then gradient, of one form."""
    if name == "compiled":
        functorch = importlib.import_module("torch._functorch.config")
        functorch.donated_buffer = False  # type: ignore[attr-defined]  # a gradient is computed again and again
        run: Run = torch.compile(form("definition", case, "cuda"), dynamic=False)
    else:
        run = form(name, case, "cuda")
    bytes_x, bytes_y = (t.numel() * t.element_size() for t in (xs[0], run(xs[0]).detach()))
    us, called = timed([functools.partial(without_gradient, run, x) for x in xs], runs)
    yield {"pass": "forward", "us": us, "called_us": called, "moved_mb": (bytes_x + bytes_y) / 1e6}
    us, called = timed_gradients(run, xs, runs)
    bytes_y *= 2 if CASES[case][1] is None else 1  # the gradient of an activation looks at what it gave
    yield {"pass": "gradient", "us": us, "called_us": called, "moved_mb": (bytes_x + bytes_y) / 1e6}


def without_gradient(run: Run, x: Tensor) -> Tensor:
    with torch.no_grad():
        return run(x)


def timed_gradients(run: Run, xs: Sequence[Tensor], runs: int) -> tuple[float, float]:
    """Of the gradient of every x, computed again and again."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):  # a gradient is computed where its result was
        ys = [run(x) for x in xs]
        dys = [torch.randn_like(y) for y in ys]
        jobs = [
            functools.partial(torch.autograd.grad, y, x, dy, retain_graph=True)
            for x, y, dy in zip(xs, ys, dys, strict=True)
        ]
        return timed(jobs, runs)


def timed(jobs: Sequence[Callable[[], object]], runs: int) -> tuple[float, float]:
    """Median microseconds of a job: on the card, in a graph of all of them, and as called one after the other."""
    stream = torch.cuda.current_stream()
    if stream == torch.cuda.default_stream():  # which cannot be recorded
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        run_all(jobs)
        called = median(lambda: run_all(jobs), runs)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=stream):
            run_all(jobs)
        return median(graph.replay, runs) / len(jobs) * 1e6, called / len(jobs) * 1e6


def run_all(jobs: Sequence[Callable[[], object]]) -> None:
    """Every result is kept until the end: what is written lies at a place of its own too."""
    _ = [job() for job in jobs]


def median(work: Callable[[], object], runs: int) -> float:
    """Median seconds of some work on the current stream, by the card's own clock."""
    work()
    seconds = []
    for _ in range(runs):
        start, stop = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        work()
        stop.record()
        stop.synchronize()
        seconds.append(start.elapsed_time(stop) / 1e3)
    return statistics.median(seconds)


if __name__ == "__main__":
    main()
