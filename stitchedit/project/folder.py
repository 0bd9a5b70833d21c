"""The project folder: what `invert` leaves for `edit`, readable by hand.

    clip.stitch/  project.toml    schema, source sha256, settings, one record a finished stage
                  tracks.npz  crops/  latents.safetensors (as encoded)
                  generator.safetensors and pivots.safetensors (as tuned)
                  edits/smile+2/     edit.toml  stitched/  stitch.json  sheet.png
                  persons/2/         the same of the second face that is edited, and so on (see `pipeline.multi_face`)

A stage's record keeps the inputs that its result depends on. Equal inputs: the stage is skipped. Different: it is
done again, and the difference is the reason that is printed. Every file is written beside its place, synced and
renamed, so that a run killed at any moment leaves the old or the new one, never half a file.
"""

from __future__ import annotations

import os
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stitchedit.errors import NotAProject, ProjectError
from stitchedit.files.atomic import make_folder
from stitchedit.files.locks import Lock
from stitchedit.project import log_file
from stitchedit.project.records import Records
from stitchedit.project.sanity import refuse_strays, remove_parts
from stitchedit.video.clip_hash import clip_sha256, pictures_sha256
from stitchedit.video.sequence_names import means_pictures, parse_fps, plain_name

if TYPE_CHECKING:
    from stitchedit.video.base import VideoSource, View

SUFFIX = ".stitch"
PERSONS = "persons"  # folder of the projects of further faces
INVERT_STAGES = ("track", "align", "encode", "tune")
MOST_FACES = 999
NEW_PLACE = "put it back, or name its new place with --source CLIP"


class Project:
    """A project folder that is open, and locked as long as this object lives: `create` alone, `open` with others.

    One that is `read_only` (`look`) holds no lock: nothing is written in it, and others may.
    """

    def __init__(self, root: Path, records: Records, *locks: Lock, read_only: bool = False) -> None:
        self.root, self.records, self.read_only = root, records, read_only
        self._locks = list(locks)

    @classmethod
    def create(cls, root: Path) -> Project:
        """Open the project in `root` to write in it, making the folder if needed.

        Raises: NotWritable; InUse, when another process has it open; ProjectError.
        """
        make_folder(root)
        lock = Lock(root, alone=True)
        refuse_strays(root)
        log_file.log_in(root)
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
            log_file.log_in(root)
        return cls(root, Records.read(root / "project.toml"), *locks)

    @classmethod
    def look(cls, root: Path) -> Project:
        """Open a project to read it only, also while another process writes in it: what is read may be gone then.

        Raises: NotAProject; SchemaTooNew; ProjectError.
        """
        if not root.is_dir():
            raise NotAProject(root)
        refuse_strays(root)
        return cls(root, Records.read(root / "project.toml"), read_only=True)

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

    @property
    def view(self) -> View | None:
        """How the samples of the clip, and of its edits, look. Raises ConfigError, ProjectError, when it is another."""
        if "colourspace" not in self.records.data.get("source", {}):
            return None
        from stitchedit.video.colourspaces import find_view, require_same

        found = find_view(self.fact("source", "colourspace"))
        if found is not None:
            require_same(found, self.fact("source", "chart"), str(self.root))
        return found

    def open_clip(self, clip: Path | None = None) -> VideoSource:
        """Its clip, or an edit of it, with its frame rate and colours. Raises what `open_video` and `view` raise."""
        from stitchedit.video.opening import open_video  # brings FFmpeg

        path = clip or self.require_source()
        return open_video(path, self.fps if means_pictures(path) else None, self.view)

    def take_source(
        self, clip: Path, *, preset: str, generator: str, fps: Fraction | None = None, view: View | None = None
    ) -> str:
        """Note which clip this is and how it is worked on; gives the sha256 that it is known by. Raises CannotOpen.

        A clip of the same pictures, put into another container or with its sound converted, stays the same clip.
        """
        sha, old = clip_sha256(clip), self.records.data.get("source", {})
        relative = os.path.relpath(clip.resolve(), self.root.resolve())
        if old and self.is_clip(clip):
            kept = {key: old[key] for key in ("sha256", "pictures") if key in old}
            source = kept | {"path": relative} | ({"remuxed": sha} if sha != old.get("sha256") else {})
        else:
            source = {"path": relative, "sha256": sha}
        self.records.data["source"] = source
        if fps is not None:
            source["fps"] = str(fps)
        if view is not None:
            from stitchedit.video.colourspaces import chart_of

            source |= {"colourspace": view.name, "chart": chart_of(view)}
        settings: dict[str, Any] = self.records.data.get("settings", {})
        kept = {key: value for key, value in settings.items() if key == "faces"}
        self.records.data["settings"] = {"preset": preset, "generator": generator, **kept}
        self.records.save()
        return self.fact("source", "sha256")

    def note_pictures(self, sha256: str) -> None:
        """Keep the hash of what the clip shows (`video.clip_hash.pictures_sha256`)."""
        self.records.data["source"]["pictures"] = sha256
        self.records.save()

    def is_clip(self, path: Path) -> bool:
        """Whether a clip is the one that was inverted: by its files or, where they differ, by its pictures.

        Raises: CannotOpen, CannotDecode.
        """
        source, sha = self.records.data.get("source", {}), clip_sha256(path)
        if sha in (source.get("sha256"), source.get("remuxed")):
            return True
        if means_pictures(path) or "pictures" not in source:
            return False
        return bool(pictures_sha256(path) == source["pictures"])

    def other_clip(self, path: Path) -> ProjectError:
        """What there is to say of a clip that `is_clip` does not know."""
        if "pictures" in self.records.data.get("source", {}) or means_pictures(path):
            return ProjectError(
                f"{path} is not the clip that {self.root} was made of, or has changed since",
                "name the right clip with --source, or run `stitchedit invert` on it again",
            )
        return ProjectError(
            f"{path} is another file than {self.root} was made of; whether it shows the same cannot be told, "
            "for the version that inverted it kept no hash of the pictures",
            "name that very file with --source, or run `stitchedit invert` on this one, which does all again",
        )

    def require_source(self) -> Path:
        """The clip. Raises ProjectError, when it is not where it was."""
        clip = self.source
        if not clip.exists() and not means_pictures(clip):
            raise ProjectError(f"the clip of this project, {clip}, is not there any more", NEW_PLACE)
        return clip

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
        return face_root(self.root, number)

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

    @property
    def tuning_steps(self) -> int:
        """How many steps tuning took; 0: not on record."""
        steps = str(self.records.data.get("notes", {}).get("tuning", "")).split(" ")[0]
        return int(steps) if steps.isdecimal() else 0

    @property
    def seconds_a_tuning_step(self) -> float | None:
        """How long a step of tuning took where the clip was inverted; None: not on record."""
        seconds, steps = self.records.seconds("tune"), self.tuning_steps
        return seconds / steps if seconds and steps else None

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


def face_root(root: Path, number: int) -> Path:
    """Where the project of a clip's face with this number lies, from 1; `root`: of the first."""
    return root if number == 1 else root / PERSONS / str(number)


def default_root(clip: Path) -> Path:
    """`CLIP.stitch` beside the clip: one folder a clip, whatever its suffix."""
    return clip.with_name((plain_name(clip) if means_pictures(clip) else clip.name) + SUFFIX)


def newest_project(folder: Path) -> Path:
    """The project in `folder` that was inverted last. Raises NotAProject."""
    found = [p for p in folder.glob(f"*{SUFFIX}/project.toml") if p.is_file()]
    if not found:
        raise NotAProject(folder)
    return max(found, key=lambda p: (p.stat().st_mtime_ns, p)).parent


def open_project(root: Path | None) -> Project:
    """The project named, by its folder or by its clip, or the newest one of the working folder.

    Raises: NotAProject and its kin.
    """
    return Project.open(newest_project(Path()) if root is None else root_of(root))


def root_of(path: Path) -> Path:
    """A project's folder, where its clip may be named in its place, or something in it, such as its `project.toml`."""
    if (path / "project.toml").exists():
        return path
    beside = default_root(path)
    if (path.is_file() or means_pictures(path)) and beside.is_dir():
        return beside
    if path.exists() and (path.parent / "project.toml").is_file():
        return path.parent
    return beside if path.is_file() else path  # a clip without a project: it is told where that would be


def relocate(root: Path, clip: Path) -> None:
    """Note where the clip of a project, and of the further faces in it, lies now.

    Raises: CannotOpen; ProjectError, when it is another clip; InUse.
    """
    project = Project.create(Project.open(root).root)
    others = [Project.create(project.face_root(number)) for number in range(2, project.faces + 1)]
    if not project.is_clip(clip):
        raise project.other_clip(clip)
    for own in (project, *others):
        source = own.records.data.setdefault("source", {})
        source["path"] = os.path.relpath(clip.resolve(), own.root.resolve())
        source["remuxed"] = clip_sha256(clip)
        own.records.save()
