"""A still sheet of a few frames at several strengths, in seconds: edited and pasted, but not stitched."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch

from stitchedit.compositing.blenders import BLENDERS
from stitchedit.compositing.feathering import fade_widths
from stitchedit.compositing.paste import compose
from stitchedit.config import EditConfig
from stitchedit.editing.direction import find_direction, keeps_colours
from stitchedit.editing.move_latents import edit as move_latents
from stitchedit.files.atomic import make_folder
from stitchedit.files.image_folder import save_png
from stitchedit.image.arrays import to_bytes
from stitchedit.image.contact_sheet import contact_sheet, spread
from stitchedit.masks.regions import still_shape
from stitchedit.pipeline.inversion import load_inversion, soften, source_detail
from stitchedit.progress import Progress, silent
from stitchedit.project.folder import Project
from stitchedit.video import paste


def preview(
    project: Project,
    direction: str,
    strengths: Sequence[float],
    output: Path | None,
    *,
    frames: int = 3,
    regions: tuple[str, ...] = ("face",),
    force: bool = False,
    device: str = "auto",
    seed: int = 0,
    progress: Progress = silent,
) -> Path:
    """Draw the sheet, a row a frame and a column a strength; gives its path. Raises the errors of its stages."""
    region = "" if regions == ("face",) else f".{'-'.join(regions)}"
    output = output or project.source.with_name(f"{project.source.stem}.{Path(direction).stem}{region}.preview.png")
    make_folder(output.parent)
    inverted = load_inversion(project, device)
    crops, generator = inverted.crops, inverted.generator
    wanted = spread(np.arange(len(crops.frames)), frames)
    # the whole clip's codes: a direction may depend on all of them, as `identity` does
    edited = [move_latents(inverted.latents, [(direction, s)], generator, seed=seed, force=force) for s in strengths]
    known = find_direction(direction)
    detail = source_detail(soften(inverted, known.fidelity), known.fidelity, keeps_colours(known))
    crop_of = {int(crops.frames[index]): index for index in wanted}
    put = partial(compose, blender=BLENDERS[EditConfig().blender])
    rows = []
    for frame in inverted.source:
        index = crop_of.get(frame.index)
        if index is None:
            continue
        row = [frame.rgb()]
        own, quad = crops.images[index], crops.quads[index]
        shape = still_shape(regions, own, inverted.points.points[index])
        for codes in edited:
            with torch.no_grad():
                w = torch.from_numpy(codes.ws[index : index + 1]).to(generator.w_avg.device)
                drawn = generator.synthesis(w, resolution=crops.size)
                crop = to_bytes((drawn + detail(index, drawn, None))[0])
            fade = fade_widths([own], [crop], [shape], [])[0]
            patch = put(frame.rgb_float, frame.size, crop, quad, shape, own=own, fade=fade, frame=frame.index)
            row.append(paste(frame, *patch).rgb())
        rows.append(row)
        progress("preview", len(rows), len(wanted))
    captions = ["source", *(f"{Path(direction).stem} {s:+g}" for s in strengths)]
    save_png(contact_sheet(rows, captions, [str(f) for f in crop_of], cell_px=320), output)
    return output
