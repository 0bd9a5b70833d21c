"""Small TOML files that people read and change: read with one line for what is wrong, written whole or not at all."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, TypeVar

import tomli_w

from stitchedit.errors import ProjectError
from stitchedit.files.atomic import atomic

LIMIT = 16 << 20  # bytes
Value = TypeVar("Value")


def read_toml(path: Path) -> dict[str, Any]:
    """Raises ProjectError, where it is not there, too large or no TOML."""
    try:
        if path.stat().st_size > LIMIT:
            raise ProjectError(f"{path} is too large for a table", "remove it, and it is made again")
        return tomllib.loads(path.read_text(encoding="utf-8", errors="surrogateescape"))
    except OSError as exc:
        raise ProjectError(f"{path} cannot be read: {exc.strerror}", "run `stitchedit film` on the film again") from exc
    except (tomllib.TOMLDecodeError, RecursionError) as exc:
        raise ProjectError(f"{path} is no TOML: {exc}", "mend that line, or remove the file to have it made") from exc


def write_toml(path: Path, data: dict[str, Any], comment: str = "") -> None:
    """Raises NotWritable, DiskFull."""
    head = "".join(f"# {line}\n" for line in comment.splitlines())
    with atomic(path) as temp:
        temp.write_text(head + tomli_w.dumps(data), encoding="utf-8", errors="surrogateescape")


def value_of(table: dict[str, Any], key: str, kind: type[Value], where: str, default: Value | None = None) -> Value:
    """An entry of a table. Raises ProjectError, where it is missing or of another kind."""
    value = table.get(key, default)
    if isinstance(value, bool) != (kind is bool) or not isinstance(value, kind):
        raise ProjectError(f"{where} has {key} = {value!r}", f"give {kind.__name__}, or remove the file")
    return value


def tables_of(data: dict[str, Any], key: str, where: str) -> list[dict[str, Any]]:
    """A list of tables. Raises ProjectError."""
    found = data.get(key, [])
    if not isinstance(found, list) or not all(isinstance(entry, dict) for entry in found):
        raise ProjectError(f"{where}: [[{key}]] are no tables", "mend it, or remove the file to have it made")
    return found
