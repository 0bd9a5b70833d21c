"""The values of `stitchedit.types` as files of the project, and back. Nothing in these files is ever executed."""

from __future__ import annotations

import json
import logging
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from torch import Tensor

from stitchedit.config import PARTS
from stitchedit.errors import ProjectError, Refused
from stitchedit.files.array_files import save_arrays, save_tensors
from stitchedit.files.image_folder import PictureFolder
from stitchedit.files.npy import read_npy
from stitchedit.files.utf8_path import utf8_path
from stitchedit.models.generator import Generator, HasStyleSpace
from stitchedit.types import (
    AskedChange,
    Crops,
    EditedLatents,
    FacePoints,
    FaceState,
    FloatArray,
    Latents,
    PartMove,
    Tracks,
)

log = logging.getLogger(__name__)

ARRAY_LIMIT = 1 << 30  # bytes; more than a day of video needs
FAR_PX = 1_000_000  # no face is that far away
MAX_PIXELS = 1 << 27  # of a picture, as for videos
T = TypeVar("T")
Shape = tuple[int | None, ...]


def save_tracks(path: Path, tracks: Tracks) -> None:
    rate = np.array([tracks.rate.numerator, tracks.rate.denominator])
    size = np.array(tracks.frame_size)
    arrays: dict[str, NDArray[Any]] = {"landmarks": tracks.landmarks, "state": tracks.state, "cuts": tracks.cuts}
    arrays["scores"] = tracks.scores
    save_arrays(path, arrays | {"frame_size": size, "rate": rate})


def load_tracks(path: Path) -> Tracks:
    """Raises ProjectError."""
    arrays = load_arrays(path)

    def build() -> Tracks:
        landmarks, state = arrays["landmarks"].astype(np.float32), arrays["state"].astype(np.uint8)
        _must(landmarks.shape == (len(state), 68, 2), "landmarks and states do not fit")
        _must(bool((state <= max(FaceState)).all()), "states that there are not")
        _near(landmarks[state != FaceState.ABSENT], FAR_PX)
        width, height = (int(v) for v in arrays["frame_size"])
        _must(0 < width <= FAR_PX and 0 < height <= FAR_PX and width * height <= MAX_PIXELS, "pictures of no such size")
        numerator, denominator = (int(v) for v in arrays["rate"])
        _must(numerator > 0 and denominator > 0, "no such frame rate")
        cuts = arrays["cuts"].astype(np.int64)
        _must(cuts.ndim == 1, "no list of cuts")
        scores = arrays.get("scores", np.empty(0)).astype(np.float32)
        _must(scores.shape in ((0,), state.shape), "scores and states do not fit")
        return Tracks(landmarks, state, (width, height), Fraction(numerator, denominator), cuts, scores)

    return _understood(path, build)


def save_crops(folder: Path, crops: Crops, points: FacePoints) -> None:
    """The geometry beside the pictures, which a `PictureFolder` has written already."""
    arrays: dict[str, NDArray[Any]] = {"frames": crops.frames, "quads": crops.quads, "points": points.points}
    save_arrays(folder / "crops.npz", arrays | {"size": np.array(crops.size)})


def load_crops(folder: Path) -> tuple[Crops, FacePoints]:
    """Raises ProjectError."""
    path = folder / "crops.npz"
    arrays = load_arrays(path)

    def build() -> tuple[Crops, FacePoints]:
        frames, quads = arrays["frames"].astype(np.int64), arrays["quads"].astype(np.float32)
        points, size = arrays["points"].astype(np.float32), int(arrays["size"])
        _must(frames.ndim == 1 and len(frames) > 0 and frames[0] >= 0, "no list of frames")
        _must(bool((np.diff(frames) > 0).all()), "frames out of order")
        _must(quads.shape == (len(frames), 4, 2), "quads and frames do not fit")
        _must(points.ndim == 3 and len(points) == len(frames) and points.shape[2] == 2, "points do not fit")
        _must(4 <= size <= 8192, f"crops of {size} pixels")
        _near(quads, FAR_PX)
        _near(points, 100)
        _must(bool((np.linalg.norm(quads[:, 2] - quads[:, 0], axis=1) > 1).all()), "quads without an inside")
        return Crops(frames, quads, PictureFolder(folder, len(frames), size), size), FacePoints(points)

    return _understood(path, build)


def save_latents(path: Path, latents: Latents) -> None:
    save_tensors(path, {"ws": torch.from_numpy(np.ascontiguousarray(latents.ws))}, {})


def load_latents(path: Path, generator: Generator, count: int) -> Latents:
    """Raises ProjectError, when the codes are not `count` of this generator's."""
    ws = load_tensors(path)[0].get("ws", torch.empty(0)).float().numpy()
    if not np.isfinite(ws).all():
        raise ProjectError(f"{path} holds codes that are no numbers", "invert the clip again")
    rows = (1, generator.num_ws)
    if ws.ndim != 3 or ws.shape[0] != count or ws.shape[1] not in rows or ws.shape[2] != generator.w_dim:
        expected = f"[{count}, 1 or {generator.num_ws}, {generator.w_dim}]"
        raise ProjectError(f"{path} holds codes of shape {list(ws.shape)}, not {expected}", "invert the clip again")
    return Latents(ws)


def save_moves(path: Path, edited: EditedLatents, asked: Sequence[AskedChange]) -> None:
    """The codes of an edit, and what they were to do."""
    tensors = {"ws": torch.from_numpy(np.ascontiguousarray(edited.ws))}
    if edited.offsets is not None:
        tensors["offsets"] = torch.from_numpy(np.ascontiguousarray(edited.offsets))
    tensors |= {f"part.{k}": torch.from_numpy(np.ascontiguousarray(move.ws)) for k, move in enumerate(edited.parts)}
    tensors |= {f"asked.{k}": torch.from_numpy(np.array(a.amounts, np.float32)) for k, a in enumerate(asked)}
    told = [{"direction": a.direction, "attribute": a.attribute, "unit": a.unit} for a in asked]
    parts = [move.part for move in edited.parts]
    save_tensors(path, tensors, {"asked": json.dumps(told)} | ({"parts": json.dumps(parts)} if parts else {}))


def load_moves(path: Path, generator: Generator, count: int) -> tuple[EditedLatents, list[AskedChange]]:
    """Raises ProjectError, when they are not of `count` frames and this generator."""
    tensors, header = load_tensors(path)

    def offsets() -> FloatArray | None:
        if "offsets" not in tensors:
            return None
        _must(isinstance(generator, HasStyleSpace), "styles of a generator that has none")
        assert isinstance(generator, HasStyleSpace)
        moved: FloatArray = tensors["offsets"].float().numpy()
        total = sum(channels for _, channels in generator.style_layers())
        _must(moved.shape in {(1, total), (count, total)}, "what is added to styles and the generator do not fit")
        _must(bool(np.isfinite(moved).all()), "what is added to styles is no number")
        return moved

    def parts() -> tuple[PartMove, ...]:
        names = json.loads(header.get("parts", "[]"))
        _must(isinstance(names, list) and all(name in PARTS for name in names), "parts of an edit that are not known")
        moved = [tensors[f"part.{k}"].float().numpy() for k in range(len(names))]
        shape = (count, generator.num_ws, generator.w_dim)
        _must(all(ws.shape == shape and bool(np.isfinite(ws).all()) for ws in moved), "codes of parts do not fit")
        return tuple(PartMove(*pair) for pair in zip(names, moved, strict=True))

    ws = load_latents(path, generator, count).ws
    edited = EditedLatents(ws, offsets=_understood(path, offsets), parts=_understood(path, parts))
    return edited, load_asked(path, count)


def load_asked(path: Path, count: int) -> list[AskedChange]:
    """What an edit was to do in each of `count` frames. Raises ProjectError."""
    tensors, header = load_tensors(path)

    def build() -> list[AskedChange]:
        told = json.loads(header["asked"])
        amounts = [tensors[f"asked.{k}"].float().numpy() for k in range(len(told))]
        _must(all(a.shape == (count,) and bool(np.isfinite(a).all()) for a in amounts), "amounts and frames do not fit")
        pairs = zip(told, amounts, strict=True)
        return [AskedChange(str(t["direction"]), str(t["attribute"]), str(t["unit"]), a) for t, a in pairs]

    return _understood(path, build)


def load_into(path: Path, generator: Generator) -> None:
    """Put tuned weights into a generator of the same kind. Raises ProjectError."""
    state, _ = load_tensors(path)
    try:
        generator.load_state_dict(state)
    except (RuntimeError, KeyError, ValueError) as exc:
        raise ProjectError(f"{path} does not fit the project's generator", "invert the clip again") from exc


def load_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors and header texts. Raises ProjectError."""
    try:
        with utf8_path(path) as name, safe_open(name, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except (OSError, SafetensorError, ValueError) as exc:
        raise ProjectError(f"{path} cannot be read: {exc}", "invert the clip again") from exc


def load_checkpoint(path: Path, fingerprint: str, shapes: Mapping[str, Shape]) -> dict[str, Tensor] | None:
    """The state of an unfinished stage, if it is there, whole, and of the same inputs.

    Args:
        shapes: what it must hold, None for a length that may be any. With the weights "X.name" it may hold their two
            moments "exp_avg.name" and "exp_avg_sq.name" and the count "adam_step.name".
    """
    if not path.exists():
        return None
    try:
        state, metadata = load_tensors(path)
    except ProjectError as exc:
        log.warning("%s: the stage starts anew", exc)
        return None
    if metadata.get("fingerprint") != fingerprint:
        return None
    allowed = dict(shapes)
    for key, shape in shapes.items():
        name = key.partition(".")[2]
        if name and f"exp_avg.{name}" in state:
            allowed |= {f"exp_avg.{name}": shape, f"exp_avg_sq.{name}": shape, f"adam_step.{name}": (1,)}
    if set(state) != set(allowed) or not all(_holds(state[key], shape) for key, shape in allowed.items()):
        log.warning("%s does not hold what it should: the stage starts anew", path)
        return None
    return state


def tuning_shapes(generator: Generator, latents: Latents) -> dict[str, Shape]:
    """What a checkpoint of tuning holds."""
    frames, *code = latents.ws.shape
    shapes: dict[str, Shape] = {f"generator.{name}": tuple(t.shape) for name, t in generator.state_dict().items()}
    shapes |= {f"codes.{k}": tuple(code) for k in range(frames)}
    return shapes | {"curve": (None, 3), "frame_loss": (frames,), "ramp_from": (1,)}


def stitching_shapes(named: Iterable[tuple[str, Tensor]]) -> dict[str, Shape]:
    """What a checkpoint of a stitching chain with these weights holds."""
    weights: dict[str, Shape] = {f"parameter.{name}": tuple(t.shape) for name, t in named}
    return weights | {"done": (1,), "log": (None, 2)}


def _holds(tensor: Tensor, shape: Shape) -> bool:
    """Whether a tensor has this shape and holds numbers; losses of frames not seen yet are infinite."""
    fits = len(shape) == tensor.ndim and all(
        want in (None, have) for want, have in zip(shape, tensor.shape, strict=True)
    )
    return fits and not bool(tensor.isnan().any())


def load_arrays(path: Path) -> dict[str, NDArray[Any]]:
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            claimed = sum(entry.file_size for entry in entries)
            if claimed > min(ARRAY_LIMIT, path.stat().st_size):  # `np.savez` does not compress
                raise ProjectError(f"{path} claims to hold {claimed >> 20} MB of numbers", "invert the clip again")
            return {entry.filename.removesuffix(".npy"): _array(archive.read(entry)) for entry in entries}
    except (OSError, ValueError, Refused, RuntimeError, EOFError, zipfile.BadZipFile, zlib.error, struct.error) as exc:
        raise ProjectError(f"{path} cannot be read: {exc}", "invert the clip again") from exc


def _array(data: bytes) -> NDArray[Any]:
    return read_npy(memoryview(bytearray(data)), "fiubU", ARRAY_LIMIT)  # of bytes that can be written to


def _understood(path: Path, build: Callable[[], T]) -> T:
    try:
        return build()
    except (KeyError, ValueError, TypeError, OverflowError, ZeroDivisionError) as exc:
        raise ProjectError(f"{path} is damaged: {exc}", "invert the clip again") from exc


def _near(values: FloatArray, limit: float) -> None:
    _must(bool((np.abs(values) <= limit).all()), f"positions beyond {limit}, or none")  # false for NaN


def _must(condition: bool, what: str) -> None:
    if not condition:
        raise ValueError(what)
