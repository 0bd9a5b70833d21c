"""Weights of the small networks that come with stitchedit, from their safetensors files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from stitchedit.errors import UnknownCheckpoint
from stitchedit.files.utf8_path import utf8_path

Network = TypeVar("Network", bound=nn.Module)


def load_network(path: Path, format: str, build: Callable[[Mapping[str, Tensor]], Network]) -> Network:
    """The network that `build` makes to fit the tensors, with them in it: float32, CPU, eval mode, without gradients.

    Raises: UnknownCheckpoint, when the file's header does not name the format or its tensors do not fit.
    """
    try:
        with utf8_path(path) as name, safe_open(name, framework="pt") as file:
            if (file.metadata() or {}).get("format") != format:
                raise UnknownCheckpoint(path, f"it is no {format} file")
            state = {key: file.get_tensor(key).float() for key in file.keys()}  # noqa: SIM118
        network = build(state)
        network.load_state_dict(state)
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as exc:
        raise UnknownCheckpoint(path, f"it is damaged, or of a newer stitchedit ({exc})") from exc
    return network.eval().requires_grad_(False)
