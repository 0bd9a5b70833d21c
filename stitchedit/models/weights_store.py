"""The folder of imported weights: names, records, hashes. Knows nothing of networks.

$STITCHEDIT_HOME/weights, else the user's folder for data (on Linux ~/.local/share/stitchedit/weights; XDG_DATA_HOME):
    ffhq.safetensors    the network, see stitchedit.stylegan2.stored
    ffhq.toml           the record: hashes, sizes, architecture, licence, source
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import tomli_w
from platformdirs import user_data_path

from stitchedit.errors import ConfigError, HashMismatch, NotFetched, UnknownCheckpoint
from stitchedit.files.atomic import atomic
from stitchedit.files.hashing import file_sha256, known_sha256

DEFAULT = "default"  # the name of the generator that comes with stitchedit
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_RECORD_LIMIT = 64 << 10  # bytes
_SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Record:
    """What is known of stored weights."""

    name: str
    role: str  # generator, encoder or features
    kind: str  # where the file came from: nvidia, tensorflow, rosinality, stit, e4e, psp, alexnet, lpips, tensors
    architecture: str  # stylegan2, e4e, psp, alexnet or lpips
    made_for: str  # what directions name; empty where it has no meaning
    resolution: int  # pixels of a generator's picture, else 0
    parameters: int  # numbers in the network
    sha256: str  # of the stored file
    bytes: int  # of the stored file
    file: str  # name of the file that was imported
    file_sha256: str
    file_bytes: int
    licence: str
    source: str
    imported: str  # date, ISO 8601, UTC
    notes: tuple[str, ...] = ()


def home() -> Path:
    """The folder of imported weights."""
    own = os.environ.get("STITCHEDIT_HOME")
    if own:
        return Path(own) / "weights"
    return user_data_path("stitchedit", appauthor=False) / "weights"


def show(name: str) -> Record:
    """The record of imported weights.

    Raises: NotFetched, when there are none of that name; UnknownCheckpoint, when the record is damaged.
    """
    path = record_path(checked_name(name))
    try:
        if path.stat().st_size > _RECORD_LIMIT:
            raise UnknownCheckpoint(path, "its record is damaged", f"run `stitchedit weights remove {name}`")
        data = tomllib.loads(path.read_text(encoding="utf-8", errors="surrogateescape"))
        return _record(data, name)
    except (FileNotFoundError, NotADirectoryError):
        raise NotFetched(name, known_hint()) from None
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError, TypeError) as exc:
        hint = f"run `stitchedit weights remove {name}` and import the file again"
        raise UnknownCheckpoint(path, "its record is damaged", hint) from exc


def save_record(record: Record) -> None:
    """Raises NotWritable, DiskFull."""
    with atomic(record_path(record.name)) as temp:
        temp.write_text(
            tomli_w.dumps({"schema": _SCHEMA, **asdict(record)}), encoding="utf-8", errors="surrogateescape"
        )


def remove(name: str) -> None:
    """Forget imported weights. Raises NotFetched, when there are none of that name; ConfigError for the default."""
    if name == DEFAULT:
        raise ConfigError("the default generator belongs to stitchedit and cannot be removed")
    paths = [record_path(checked_name(name)), stored_path(name)]
    if not any(path.exists() for path in paths):
        raise NotFetched(name, known_hint())
    for path in paths:
        path.unlink(missing_ok=True)


def check(name: str, *, again: bool = False) -> Path:
    """The stored file, its hash compared, once a process unless `again`. Raises HashMismatch, NotFetched."""
    path, record = stored_path(name), show(name)
    if not path.is_file():
        raise NotFetched(name, f"its file is gone: run `stitchedit weights remove {name}` and import it again")
    found = file_sha256(path) if again else known_sha256(path)
    if found != record.sha256:
        raise HashMismatch(path, record.sha256, found)
    return path


def names() -> list[str]:
    return sorted(p.stem for p in home().glob("*.toml") if _NAME.fullmatch(p.stem))


def is_stored(name: str) -> bool:
    return bool(_NAME.fullmatch(name)) and record_path(name).is_file()


def stored_path(name: str) -> Path:
    return home() / f"{name}.safetensors"


def record_path(name: str) -> Path:
    return home() / f"{name}.toml"


def checked_name(name: str) -> str:
    if not _NAME.fullmatch(name) or name == DEFAULT:
        raise ConfigError(f"'{name}' cannot be the name of weights", "use small letters, digits, '.', '_' and '-'")
    return name


def known_hint() -> str:
    known = ", ".join([DEFAULT, *names()])
    return f"known are {known}; `stitchedit weights import FILE` brings more, a path works too"


def _record(data: Mapping[str, Any], name: str) -> Record:
    """Raises TypeError for missing fields or wrong types."""
    if data.get("schema") != _SCHEMA or data.get("name") != name:
        raise TypeError("another schema or name")
    values = {f.name: data[f.name] for f in fields(Record) if f.name in data}
    values["notes"] = tuple(str(note) for note in values.get("notes", ()))
    record = Record(**values)
    for field in fields(Record):
        expected = {"int": int, "str": str}.get(str(field.type), tuple)
        if not isinstance(getattr(record, field.name), expected):
            raise TypeError(f"{field.name} is of another type")
    return record


def require_known(name: str) -> None:
    """Raises NotFetched, when a name is neither the default's, nor that of imported weights, nor a file."""
    if name != DEFAULT and not is_stored(name) and not Path(name).exists():
        raise NotFetched(name, known_hint())
