"""A still sheet of a few frames at several strengths, in seconds: edited and pasted, but not stitched."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stitchedit.config import PARTS
from stitchedit.editing.direction import Change, Direction, direction_label
from stitchedit.editing.direction_catalogue import own_regions
from stitchedit.editing.edits import Asked, Edits, load_edits
from stitchedit.editing.strength_range import check_range, within_range
from stitchedit.faces.alignment import sides
from stitchedit.files.atomic import make_folder
from stitchedit.files.image_folder import png_bytes, save_png
from stitchedit.image.contact_sheet import contact_sheet, spread
from stitchedit.pipeline.calibration import applied_all, log_answers
from stitchedit.pipeline.inversion import Inversion, load_inversion
from stitchedit.pipeline.still_edit import still_edit
from stitchedit.progress import Progress, silent
from stitchedit.project.folder import Project
from stitchedit.types import ByteArray

CELL_PX = 320  # height of a picture
ENOUGH = 0.75  # of the pixels that a crop has in a sheet: the change is drawn at so many, the rest is the source's
PREVIEWED = (-2.0, -1.0, 1.0, 2.0)  # strengths


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Sheet:
    """Pictures side by side, with captions."""

    pixels: ByteArray  # RGB [H, W, 3]

    def save(self, path: Path | str) -> None:
        """Write it as PNG. Raises NotWritable, DiskFull."""
        save_png(self.pixels, Path(path))

    def __repr__(self) -> str:
        return f"<Sheet of {self.pixels.shape[1]} x {self.pixels.shape[0]} px>"

    def _repr_png_(self) -> bytes:
        """For notebooks."""
        return png_bytes(self.pixels)


def preview(
    project: Project,
    direction: str | Direction,
    strengths: Sequence[float] | None,
    output: Path | None,
    *,
    frames: int = 3,
    regions: tuple[str, ...] = ("face",),
    force: bool = False,
    calibrated: bool = True,
    apart: bool = False,
    device: str = "auto",
    seed: int = 0,
    progress: Progress = silent,
) -> Path:
    """Draw the sheet and write it as PNG; gives its path. Raises the errors of its stages."""
    region = "" if regions == own_regions([direction]) else f".{'-'.join(regions)}"
    output = output or project.source.with_name(
        f"{project.source.stem}.{direction_label(direction)}{region}.preview.png"
    )
    make_folder(output.parent)
    sheet = draw_sheet(
        load_inversion(project, device),
        direction,
        strengths,
        frames=frames,
        regions=regions,
        force=force,
        calibrated=calibrated,
        apart=apart,
        seed=seed,
        progress=progress,
    )
    save_png(sheet, output)
    return output


def draw_sheet(
    inverted: Inversion,
    edits: Asked | Iterable[Asked],
    strengths: Sequence[float] | None,
    *,
    frames: int = 3,
    regions: tuple[str, ...] = ("face",),
    force: bool = False,
    calibrated: bool = True,
    apart: bool = False,
    seed: int = 0,
    progress: Progress = silent,
) -> ByteArray:
    """A row a frame and a column a strength: uint8 RGB [H, W, 3].

    Args:
        edits: a direction, or several that are applied together, multiplied by each of the strengths.
        strengths: None: PREVIEWED, or as much of it as the directions' ranges hold.
        frames: how many, spread over those with the face.
        regions: what may change, as `config.united` gives them.
        calibrated: find the strengths that give on this clip what was asked, as `edit` does.
        apart: after each strength, every part of the edit alone, see `Direction.only`.
    Raises: the errors of its stages.
    """
    asked = load_edits(edits)
    strengths = within_range(asked, PREVIEWED) if strengths is None else strengths
    # the whole clip's codes: a direction may depend on all of them, as `identity` does
    columns = [_only(asked, part) for part in PARTS] if apart else []
    changes = [strength * Change(column) for strength in strengths for column in [asked, *columns]]
    wanted = [change.parts for change in changes]
    for parts in wanted:
        check_range(parts, force=force)
    versions = [inverted.moved(parts, seed=seed, force=force) for parts in wanted]  # refuses what does not fit
    if calibrated:
        wanted, answers = applied_all(inverted, wanted, regions)
        if log_answers(answers):
            versions = [inverted.moved(parts, seed=seed, force=force) for parts in wanted]
    still = still_edit(inverted, asked, regions)
    shown = spread(np.arange(len(inverted.crops.frames)), frames)
    rows, labels = [], []
    size = _drawn_size(inverted)
    for frame, pictures in still.draw_all(inverted.frames_of(shown), versions, size):
        rows.append([frame.rgb(), *pictures])
        labels.append(str(frame.index))
        progress("preview", len(rows), len(shown))
    captions = ["source", *(str(change) for change in changes)]
    return contact_sheet(rows, captions, labels, cell_px=CELL_PX)


def _only(edits: Edits, part: str) -> Edits:
    """Raises DirectionError, where one of them has no parts."""
    return tuple((direction.only(part), strength) for direction, strength in edits)


def _drawn_size(inverted: Inversion) -> int:
    """The smallest exit of the generator that holds ENOUGH of the pixels that a crop has in a sheet."""
    crops = inverted.crops
    shown = float(sides(crops.quads).max()) * CELL_PX / inverted.tracks.frame_size[1]
    exits = (size for size in inverted.generator.exits if ENOUGH * shown <= size < crops.size)
    return min(exits, default=crops.size)
