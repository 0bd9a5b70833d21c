"""What the page asks for, answered by the library: one clip that is open, its setting, and pictures of it."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from stitchedit import library
from stitchedit.editing.direction import Direction
from stitchedit.editing.direction_catalogue import list_directions, own_regions
from stitchedit.editing.edit_names import parse_channel, parse_edit_part
from stitchedit.editing.edits import chosen_regions, load_edits
from stitchedit.errors import (
    ConfigError,
    InUse,
    NotAProject,
    OutputError,
    ProjectError,
    StageMissing,
    StitcheditError,
    WouldReplace,
)
from stitchedit.faces.alignment import bounding_box
from stitchedit.files.atomic import atomic, require_place
from stitchedit.files.locks import Lock
from stitchedit.pipeline.calibration import applied_by_ends
from stitchedit.pipeline.frame_reading import Applied, read_frame
from stitchedit.pipeline.inversion import Inversion
from stitchedit.pipeline.strength_search import Answer
from stitchedit.progress import Progress, silent
from stitchedit.project.folder import root_of
from stitchedit.strength import Strength
from stitchedit.studio.dial import Dial, dial_of
from stitchedit.studio.setting import NAME, Setting, load_setting
from stitchedit.types import ByteArray

SOURCE, KEPT = "source", "kept setting"  # what the edit is compared with
FACE, WHOLE = "face", "whole frame"  # what is seen
VIDEOS = (".avi", ".gif", ".m4v", ".mkv", ".mov", ".mp4", ".ts", ".webm")
DRAFT_FRAMES, DRAFT_PX = 12, 320  # of a draft that is played
AGAIN = "press Open again once that has ended"
MARGIN = 0.08  # of the crop's side, around it, where the face is seen


class View(NamedTuple):
    """Which frame is looked at, and how."""

    frame: int
    seen: str = FACE
    compared: str = SOURCE


class Session:
    """A clip that is open on the page. Every method may be called by any thread; they wait for each other.

    Args:
        folders: no file outside of these is opened or written.
        device: auto, cpu or cuda.
    """

    def __init__(self, folders: Sequence[Path], device: str = "auto") -> None:
        self.folders = [folder.resolve() for folder in folders]
        self.device = device
        self.clip: Inversion | None = None
        self.setting = Setting()
        self.kept = Setting()  # to be compared with
        self.read_only: StitcheditError | None = None  # why nothing is written in the project that is open
        self._dials: list[Dial] = []
        self._directions: dict[str, Direction] = {}
        self._full: tuple[Setting, int, ByteArray] | None = None  # what was drawn last, in full
        self._tuned: object = None  # the generator's file as it was when the clip was opened
        self._lock = threading.RLock()
        self._solving = threading.Lock()

    def allowed(self, text: str | Path) -> Path:
        """A path that was given on the page. Raises ConfigError, when it lies outside of the folders."""
        path = Path(text).expanduser()
        path = (path if path.is_absolute() else self.folders[0] / path).resolve()
        if not any(path.is_relative_to(folder) for folder in self.folders):
            raise ConfigError(f"{path} lies outside of the folders of this page", "start it with --folder for others")
        return path

    def offered(self) -> list[str]:
        """Clips and projects of the folders, to choose from."""
        found = [path for folder in self.folders for path in sorted(folder.iterdir()) if not path.name.startswith(".")]
        return [str(p) for p in found if p.suffix.lower() in VIDEOS or (p / "project.toml").is_file()]

    def faces(self, text: str | Path, progress: Progress = silent) -> list[tuple[ByteArray, str]]:
        """Who is in a clip: portraits, each with what to call it by. Raises as `library.find_faces`."""
        return [
            (face.picture, name) for name, face in library.find_faces(self.allowed(text), progress=progress).items()
        ]

    def is_inverted(self, path: Path) -> bool:
        return (root_of(self.allowed(path)) / "generator.safetensors").is_file()

    def open(self, text: str | Path) -> Inversion:
        """Open an inverted clip, or its project, with what was set when it was last open.

        One that another process has, or that cannot be written, is opened to be looked at: see `read_only`.
        Raises: ConfigError, when it lies outside of the folders; what `library.open_inversion` raises.
        """
        path = self.allowed(text)
        with self._lock:
            clip, read_only = self._inversion(path)
            self.allowed(clip.project.source)
            self.read_only, self._full, self._tuned = read_only, None, _state(clip)
            self.clip, self.kept, self._dials = clip, Setting(), self._fitting(clip)
            self.setting = self._loaded(clip)
            return clip

    def _inversion(self, path: Path) -> tuple[Inversion, StitcheditError | None]:
        """And why nothing may be written there, if so."""
        try:
            root = root_of(path)
            if root.is_dir():
                require_place(root / NAME)
            return library.open_inversion(path, device=self.device), None
        except (InUse, OutputError) as exc:
            try:
                return library.open_inversion(path, device=self.device, read_only=True), exc
            except StageMissing:  # it is being inverted just now
                raise exc from None

    @property
    def dials(self) -> list[Dial]:
        return list(self._dials)

    def add_vector(self, text: str | Path) -> Dial:
        """A slider for a vector file, a part such as age.folds, or a channel such as s:6:501.

        Raises: ConfigError, DirectionError and what moving by it raises.
        """
        name = self._name(text)
        with self._lock:
            dial = self._dial(name)
            if dial.name not in self.setting.files:
                self._dials.append(dial)
                self._set(replace(self.setting, files=(*self.setting.files, dial.name)))
            return dial

    def move(self, name: str, value: float, frame: int) -> None:
        """A slider was moved, in its own units."""
        with self._lock:
            dial = next(dial for dial in self._dials if dial.name == name)
            self._set(self.setting.moved(name, value / dial.unit, frame))

    def values(self, frame: int) -> list[float]:
        """Where the sliders stand at a frame, in their own units."""
        return [self.setting.at(dial.name, frame) * dial.unit for dial in self._dials]

    def change(self, make: Callable[[Setting], Setting]) -> None:
        """Set something else."""
        with self._lock:
            self._set(make(self.setting))

    def keep(self) -> None:
        """Keep the setting, to compare with."""
        self.kept = self.setting

    def pair(self, view: View, *, quick: bool = False) -> tuple[ByteArray, ByteArray]:
        """A frame before and after the edit, uint8 RGB [H, W, 3].

        Args:
            quick: while a slider is dragged: at a lower exit, by strengths that are known.
        """
        with self._lock:
            clip = self._opened()
            after = self._drawn(self.setting, view.frame, quick)
            if not quick:
                self._full = self.setting, view.frame, after
            kept = view.compared == KEPT
            before = self._drawn(self.kept, view.frame, quick) if kept else clip.frame(view.frame)
            return self._seen(before, view), self._seen(after, view)

    def region(self, view: View) -> ByteArray:
        """A frame with what may change tinted."""
        with self._lock:
            clip = self._opened()
            return self._seen(clip.show_region(view.frame, self._regions()), view)

    def calibrate(self, progress: Progress = silent) -> None:
        """Find out what the directions that are set do on the clip, once for each; pictures can be had meanwhile."""
        with self._lock:
            clip, edits = self._opened(), self._edits(self.setting)
            regions = chosen_regions(tuple(edits), self.setting.regions or None)
        with self._solving:
            applied_by_ends(clip, tuple(edits), regions, progress=progress)

    def unsolved(self) -> list[str]:
        """Of the directions that are set, those of which it is not known yet what they do on the clip."""
        with self._lock:
            edits = self._edits(self.setting)
            asked = [(direction, strength) for direction, strength in edits if direction.attribute and direction.amount]
            answers = self._answers(asked, solve=False)
            return [direction.name for (direction, _), answer in zip(asked, answers, strict=True) if answer is None]

    def figures(self) -> list[str]:
        """What the directions that are set reach on the clip at the end of their ranges, a line each."""
        with self._lock:
            found = [answer for answer in self._answers(self._edits(self.setting), solve=False) if answer]
        return [str(answer) + _distance(answer) for answer in found]

    def reading(self, frame: int) -> list[str]:
        """What the edit does to a frame, read off it as it was drawn last, a line each; pictures can be had meanwhile.

        Nothing where no face is or nothing is set, nor when something else was set before it was read.
        """
        with self._lock:
            clip, setting = self._opened(), self.setting
            edits = self._edits(setting)
            if not edits:
                return []
            known = self._full is not None and self._full[:2] == (setting, frame)
            drawn = self._full[2] if known and self._full else self._drawn(setting, frame, False)
            applied = self._applied(setting)
        with self._solving:
            found = read_frame(clip, frame, drawn, tuple(edits), applied)
        return found.lines() if found is not None and (clip, setting) == (self.clip, self.setting) else []

    def draft(self, first: int) -> Path:
        """Some frames from this one on, small and quick, as a picture that plays: a file in the scratch folder."""
        with self._lock:
            clip = self._opened()
            frames = range(first, min(first + DRAFT_FRAMES, len(clip.tracks.state)))
            drawn = [self._drawn(self.setting, frame, True) for frame in frames]
        pictures = [Image.fromarray(picture) for picture in drawn]
        for picture in pictures:
            picture.thumbnail((2 * DRAFT_PX, DRAFT_PX))
        place = Path(tempfile.mkdtemp(dir=os.environ.get("GRADIO_TEMP_DIR"))) / "draft.gif"
        wait = round(1000 / float(clip.tracks.rate))
        pictures[0].save(place, save_all=True, append_images=pictures[1:], duration=wait, loop=0)
        return place

    def take(self, upload: Path) -> Path:
        """Keep a file that was dropped on the page in the first folder. Raises WouldReplace, NotWritable, DiskFull."""
        place = self.folders[0] / upload.name
        if place.exists():
            raise WouldReplace(place, "a file of this name", "give the one that you drop another name")
        with atomic(place) as temp:
            shutil.copyfile(upload, temp)
        return place

    def command(self) -> list[str]:
        """The command that makes the video. Raises ConfigError, where nothing is set or nothing can be written."""
        self._notice()
        if self.read_only is not None:
            raise ConfigError(f"the project is open to be looked at only: {self.read_only}", AGAIN)
        return self.setting.command(self._opened().project.root)

    def line(self) -> str:
        """The same to copy; a hint, where nothing is set."""
        try:
            return self.setting.line(self._opened().project.root)
        except ConfigError as exc:
            return f"# {exc}: {exc.hint}"

    def said(self, frame: int) -> str:
        """One line about a frame: when it is, and why an edit would leave it alone."""
        clip = self._opened()
        why = next((run.why for run in clip.untouched if run.first <= frame <= run.last), "")
        return f"frame {frame}, {frame / float(clip.tracks.rate):.2f} s{f': {why}' if why else ''}"

    def warning(self) -> str:
        """One line about a project that is open to be looked at only, and why; empty, where it is not."""
        self._notice()
        return (
            "" if self.read_only is None else f"**Read only**, nothing that is set is kept: {self.read_only}; {AGAIN}"
        )

    def _loaded(self, clip: Inversion) -> Setting:
        """What was set when the clip was last open, as far as it may be: a project may come from a stranger."""
        setting, files = load_setting(clip.project.root), []
        for file in setting.files:
            with suppress(StitcheditError):
                self._dials.append(self._dial(self._name(file)))
                files.append(self._dials[-1].name)
        names = {dial.name for dial in self._dials}
        strengths = {name: value for name, value in setting.strengths.items() if name in names}
        keys = {name: own for name, own in setting.keys.items() if name in names}
        frame = min(setting.frame or int(clip.crops.frames[0]), len(clip.tracks.state) - 1)
        return replace(setting, strengths=strengths, keys=keys, files=tuple(files), frame=frame)

    def _notice(self) -> None:
        """See whether another process has taken the project since it was opened, or has inverted the clip anew."""
        if self.clip is None or self.read_only is not None:
            return
        try:
            Lock(self.clip.project.root, alone=False).release()
            if _state(self.clip) != self._tuned:
                self.read_only = ConfigError("the clip was inverted anew since", AGAIN)
        except ProjectError as exc:
            self.read_only = exc

    def _set(self, setting: Setting) -> None:
        self.setting = setting
        self._notice()
        if self.clip is not None and self.read_only is None:
            setting.save(self.clip.project.root)

    def _opened(self) -> Inversion:
        if self.clip is None:
            raise ConfigError("no clip is open", "open one first")
        return self.clip

    def _regions(self) -> Sequence[str]:
        if self.setting.regions:
            return self.setting.regions
        return own_regions(self._direction(name) for name, _ in self.setting.edits())

    def _edits(self, setting: Setting) -> list[tuple[Direction, Strength]]:
        return [(self._direction(name), strength) for name, strength in setting.edits()]

    def _direction(self, name: str) -> Direction:
        """Read once. Raises ConfigError, DirectionError."""
        if name not in self._directions:
            self._directions[name] = library.direction(name)
        return self._directions[name]

    def _answers(self, edits: Sequence[tuple[Direction, Strength]], *, solve: bool) -> tuple[Answer | None, ...]:
        regions = chosen_regions(tuple(edits), self.setting.regions or None)
        return applied_by_ends(self._opened(), tuple(edits), regions, solve=solve)[1]

    def _drawn(self, setting: Setting, frame: int, quick: bool) -> ByteArray:
        clip, applied = self._opened(), self._applied(setting)
        return (
            clip.draw(frame, applied.edits, regions=applied.regions, quick=quick)
            if applied.edits
            else clip.frame(frame)
        )

    def _applied(self, setting: Setting) -> Applied:
        """How frames are drawn: by strengths that are solved for, where it is known what they do."""
        edits, regions = self._edits(setting), setting.regions or None
        change = library.calibrate(self._opened(), edits, regions=regions, by_ends=True, solve=False) if edits else ()
        return Applied(load_edits(change), regions)

    def _seen(self, picture: ByteArray, view: View) -> ByteArray:
        clip = self._opened()
        index = clip.crops.of_frame(view.frame)
        if view.seen == WHOLE or index is None:
            return picture
        quad = clip.crops.quads[index]
        middle = quad.mean(axis=0)
        x0, y0, x1, y1 = bounding_box(middle + (quad - middle) * (1 + 2 * MARGIN), *clip.tracks.frame_size)
        return picture[y0:y1, x0:x1] if x1 > x0 and y1 > y0 else picture

    def _fitting(self, clip: Inversion) -> list[Dial]:
        """Sliders for the directions that fit the clip's generator."""
        found = []
        for known in list_directions():
            try:
                direction = self._direction(known.name)
                clip.moved(((direction, 0.1),))
            except StitcheditError:
                continue
            found.append(dial_of(known.name, direction))
        return found

    def _name(self, text: str | Path) -> str:
        """What a direction that is no slider yet is found by. Raises ConfigError, for a file that may not be read."""
        if parse_channel(str(text)) or parse_edit_part(str(text)):
            return str(text)
        return str(self.allowed(text))

    def _dial(self, name: str) -> Dial:
        direction = self._direction(name)
        self._opened().moved(((direction, 0.0),))
        return dial_of(name, direction)


def _state(clip: Inversion) -> object:
    """Which file the tuned generator of a project is. Raises NotAProject, where it is gone."""
    try:
        found = clip.project.generator.stat()
    except OSError:
        raise NotAProject(clip.project.root) from None
    return found.st_ino, found.st_mtime_ns


def _distance(answer: Answer) -> str:
    """What the note does not say already."""
    known = answer.identity_distance is None or "identity distance" in answer.note
    return "" if known else f", identity distance {answer.identity_distance:.2f}"
