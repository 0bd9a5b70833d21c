"""The record of finished stages, in `project.toml` and an edit's `edit.toml`."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import tomli_w

from stitchedit.errors import NotAProject, ProjectError, SchemaTooNew, StageMissing
from stitchedit.files.atomic import atomic

SCHEMA = 1
RECORD_LIMIT = 4 << 20  # bytes; a longer project.toml is not one of ours
Inputs = Mapping[str, str]


class Records:
    """The finished stages listed in one TOML file, `project.toml` or an edit's `edit.toml`."""

    def __init__(self, path: Path, data: dict[str, Any]) -> None:
        self.path, self.data = path, data

    @classmethod
    def read(cls, path: Path) -> Records:
        """Raises NotAProject, when there is none; SchemaTooNew; ProjectError, when it cannot be understood."""
        try:
            if path.stat().st_size > RECORD_LIMIT:
                raise ProjectError(f"{path} is no project record: it is too large", "invert the clip again")
            data = tomllib.loads(path.read_text(encoding="utf-8", errors="surrogateescape"))
        except (FileNotFoundError, NotADirectoryError):
            raise NotAProject(path.parent) from None
        except (tomllib.TOMLDecodeError, RecursionError) as exc:
            raise ProjectError(f"{path} is damaged: {exc}", "invert the clip again into a new --project") from exc
        except OSError as exc:
            raise ProjectError(f"{path} cannot be read: {exc.strerror}", "check the folder's rights") from exc
        schema = data.get("schema")
        if not isinstance(schema, int):
            raise ProjectError(f"{path} names no schema", "invert the clip again into a new --project")
        if schema > SCHEMA:
            raise SchemaTooNew(path.parent, schema, SCHEMA)
        stages = data.setdefault("stages", {})
        if not isinstance(stages, dict) or not all(is_record(s) for s in stages.values()):
            raise ProjectError(f"{path} is damaged: its stages are no records", "invert the clip again")
        if not all(isinstance(data.get(table, {}), dict) for table in ("source", "settings", "notes")):
            raise ProjectError(f"{path} is damaged: its facts are no tables", "invert the clip again")
        return cls(path, data)

    @classmethod
    def open_or_create(cls, path: Path) -> Records:
        if path.exists():
            return cls.read(path)
        return cls(path, {"schema": SCHEMA, "stages": {}})

    def why_redo(self, stage: str, inputs: Inputs, results: list[Path]) -> str | None:
        """None, when the recorded result still holds; else the reason to do the stage (again)."""
        record = self.data["stages"].get(stage)
        if record is None:
            return "not done yet"
        for path in results:
            if not path.exists():
                return f"{path.name} is missing"
        old = record.get("inputs", {})
        for key in [*inputs, *(k for k in old if k not in inputs)]:
            if old.get(key) != inputs.get(key):
                return f"{key} was {_short(old.get(key))}, is {_short(inputs.get(key))}"
        return None

    def fingerprint(self, stage: str) -> str:
        """Hash of a finished stage's inputs. Raises StageMissing."""
        record = self.data["stages"].get(stage)
        if record is None:
            raise StageMissing(self.path.parent, stage)
        return str(record["fingerprint"])

    def finish(self, stage: str, inputs: Inputs, **facts: Any) -> None:
        """Record a stage whose results are in place."""
        self.data["stages"][stage] = {"fingerprint": fingerprint_of(inputs), "inputs": dict(inputs), **facts}
        self.save()

    def copy(self, stage: str, other: Records) -> None:
        """Take over another's record of a stage that both share, where there is one."""
        record = other.data["stages"].get(stage)
        if record is not None and record != self.data["stages"].get(stage):
            self.data["stages"][stage] = dict(record)
            self.save()

    def output(self, stage: str) -> tuple[Path, str | None]:
        """What a finished stage wrote outside of the project, and its hash (None: written before hashes were kept).

        Raises: StageMissing, when it was not finished.
        """
        inputs = self.inputs(stage)
        if "output" not in inputs:
            raise StageMissing(self.path.parent, stage)
        sha = self.data["stages"][stage].get("sha256")
        return Path(inputs["output"]), None if sha is None else str(sha)

    def inputs(self, stage: str) -> dict[str, str]:
        """What a finished stage's result depends on; empty, where there is none."""
        found = self.data["stages"].get(stage, {}).get("inputs", {})
        return {str(k): str(v) for k, v in found.items()} if isinstance(found, dict) else {}

    def seconds(self, stage: str) -> float | None:
        """How long a finished stage took; None: not on record."""
        took = self.data["stages"].get(stage, {}).get("seconds")
        return float(took) if isinstance(took, int | float) and 0 <= took < 1e9 else None

    def note(self, stage: str, key: str, value: str) -> None:
        """Keep a fact beside a finished stage; its result does not depend on it."""
        self.data["stages"][stage][key] = value
        self.save()

    def fact(self, stage: str, key: str) -> str:
        """What was noted; empty, where nothing was."""
        value = self.data["stages"].get(stage, {}).get(key, "")
        return value if isinstance(value, str) else ""

    def forget(self, stage: str) -> None:
        """Drop a stage's record before its files are touched, so that a killed run does it again."""
        if self.data["stages"].pop(stage, None) is not None:
            self.save()

    def save(self) -> None:
        with atomic(self.path) as temp:
            # Names of files may be no UTF-8: they are kept byte for byte.
            temp.write_text(tomli_w.dumps(self.data), encoding="utf-8", errors="surrogateescape")


def inputs_of(config: object, prefix: str = "") -> dict[str, str]:
    """A frozen dataclass of settings as flat strings, in the order of its fields.

    A field whose metadata says `recorded: changed` is left out at its default: older records, without it, hold.
    """
    flat: dict[str, str] = {}
    assert is_dataclass(config)
    for f in fields(config):
        value = getattr(config, f.name)
        if f.metadata.get("recorded") == "changed" and value == f.default:
            continue
        if is_dataclass(value):
            flat |= inputs_of(value, f"{prefix}{f.name}.")
        else:
            flat[prefix + f.name] = repr(value) if not isinstance(value, str) else value
    return flat


def fingerprint_of(inputs: Inputs) -> str:
    text = "\n".join(f"{k}={v}" for k, v in inputs.items())
    return hashlib.sha256(f"schema={SCHEMA}\n{text}".encode("utf-8", "surrogateescape")).hexdigest()


def is_record(stage: object) -> bool:
    """Whether it has what every stage's record has."""
    return (
        isinstance(stage, dict) and isinstance(stage.get("fingerprint"), str) and isinstance(stage.get("inputs"), dict)
    )


def _short(value: object) -> str:
    text = "absent" if value is None else str(value)
    return text if len(text) <= 24 else text[:12] + "…"
