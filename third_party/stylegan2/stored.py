"""Checkpoints in stitchedit's own safetensors files: what `stitchedit weights import` keeps.

The header's texts tell kind, role, configuration and options; tensors stand by their names. The bytes of a file depend
on nothing but its content.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from stitchedit.errors import Refused
from stitchedit.stylegan2.unpickle import printable

if TYPE_CHECKING:
    from stitchedit.stylegan2.checkpoints import Checkpoint

FORMAT = "stitchedit-weights-1"
_LATENT_AVG = "latent_avg"  # beside the network's tensors, none of which has this name
_TYPES = {torch.float32: "F32", torch.int64: "I64"}


def write_stored(checkpoint: Checkpoint, path: Path, texts: Mapping[str, str]) -> None:
    """Network and `latent_avg` of a checkpoint as one file; a STIT run's pivots and quads are left out.

    Args: texts: more for the header, such as the licence.
    """
    tensors = dict(checkpoint.state)
    if checkpoint.latent_avg is not None:
        tensors[_LATENT_AVG] = checkpoint.latent_avg
    metadata = {
        **texts,
        "format": FORMAT,
        "kind": str(checkpoint.kind),
        "role": checkpoint.role,
        "config": json.dumps(checkpoint.config, sort_keys=True),
        "options": json.dumps(checkpoint.options, sort_keys=True),
        "notes": json.dumps(checkpoint.notes),
    }
    header: dict[str, Any] = {"__metadata__": metadata}
    at = 0
    names = sorted(tensors, key=lambda name: (-tensors[name].element_size(), name))  # wide first: all stay aligned
    for name in names:
        tensor = tensors[name]
        end = at + tensor.numel() * tensor.element_size()
        header[name] = {"dtype": _TYPES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [at, end]}
        at = end
    text = json.dumps(header, sort_keys=True).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for name in names:
            file.write(tensors[name].detach().contiguous().reshape(-1).numpy().data)


def is_stored(metadata: Mapping[str, str]) -> bool:
    return metadata.get("format") == FORMAT


def parts_of(metadata: Mapping[str, str], tensors: dict[str, Tensor]) -> dict[str, Any]:
    """The fields of `Checkpoint` from a file of `write_stored`; the tensors are not looked at. Raises Refused."""
    try:
        config = json.loads(metadata["config"])
        options = json.loads(metadata["options"])
        notes = tuple(printable(note, 200) for note in json.loads(metadata["notes"]))
        if isinstance(config.get("channels"), dict):
            config["channels"] = {int(size): int(count) for size, count in config["channels"].items()}
        latent_avg = tensors.pop(_LATENT_AVG, None)
        return {
            "kind": metadata["kind"],
            "role": metadata["role"],
            "config": dict(config),
            "state": tensors,
            "latent_avg": latent_avg,
            "options": dict(options),
            "notes": notes,
        }
    except (KeyError, ValueError, TypeError, AttributeError, RecursionError) as exc:
        raise Refused(f"its description is damaged ({printable(str(exc), 60)})") from exc
