"""What of a project can be given back to the disk, and made again when it is wanted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from stitchedit.errors import ProjectError
from stitchedit.faces.alignment import crop
from stitchedit.files.atomic import make_folder
from stitchedit.files.disk_space import pictures_bytes, require_disk_space
from stitchedit.files.image_folder import PictureFolder
from stitchedit.project.folder import Project
from stitchedit.types import Crops
from stitchedit.video import VideoSource

WHEN_FREE = "open the project again when no other process works in it and it can be written"


def clean(project: Project) -> int:
    """Remove what can be made again; gives the bytes that were freed. The project must be open to write (`create`)."""
    freed = 0
    for path in _spare(project):
        freed += path.stat().st_size
        path.unlink()
    return freed


def _spare(project: Project) -> Iterator[Path]:
    """Files that `clean` removes; results before the records that name them, so that a kill in between does no harm."""
    yield from sorted(project.crops.glob("[0-9]*.png"))
    yield from sorted(project.root.glob("edits/*/stitched/[0-9]*.png"))
    yield from sorted(project.root.glob("regions/*/[0-9]*.png"))
    yield from sorted(project.root.glob("edits/*/stitch.checkpoint.safetensors"))
    yield from sorted(project.root.glob("edits/*/drawn/[0-9]*.png"))
    yield from sorted(project.root.glob("evaluate/*.npz"))
    if "tune" in project.records.data["stages"]:
        yield from project.root.glob(project.checkpoint.name)


def restore_crops(project: Project, source: VideoSource, crops: Crops) -> None:
    """Cut the crops anew where `clean` took them. Raises ProjectError, when the clip has not all their frames."""
    pictures = PictureFolder(project.crops, len(crops.frames), crops.size)
    if all(pictures.path(k).exists() for k in (0, len(pictures) - 1)):
        return
    if project.read_only:
        raise ProjectError(f"{project.crops} lacks its pictures, and nothing may be written there", WHEN_FREE)
    require_disk_space(project.crops, pictures_bytes(len(pictures), crops.size))
    make_folder(project.crops)
    index_of = {int(frame): k for k, frame in enumerate(crops.frames)}
    last = None
    for frame in source:
        k = index_of.pop(frame.index, None)
        if k is not None and k != len(pictures) - 1:
            pictures.save(k, crop(frame.rgb(), crops.quads[k], crops.size))
        elif k is not None:
            last = crop(frame.rgb(), crops.quads[k], crops.size)
    if index_of or last is None:
        raise ProjectError(f"{source.info.path} lacks frames of its project", "run `stitchedit invert` on it again")
    pictures.save(len(pictures) - 1, last)  # the last one last: it tells that all are there
