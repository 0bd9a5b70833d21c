"""What an edit was to do, what the generator made of it, and what of that is seen in the video."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stitchedit import metrics
from stitchedit.errors import ProjectError
from stitchedit.evaluation.cache import Tick
from stitchedit.evaluation.clip_versions import Places, Take
from stitchedit.evaluation.frame_passes import edited_frames
from stitchedit.faces.alignment import crop
from stitchedit.pipeline.face_edit import MOVES, edit_digest
from stitchedit.pipeline.frame_reading import generator_change, note_seen
from stitchedit.pipeline.inversion import Inversion
from stitchedit.pipeline.source_detail import softened
from stitchedit.project import artefacts
from stitchedit.project.records import Records
from stitchedit.types import AskedChange, EditedLatents, FloatArray


@dataclass(frozen=True, slots=True)
class Moves:
    """The codes of an edit beside those of the clip."""

    tuned: Inversion
    edited: Inversion  # the same with its generator as the edit had it
    codes: EditedLatents
    asked: tuple[AskedChange, ...]


def load_moves(records: Records, tuned: Inversion) -> Moves:
    """Of an edit in a project.

    Raises: ProjectError, when they are not there (an older stitchedit kept none), or are those of another run.
    """
    path = records.path.parent / MOVES
    codes, asked = artefacts.load_moves(path, tuned.generator, len(tuned.crops.frames))
    if edit_digest(codes) != records.inputs("stitch").get("codes"):
        raise ProjectError(f"{path} holds the codes of a later run of this edit", "measure the video of that one")
    fidelity = float(records.inputs("stitch").get("fidelity", 1))
    return Moves(tuned, softened(tuned, fidelity), codes, tuple(asked))


def made_and_seen(moves: Moves, edit: Take, source: Take, places: Places, tick: Tick) -> dict[str, FloatArray]:
    """`metrics.Retention` of the whole clip, [3] by `metrics.BANDS`, and `metrics.outside_change` in grey levels, [N].

    Both clips are cut where the crops were; the generator's change is what the moved codes make of its picture, as far
    as the mask shows it.
    """
    kept, outside, crops = metrics.Retention(), [], places.crops
    for (row, rgb), (_, own) in zip(edited_frames(edit, places), edited_frames(source, places), strict=True):
        quad = crops.quads[row]
        seen = crop(rgb, quad, crops.size).astype(np.float32) - crop(own, quad, crops.size)
        made = generator_change(moves.tuned, moves.edited, row, moves.codes)
        shown = places.crop_mask(row)
        note_seen(kept, seen, made, places.shapes[row], shown)
        outside.append(metrics.outside_change(made, shown))
        tick(row + 1)
    return {"retention": np.array(list(kept.of_band().values()), np.float32), "outside": np.array(outside, np.float32)}
