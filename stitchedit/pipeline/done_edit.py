"""An edit that a project holds, opened to be put over its clip once more: without networks, nothing is drawn again."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from stitchedit.compositing.blenders import BLENDERS
from stitchedit.compositing.composite import Composite, Layer, composited
from stitchedit.config import BORDER_PX
from stitchedit.errors import ProjectError
from stitchedit.faces.visibility import visibility_flags
from stitchedit.files.image_folder import FinePictures
from stitchedit.pipeline.face_edit import MOVES
from stitchedit.pipeline.head_map_cache import project_shapes
from stitchedit.pipeline.multi_face import open_faces
from stitchedit.progress import Progress, silent
from stitchedit.project import artefacts
from stitchedit.project.cleanup import restore_crops
from stitchedit.project.folder import Project
from stitchedit.project.outputs import find_output, outputs_of
from stitchedit.project.records import Records
from stitchedit.types import AskedChange
from stitchedit.video import VideoSource, means_pictures


@dataclass(frozen=True, slots=True)
class DoneFace:
    """A face of an edit that is done."""

    number: int  # as `edit --only` has it
    layer: Layer
    folder: Path  # of its edit
    asked: Sequence[AskedChange]  # what each direction was to do


@dataclass(frozen=True, slots=True)
class DoneEdit:
    """An edit with all that it takes to put it over its clip."""

    project: Project
    name: str
    said: str  # in notices
    source: VideoSource
    faces: Sequence[DoneFace]
    put: Mapping[str, str]  # how it was put over the clip: the inputs of stage `video`
    border_px: float
    regions: tuple[str, ...]

    def composited(self) -> Iterator[Composite]:
        """See `composite.composited`. Raises CannotDecode, EmptyMask."""
        return composited(
            self.source,
            [face.layer for face in self.faces],
            border_px=self.border_px,
            blender=BLENDERS[self.put["blender"]],
            match=self.put.get("match_colours") == "True",
        )


def find_edit(project: Project, edit: str | None) -> str:
    """The name of an edit in a project: by its name, its folder or a video that it wrote; None: the only one there.

    Raises: ProjectError, with the names that there are.
    """
    names = sorted(path.parent.name for path in project.root.glob("edits/*/edit.toml"))
    if not names:
        raise ProjectError(f"{project.root} has no edit", "run `stitchedit edit` first")
    if edit is None:
        if len(names) > 1:
            raise ProjectError(f"{project.root} has {len(names)} edits", f"name one of {', '.join(names)}")
        return names[0]
    path = Path(edit)
    if path.is_dir() and path.resolve().parent == (project.root / "edits").resolve():
        edit = path.resolve().name
    if edit in names:
        return edit
    wrote = _writer_of(project, names, path) if path.is_file() or means_pictures(path) else None
    if wrote is None:
        near = difflib.get_close_matches(edit, names, 3, 0.3) or names
        raise ProjectError(f"{project.root} has no edit '{edit}'", f"there are {', '.join(near)}")
    return wrote


def _writer_of(project: Project, names: Sequence[str], video: Path) -> str | None:
    """Which edit wrote a video. Raises ProjectError, where its pictures have been stitched anew since."""
    for name in names:
        records = Records.read(project.edit_folder(name) / "edit.toml")
        found = find_output(records, video)
        if found is not None:
            if found.as_of(records).inputs("stitch") != records.inputs("stitch"):
                raise ProjectError(
                    f"edit '{name}' has been stitched with other settings since it wrote {video}",
                    f"name '{name}' for the edit as it is now, or run `stitchedit edit` with the old ones",
                )
            return name
    return None


def load_edit(project: Project, name: str, progress: Progress = silent) -> DoneEdit:
    """What an edit left, ready to be put over its clip.

    Raises: ProjectError, when it did not come to its end, its pictures were cleaned away, or the clip is gone.
    """
    clip = project.require_source()
    if not project.is_clip(clip):
        raise project.other_clip(clip)
    source = project.open_clip()
    edited = [
        (n, own) for n, own in enumerate(open_faces(project), 1) if (own.edit_folder(name) / "edit.toml").exists()
    ]
    if not edited:
        raise ProjectError(f"{project.root} has no edit '{name}'", "run `stitchedit edit` first")
    first = Records.read(edited[0][1].edit_folder(name) / "edit.toml")
    written, stitch = outputs_of(first), first.inputs("stitch")
    put = first.inputs("video") or (written[-1].as_of(first).inputs("video") if written else {})
    if "blender" not in put or not stitch:
        raise ProjectError(f"edit '{name}' of {project.root} did not come to its end", "run `stitchedit edit` again")
    regions = tuple(stitch.get("region", "face").split("+"))
    faces = [_load_face(own, number, name, put, regions, source, progress) for number, own in edited]
    said = first.data.get("said")
    border_px = float(stitch.get("border_px", BORDER_PX))
    return DoneEdit(project, name, said if isinstance(said, str) else name, source, faces, put, border_px, regions)


def _load_face(
    project: Project,
    number: int,
    name: str,
    put: Mapping[str, str],
    regions: tuple[str, ...],
    source: VideoSource,
    progress: Progress,
) -> DoneFace:
    tracks, (crops, points) = artefacts.load_tracks(project.tracks), artefacts.load_crops(project.crops)
    folder = project.edit_folder(name)
    stitched = FinePictures(folder / "stitched", len(crops.frames), crops.size)
    if not all(stitched.path(k).exists() for k in (0, len(stitched) - 1)):
        raise ProjectError(
            f"edit '{name}' of {project.root} has no stitched pictures any more",
            "run the same `stitchedit edit` again, which makes them",
        )
    restore_crops(project, source, crops)
    shapes = project_shapes(project, regions, crops, points, tracks, progress)
    every = put.get("every_frame") != "False"  # older edits know nothing else
    doubtful = None if every else visibility_flags(tracks, crops, points) > 0
    layer = Layer(crops, shapes, stitched, tracks, doubtful, put.get("changes") == "True")
    asked = artefacts.load_asked(folder / MOVES, len(crops.frames)) if (folder / MOVES).exists() else []
    return DoneFace(number, layer, folder, asked)
