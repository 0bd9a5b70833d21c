"""Fit the 256 and 512 px exits of the default generator: linear heads, least squares in closed form.

    python scripts/fit_exits.py BASE.safetensors EXITS.safetensors [--samples 48]

A head maps the features of half its size to the 12 wavelet channels of the full image, averaged down. BASE is the
file of scripts/build_default_model.py.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from stitchedit.generator import read_generator, write_safetensors
from stitchedit.mobilestylegan import MobileStyleGAN, haar

SIZES = (256, 512)
LICENCE = "fitted to mobilestylegan_ffhq_1024.safetensors, under the same terms"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("base", type=Path)
    parser.add_argument("exits", type=Path)
    parser.add_argument("--samples", type=int, default=48)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    generator = read_generator(args.base)
    assert isinstance(generator, MobileStyleGAN)
    state = fit(generator, args.samples, args.seed)
    metadata = {"heads": json.dumps({str(size): "linear" for size in SIZES}), "licence": LICENCE}
    write_safetensors({key: value.half() for key, value in state.items()}, metadata, args.exits)


def sample(generator: MobileStyleGAN, random: torch.Generator) -> Tensor:
    """One code [1, num_ws, w_dim] with a truncation psi drawn from 0.5 to 1."""
    psi = 0.5 + 0.5 * torch.rand((), generator=random).item()
    return generator.mapping(torch.randn(1, generator.z_dim, generator=random), truncation_psi=psi)


@torch.no_grad()
def fit(generator: MobileStyleGAN, samples: int, seed: int) -> dict[str, Tensor]:
    """State of the linear heads by least squares over all pixels of the samples."""
    random = torch.Generator().manual_seed(seed)
    sums: dict[int, tuple[Tensor, Tensor]] = {}
    for number in range(samples):
        ws = sample(generator, random)
        image = generator.synthesis(ws)
        for size in SIZES:
            features, _ = generator.synthesis_network.features(ws, size // 2)
            x = F.pad(features[0].flatten(0, 1), (0, 1), value=1.0)  # [S * S, C + 1], the last column for the bias
            small = F.interpolate(image, size=(size, size), mode="area")
            bands = haar(small.permute(0, 2, 3, 1))[0].flatten(0, 1)  # [S * S, 12]
            gram, moments = (x.T @ x).double(), (x.T @ bands).double()
            if size in sums:
                gram, moments = gram + sums[size][0], moments + sums[size][1]
            sums[size] = (gram, moments)
        print(f"\r{number + 1} of {samples} samples", end="", flush=True)
    print()
    state = {}
    for size, (gram, moments) in sums.items():
        ridge = 1e-7 * gram.diagonal().mean() * torch.eye(len(gram), dtype=gram.dtype)
        head = torch.linalg.solve(gram + ridge, moments).T.float()  # [12, C + 1]
        state[f"synthesis_network.heads.{size}.weight"] = head[:, :-1, None, None].contiguous()
        state[f"synthesis_network.heads.{size}.bias"] = head[:, -1].contiguous()
    return state


if __name__ == "__main__":
    main()
