"""Room on the disk: whether there is enough before the work begins, and what of a project can be given back.

What `clean` removes is made again when it is wanted: crops are cut anew from the clip, bit for bit, the pictures of an
edit by the same edit. Tracks, codes, the tuned generator, records and finished videos stay.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from stitchedit.errors import ProjectError, TooLittleRoom
from stitchedit.faces.alignment import crop
from stitchedit.files.image_folder import PictureFolder
from stitchedit.project.folder import Project, make_folder
from stitchedit.types import Crops
from stitchedit.video import VideoSource

BYTES_PER_PIXEL = 2.0  # of a PNG as `pictures.save_png` writes them; faces at 256 to 1024 px took 1.3 to 1.9

FINER = 1.5  # times that, of one with quarters of a level


def pictures_bytes(count: int, size: int) -> int:
    """About what `count` square pictures take."""
    return round(count * size * size * BYTES_PER_PIXEL)


def see_room(folder: Path, needed: int) -> None:
    """Raises TooLittleRoom, when the disk of a folder (which need not exist yet) has less than `needed` bytes free."""
    place = next((p for p in (folder, *folder.absolute().parents) if p.is_dir()), Path("/"))
    free = shutil.disk_usage(place).free
    if free < needed:
        raise TooLittleRoom(place, needed, free)


def folder_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


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
    see_room(project.crops, pictures_bytes(len(pictures), crops.size))
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
