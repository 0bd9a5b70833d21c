"""The project folder: what `invert` leaves for `edit`, readable by hand.

    clip.stitch/  project.toml    schema, source sha256, settings, one record a finished stage
                  tracks.npz  crops/  latents.safetensors (as encoded)
                  generator.safetensors and pivots.safetensors (as tuned)
                  edits/smile+2/     edit.toml  stitched/  stitch.json  sheet.png
                  persons/2/         the same of the second face that is edited, and so on (see `people`)

A stage's record keeps the inputs that its result depends on. Equal inputs: the stage is skipped. Different: it is
done again, and the difference is the reason that is printed. Every file is written beside its place, synced and
renamed, so that a run killed at any moment leaves the old or the new one, never half a file.
"""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import fields, is_dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import tomli_w

from stitchedit.errors import NotAProject, NotWritable, ProjectError, SchemaTooNew, StageMissing
from stitchedit.files.atomic import disk_error, sync_folder
from stitchedit.files.locks import Lock, refuse_strays, remove_parts
from stitchedit.project import log_file
from stitchedit.video.sequence_names import find_numbered, means_pictures, parse_fps, plain_name

log = logging.getLogger(__name__)

SCHEMA = 1
SUFFIX = ".stitch"
PERSONS = "persons"  # folder of the projects of further faces
INVERT_STAGES = ("track", "align", "encode", "tune")
MOST_FACES = 999
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
            data = tomllib.loads(path.read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            raise NotAProject(path.parent) from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as exc:
            raise ProjectError(f"{path} is damaged: {exc}", "invert the clip again into a new --project") from exc
        except OSError as exc:
            raise ProjectError(f"{path} cannot be read: {exc.strerror}", "check the folder's rights") from exc
        schema = data.get("schema")
        if not isinstance(schema, int):
            raise ProjectError(f"{path} names no schema", "invert the clip again into a new --project")
        if schema > SCHEMA:
            raise SchemaTooNew(path.parent, schema, SCHEMA)
        stages = data.setdefault("stages", {})
        if not isinstance(stages, dict) or not all(_is_record(s) for s in stages.values()):
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
        self.data["stages"][stage] = {"fingerprint": fingerprint(inputs), "inputs": dict(inputs), **facts}
        self.save()

    def copy(self, stage: str, other: Records) -> None:
        """Take over another's record of a stage that both share, where there is one."""
        record = other.data["stages"].get(stage)
        if record is not None and record != self.data["stages"].get(stage):
            self.data["stages"][stage] = dict(record)
            self.save()

    def note_output(self, stage: str, output: Path) -> None:
        """Keep the hash of what a finished stage wrote outside of the project, by which it is known again."""
        record = self.data["stages"][stage]
        if "sha256" not in record:
            record["sha256"] = clip_sha256(output)
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

    def forget(self, stage: str) -> None:
        """Drop a stage's record before its files are touched, so that a killed run does it again."""
        if self.data["stages"].pop(stage, None) is not None:
            self.save()

    def save(self) -> None:
        with atomic(self.path) as temp:
            temp.write_text(tomli_w.dumps(self.data), encoding="utf-8")


class Project:
    """A project folder that is open, and locked as long as this object lives: `create` alone, `open` with others."""

    def __init__(self, root: Path, records: Records, *locks: Lock) -> None:
        self.root, self.records = root, records
        self._locks = list(locks)

    @classmethod
    def create(cls, root: Path) -> Project:
        """Open the project in `root` to write in it, making the folder if needed.

        Raises: NotWritable; InUse, when another process has it open; ProjectError.
        """
        make_folder(root)
        lock = Lock(root, alone=True)
        refuse_strays(root)
        _told(root)
        remove_parts(root)
        remove_parts(root / "crops")
        return cls(root, Records.open_or_create(root / "project.toml"), lock)

    @classmethod
    def open(cls, root: Path) -> Project:
        """Raises NotAProject; SchemaTooNew; InUse, while another process writes in it; ProjectError."""
        locks = [Lock(root, alone=False)]
        outer = root.resolve().parents[1] if root.resolve().parent.name == PERSONS else None
        if outer is not None and (outer / "project.toml").is_file():  # who writes there writes here too
            locks.append(Lock(outer, alone=False))
        refuse_strays(root)
        if (root / "project.toml").is_file():
            _told(root)
        return cls(root, Records.read(root / "project.toml"), *locks)

    @property
    def source(self) -> Path:
        """The clip; kept relative to the project, so that both can move together."""
        return Path(os.path.normpath(self.root / self.fact("source", "path")))

    @property
    def fps(self) -> Fraction | None:
        """The frame rate that a source of numbered pictures was given. Raises ConfigError, when it is none."""
        if "fps" not in self.records.data.get("source", {}):
            return None
        return parse_fps(self.fact("source", "fps"))

    def fact(self, table: str, key: str) -> str:
        """A string of project.toml. Raises ProjectError, when it is not there."""
        value = self.records.data.get(table, {}).get(key)
        if not isinstance(value, str) or "\0" in value:
            raise ProjectError(f"{self.records.path} lacks {table}.{key}", "run `stitchedit invert` on the clip again")
        return value

    def take_source(self, clip: Path, *, preset: str, generator: str, fps: Fraction | None = None) -> str:
        """Note which clip this is and how it is worked on; gives the clip's sha256. Raises CannotOpen."""
        sha = clip_sha256(clip)
        relative = os.path.relpath(clip.resolve(), self.root.resolve())
        self.records.data["source"] = {"path": relative, "sha256": sha}
        if fps is not None:
            self.records.data["source"]["fps"] = str(fps)
        settings: dict[str, Any] = self.records.data.get("settings", {})
        kept = {key: value for key, value in settings.items() if key == "faces"}
        self.records.data["settings"] = {"preset": preset, "generator": generator, **kept}
        self.records.save()
        return sha

    @property
    def faces(self) -> int:
        """How many faces are edited together, each in a project of its own, of which this is the first.

        Raises: ProjectError.
        """
        count = self.records.data.get("settings", {}).get("faces", 1)
        if not isinstance(count, int) or not 1 <= count <= MOST_FACES:
            raise ProjectError(f"{self.records.path} is damaged: it names {count!r} faces", "invert the clip again")
        return count

    def take_faces(self, count: int) -> None:
        settings = self.records.data["settings"]
        settings.pop("faces", None)
        if count > 1:
            settings["faces"] = count
        self.records.save()

    def face_root(self, number: int) -> Path:
        """The project of the face with this number, from 1."""
        return self.root if number == 1 else self.root / PERSONS / str(number)

    def discard_if_empty(self) -> None:
        """Remove a project that holds no result: its record, and the folder if nothing else is in it."""
        if not self.records.data["stages"]:
            for path in (self.records.path, self.root / log_file.NAME):
                path.unlink(missing_ok=True)
            with suppress(OSError):
                self.root.rmdir()
                if self.root.parent.name == PERSONS:
                    self.root.parent.rmdir()

    def note(self, key: str, text: str) -> None:
        """Keep a line to be said again when the stage is skipped."""
        self.records.data.setdefault("notes", {})[key] = text
        self.records.save()

    @property
    def tracks(self) -> Path:
        return self.root / "tracks.npz"

    @property
    def crops(self) -> Path:
        return self.root / "crops"

    @property
    def latents(self) -> Path:
        return self.root / "latents.safetensors"

    @property
    def pivots(self) -> Path:
        return self.root / "pivots.safetensors"

    @property
    def generator(self) -> Path:
        return self.root / "generator.safetensors"

    @property
    def checkpoint(self) -> Path:
        return self.root / "tuning.checkpoint.safetensors"

    def edit_folder(self, name: str) -> Path:
        return self.root / "edits" / name

    def take_edit(self, name: str) -> Path:
        """The folder of an edit, made if needed, locked for this process alone.

        Raises: NotWritable, DiskFull; InUse, when another process makes the same edit.
        """
        folder = self.edit_folder(name)
        make_folder(folder)
        self._locks.append(Lock(folder, alone=True))
        remove_parts(folder)
        remove_parts(folder / "stitched")
        remove_parts(folder / "drawn")
        return folder


def _told(root: Path) -> None:
    """Let the log go on in the project."""
    log.debug("working in %s", root, extra={log_file.FOLDER: root})


def default_root(clip: Path) -> Path:
    """`CLIP.stitch` beside the clip: one folder a clip, whatever its suffix."""
    return clip.with_name((plain_name(clip) if means_pictures(clip) else clip.name) + SUFFIX)


def newest_project(folder: Path) -> Path:
    """The project in `folder` that was inverted last. Raises NotAProject."""
    found = [p for p in folder.glob(f"*{SUFFIX}/project.toml") if p.is_file()]
    if not found:
        raise NotAProject(folder)
    return max(found, key=lambda p: (p.stat().st_mtime_ns, p)).parent


def inputs_of(config: object, prefix: str = "") -> dict[str, str]:
    """A frozen dataclass of settings as flat strings, in the order of its fields."""
    flat: dict[str, str] = {}
    assert is_dataclass(config)
    for f in fields(config):
        value = getattr(config, f.name)
        if is_dataclass(value):
            flat |= inputs_of(value, f"{prefix}{f.name}.")
        else:
            flat[prefix + f.name] = repr(value) if not isinstance(value, str) else value
    return flat


def fingerprint(inputs: Inputs) -> str:
    text = "\n".join(f"{k}={v}" for k, v in inputs.items())
    return hashlib.sha256(f"schema={SCHEMA}\n{text}".encode()).hexdigest()


def file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def clip_sha256(path: Path) -> str:
    """Of a clip's file; of numbered pictures, that of their names with the sha256 of each. Raises CannotOpen."""
    if not means_pictures(path):
        return file_sha256(path)
    lines = (f"{file_sha256(file)}  {file.name}\n" for file in find_numbered(path).files)
    return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def make_folder(path: Path) -> None:
    """Create a folder and see that files can be made in it. Raises NotWritable, DiskFull."""
    try:
        if not path.is_dir():
            path.mkdir(parents=True, exist_ok=True)
            sync_folder(path.parent)
        with tempfile.TemporaryFile(dir=path):  # without a name where the system can: a kill leaves nothing
            pass
    except FileExistsError:
        raise NotWritable(path, "a file of that name is in the way") from None
    except OSError as exc:
        raise disk_error(path, exc) from exc


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """A temporary path beside `path`; on success it is synced and takes the name, else it is removed.

    Raises: NotWritable, DiskFull.
    """
    temp = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield temp
        with temp.open("rb") as file:
            os.fsync(file.fileno())
        temp.replace(path)
        sync_folder(path.parent)
    except OSError as exc:
        raise disk_error(path, exc) from exc
    finally:
        with suppress(OSError):
            temp.unlink(missing_ok=True)


def write_file(path: Path, write: Callable[[Path], object]) -> None:
    """Call `write` with a temporary path and put the file in place."""
    with atomic(path) as temp:
        write(temp)


def _is_record(stage: object) -> bool:
    return (
        isinstance(stage, dict) and isinstance(stage.get("fingerprint"), str) and isinstance(stage.get("inputs"), dict)
    )


def _short(value: object) -> str:
    text = "absent" if value is None else str(value)
    return text if len(text) <= 24 else text[:12] + "…"
