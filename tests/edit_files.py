"""Files of edits as the repositories of this field write them, in small: for tests and for the fuzzer."""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from checkpoint_files import torch_file

ROWS, WIDTH = 10, 8  # of W+
LAYERS = (8, 8, 6)  # channels of a StyleSpace


def numbers(*shape: int, seed: int = 0) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def npy(array: np.ndarray[Any, Any]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def tensor(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(numbers(*shape, seed=seed))


def mapper(levels: tuple[str, ...] = ("course", "medium", "fine"), width: int = WIDTH) -> dict[str, torch.Tensor]:
    """The state of a StyleCLIP mapper; no level is one mapper for all rows."""
    state = {}
    for number, level in enumerate(levels or ("",)):
        for layer in range(1, 5):
            name = f"mapper.{level}_mapping.mapping.{layer}" if level else f"mapper.mapping.mapping.{layer}"
            state[f"{name}.weight"] = 100 * tensor(width, width, seed=10 * number + layer)
            state[f"{name}.bias"] = 20 * tensor(width, seed=50 + 10 * number + layer)
    return state


def decoder(rows: int) -> dict[str, torch.Tensor]:
    """As much of a generator as says how many rows of W+ it has."""
    return {f"decoder.convs.{k}.conv.weight": torch.zeros(1, 1, 1, 1, 1) for k in range(rows - 2)}


def transformer(rows: int = ROWS, width: int = WIDTH) -> dict[str, torch.Tensor]:
    state = {}
    for row in range(rows):
        state[f"dense.{row}.weight"] = tensor(width, width, seed=row)
        state[f"dense.{row}.bias"] = tensor(width, seed=100 + row)
    return state


def ganspace(count: int = 5, width: int = WIDTH) -> dict[str, torch.Tensor]:
    """With the strides of e4e's ffhq_pca.pt: the components lie in the columns of a matrix."""
    axes = torch.linalg.qr(tensor(width, width))[0][:, :count]
    return {"mean": tensor(1, width, seed=1), "comp": axes.T[:, None], "std": tensor(count, seed=2).abs() + 0.1}


def statistics(layers: tuple[int, ...] = LAYERS) -> bytes:
    """S_mean_std: means and deviations of each layer, pickled by protocol 3 as in 2021."""
    means = [numbers(n, seed=k) for k, n in enumerate(layers)]
    return pickle.dumps([means, [np.abs(m) + np.float32(0.5) for m in means]], protocol=3)


PLUS = numbers(ROWS, WIDTH)
# kind -> the bytes of a file
WRITTEN: dict[str, Callable[[], bytes]] = {
    "InterFaceGAN boundary": lambda: npy(numbers(1, WIDTH).astype(np.float64)),
    "conditional boundary": lambda: npy(numbers(1, WIDTH, seed=3)),
    "STIT": lambda: npy(np.repeat(numbers(1, WIDTH), ROWS, 0).astype(np.float64)),
    "e4e, HyperStyle": lambda: torch_file(tensor(1, WIDTH)),
    "e4e pose": lambda: torch_file(tensor(1, WIDTH).expand(ROWS, WIDTH)[None].clone()),
    "SFE boundary": lambda: npy(PLUS.reshape(1, -1)),
    "StyleGANEX": lambda: torch_file({"opts": {}, "editing_w": torch.stack([tensor(ROWS, WIDTH)] * 2)}),
    "GANSpace": lambda: torch_file(ganspace()),
    "SeFa": lambda: torch_file({"ckpt": "x.pt", "eigvec": torch.linalg.qr(tensor(WIDTH, WIDTH))[0]}),
    "styles": lambda: torch_file([tensor(1, n, seed=n) for n in LAYERS]),
    "S_mean_std": statistics,
    "fs3": lambda: npy(numbers(200, 32)),
    "mapper": lambda: torch_file({"state_dict": {**mapper(), **decoder(ROWS)}, "opts": {"stylegan_size": 64}}),
    "one mapper": lambda: torch_file({"state_dict": mapper(())}),
    "Latent Transformer": lambda: torch_file(transformer()),
    "its checkpoint": lambda: torch_file({"n_epoch": 3, "T_net_state_dict": transformer(), "opt_state_dict": {}}),
}  # fmt: skip
