"""Time and memory of one pass through a generator, ours beside simpler forms of the same network.

    python scripts/bench_generator.py [--sizes 256 512 1024] [--forms ours transposed] [--threads 2] [--runs 5]

Every row is a process of its own: float32, one image, median of the runs after one that is not counted; the backward
pass reaches all weights of the synthesis network; CPU seconds are those of all threads in forward + backward, the peak
is the process's resident memory. "kept" rows run with the allocator told to keep freed memory (the setting that the
command line applies), "plain" rows without. Ratios compare with "ours" at the same size and allocator. Let nothing
else run meanwhile.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable

import torch
import torch.nn.functional as F
from bench_timing import timed
from torch import Tensor

from stitchedit.cli.console import MALLOC
from stitchedit.mobilestylegan import layers
from stitchedit.models.generator import Generator, load_default_generator

ALLOCATORS: dict[str, dict[str, str]] = {"plain": {}, "kept": MALLOC}
Draw = Callable[[Tensor, int], Tensor]  # ws [1, num_ws, w_dim], size -> image


def ours(generator: Generator) -> Draw:
    """The network as it is shipped."""
    return lambda ws, size: generator.synthesis(ws, resolution=size)


def transposed(generator: Generator) -> Draw:
    """The shipped network with its wavelet as grouped transposed convolutions."""
    layers.inverse_haar = lambda bands: _transposed_haar(bands.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
    layers.unscaled_inverse_haar = lambda bands: layers.inverse_haar(bands * 2)
    return ours(generator)


def exported(generator: Generator) -> Draw:
    """Operation by operation as in the file that was converted: channels first, styles times features."""
    return lambda ws, size: _exported(generator.state_dict(keep_vars=True), ws, size)  # type: ignore[call-arg]


# network -> how to get it, and the forms to compare; the first is what the others are held against
NETWORKS: dict[str, tuple[Callable[[], Generator], dict[str, Callable[[Generator], Draw]]]] = {
    "mobilestylegan": (load_default_generator, {"ours": ours, "transposed": transposed, "exported": exported}),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--network", choices=NETWORKS, default="mobilestylegan")
    parser.add_argument("--sizes", type=int, nargs="+", default=[256, 512, 1024])
    parser.add_argument("--forms", nargs="+", help="default all of the network")
    parser.add_argument("--measure", help=argparse.SUPPRESS)  # what the child processes are called with
    args = parser.parse_args()
    if args.measure:
        print(json.dumps(measure(args.network, args.measure, args.sizes[0], args.threads, args.runs)))
        return

    print(f"torch {torch.__version__}, {args.threads} threads, load {os.getloadavg()[0]:.2f} before the start")
    titles = "".join(f"{title:>17}" for title in ("forward s", "+ backward s", "CPU s"))
    whole: dict[tuple[int, str], float] = {}
    print(f"{'size':>5} {'allocator':9} {'form':10}{titles} {'peak GB':>8}  difference")
    for size in args.sizes:
        for allocator, settings in ALLOCATORS.items():
            base: dict[str, float] = {}
            for form in args.forms or NETWORKS[args.network][1]:
                child = [sys.executable, __file__, "--network", args.network, "--measure", form, "--sizes", str(size)]
                child += ["--threads", str(args.threads), "--runs", str(args.runs)]
                env = {key: value for key, value in os.environ.items() if key not in MALLOC} | settings
                done = subprocess.run(child, env=env, check=True, stdout=subprocess.PIPE, text=True)
                found = json.loads(done.stdout)
                base = base or found
                whole[size, allocator] = base["backward"]
                ratios = [
                    f"{found[key]:8.3f} ({found[key] / base[key]:5.2f}x)" for key in ("forward", "backward", "cpu")
                ]
                line = f"{size:5} {allocator:9} {form:10}" + "".join(f"{ratio:>17}" for ratio in ratios)
                print(f"{line} {found['peak']:8.2f}  {found['difference']:.0e}", flush=True)
    largest = max(args.sizes)
    for (size, allocator), seconds in whole.items():
        if size < largest:
            less = whole[largest, allocator] / seconds
            print(f"{size} px take {less:.2f}x less than {largest} px, forward + backward, allocator {allocator}")


def measure(network: str, form: str, size: int, threads: int, runs: int) -> dict[str, float]:
    """Median seconds, peak GB, and the largest difference of the image from the shipped network's."""
    torch.set_num_threads(threads)
    load, forms = NETWORKS[network]
    generator = load()
    random = torch.Generator().manual_seed(0)
    with torch.no_grad():
        ws = generator.mapping(torch.randn(1, generator.z_dim, generator=random), truncation_psi=0.7)
        expected = generator.synthesis(ws, resolution=size)
    draw = forms[form](generator)

    def forward() -> Tensor:
        with torch.no_grad():
            return draw(ws, size)

    def backward() -> None:
        for parameter in generator.parameters():
            parameter.grad = None
        draw(ws, size).square().mean().backward()

    result = {"difference": (forward() - expected).abs().max().item()}
    del expected
    result["forward"] = timed(forward, runs)["wall"]
    found = timed(backward, runs)
    return result | {"backward": found["wall"], "cpu": found["cpu"], "peak": found["peak"]}


def _transposed_haar(bands: Tensor) -> Tensor:
    """[B, 4 * C, H, W] -> [B, C, 2 * H, 2 * W]: down the columns, then along the rows, as the exported file does."""
    low, rows, columns, both = bands.chunk(4, dim=1)
    channels = low.shape[1]
    r = 0.5**0.5
    plus = bands.new_full((channels, 1, 2), r)
    minus = plus.clone()
    minus[..., 1] = -r

    def down(x: Tensor, kernel: Tensor) -> Tensor:
        return F.conv_transpose2d(x, kernel[..., None], stride=(2, 1), groups=channels)

    def along(x: Tensor, kernel: Tensor) -> Tensor:
        return F.conv_transpose2d(x, kernel[:, :, None], stride=(1, 2), groups=channels)

    return along(down(low, plus) + down(rows, minus), plus) + along(down(columns, plus) + down(both, minus), minus)


def _exported(state: dict[str, Tensor], ws: Tensor, size: int) -> Tensor:
    state = {key.removeprefix("synthesis_network."): value for key, value in state.items()}

    def style(name: str, row: int, gain: float) -> Tensor:
        return (F.linear(ws[:, row], state[f"{name}.affine.weight"], state[f"{name}.affine.bias"]) * gain)[
            ..., None, None
        ]

    def finish(x: Tensor, name: str) -> Tensor:
        return F.leaky_relu(x + state[f"{name}.noise"] + state[f"{name}.bias"][:, None, None], 0.2)

    def separable(x: Tensor, name: str, row: int) -> Tensor:
        x = x * style(name, row, (9 * x.shape[1]) ** -0.5)
        x = F.conv2d(x, state[f"{name}.depthwise"], padding=1, groups=x.shape[1])
        return finish(F.conv2d(x, state[f"{name}.pointwise"]), name)

    def head(x: Tensor, name: str, row: int) -> Tensor:
        x = x * style(name, row, x.shape[1] ** -0.5)
        return _transposed_haar(F.conv2d(x, state[f"{name}.weight"], state[f"{name}.bias"]))

    x = state["const"] * style("first", 0, (9 * 512) ** -0.5)
    x = finish(F.conv2d(x, state["first.weight"], padding=1), "first")
    for block in range(7):
        name, row = f"blocks.{block}", 2 * block + 1
        x = _transposed_haar(x * style(f"{name}.up", row, 1.0))
        if 2 * x.shape[-1] < size or size == 1024:
            x = separable(separable(x, f"{name}.conv1", row), f"{name}.conv2", row + 1)
            if 2 * x.shape[-1] == size:
                return head(x, f"heads.{size}", row + 2)
            continue
        convs = sum(1 for key in state if re.fullmatch(rf"heads\.{size}\.convs\.\d+\.bias", key))
        for index in range(convs):
            x = separable(x, f"heads.{size}.convs.{index}", row + index)
        return head(x, f"heads.{size}.head", row + convs)
    raise ValueError(f"no exit of {size} px")


if __name__ == "__main__":
    main()
