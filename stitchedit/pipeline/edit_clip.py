"""The job of `edit`: Latents -> EditedLatents -> stitched crops -> frames -> video.

`edit_plan` says beforehand what will be done; the work itself is in the stages.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

import numpy as np

from stitchedit.compositing.blenders import BLENDERS
from stitchedit.compositing.composite import Layer, pasted
from stitchedit.config import EditConfig
from stitchedit.files.atomic import make_folder
from stitchedit.files.image_folder import save_png
from stitchedit.image.contact_sheet import spread
from stitchedit.pipeline.clip_sheets import before_after
from stitchedit.pipeline.done_edit import load_edit
from stitchedit.pipeline.edit_layers import LayersSummary, write_edit_layers
from stitchedit.pipeline.edit_plan import EditPlan, plan_edit, unsigned_note
from stitchedit.pipeline.multi_face import numbered
from stitchedit.pipeline.retouching import RetouchedFace, carried_retouches, retouched
from stitchedit.pipeline.summaries import EditSummary, notes
from stitchedit.progress import Progress, silent
from stitchedit.project.folder import Project
from stitchedit.project.outputs import begin_output, note_output, recall
from stitchedit.provenance.manifest import notice
from stitchedit.video import Frame, try_writing, write_video, written_files


def edit(
    project: Project,
    config: EditConfig,
    output: Path | None,
    *,
    layers: Path | None = None,
    progress: Progress = silent,
) -> EditSummary:
    """Move the codes, stitch, paste and write the video; by default beside the clip. `layers`: a folder for these.

    Every face that was inverted is stitched in turn, then all are put back in one pass over the frames.

    Raises: the errors of the plan and of its stages, all of them `StitcheditError`.
    """
    return run_edit(plan_edit(project, config, output, layers=layers, progress=progress), progress=progress)


def run_edit(plan: EditPlan, *, progress: Progress = silent) -> EditSummary:
    """Carry a plan out. Raises the errors of its stages, InUse among them, when another process makes this edit."""
    make_folder(plan.output.parent)
    try_writing(
        plan.output, plan.source, lossless=plan.config.lossless, codec=plan.config.codec, audio=plan.config.audio
    )
    for face in plan.faces:
        face.begin(plan.name)
    for face in plan.faces:
        face.stitch(progress if plan.project.faces == 1 else numbered(progress, face.number))
    written = _write(plan, progress)
    sheet, shown = plan.faces[0].folder / "sheet.png", np.array(plan.edited_frames)
    save_png(before_after(plan.source, plan.project.open_clip(plan.output), spread(shown, 4), plan.name), sheet)
    layers = None if plan.layers is None else _write_layers(plan, plan.layers, progress)
    steps, losses = (np.concatenate(parts) for parts in zip(*(face.log() for face in plan.faces), strict=True))
    seconds = dict(plan.faces[0].stages.seconds)
    seconds["stitch"] = sum(face.stages.seconds["stitch"] for face in plan.faces)
    return EditSummary(
        output=plan.output,
        sheet=sheet,
        frames=plan.frames,
        edited_frames=len(shown),
        faces=len(plan.faces),
        edits=plan.config.edits,
        stitch_steps=float(np.mean(steps)),
        border_loss=float(np.mean(losses)),
        border_loss_worst=float(np.max(losses)),
        notes=[*notes(plan.source), *written, *unsigned_note(plan)],
        seconds=seconds,
        doubtful=plan.faded,
        answers=plan.answers,
        layers=layers,
    )


def _write_layers(plan: EditPlan, folder: Path, progress: Progress) -> LayersSummary:
    done = load_edit(plan.project, plan.name, progress)
    return write_edit_layers(done, folder, overwrite=plan.config.overwrite, progress=progress)


def _write(plan: EditPlan, progress: Progress) -> list[str]:
    """Paste and write, unless the very video is there; what the writer has to say."""
    config, source = plan.config, plan.source
    told: list[str] = []

    def do_write(fingerprint: str) -> None:
        begin_output(plan.faces[0].stages.records, plan.output)
        layers = [
            Layer(f.inverted.crops, f.shapes, f.stitched, f.inverted.tracks, bad > 0, config.stitch.detail)
            for f, bad in zip(plan.faces, plan.doubtful, strict=True)
        ]
        put = partial(
            pasted,
            layers=layers,
            border_px=config.stitch.border_px,
            blender=BLENDERS[config.blender],
            match=config.match_colours,
        )
        frames = put(source)
        if config.retouch:
            faces = [RetouchedFace(f.inverted.crops, f.inverted.points, f.inverted.tracks) for f in plan.faces]
            carried, said = carried_retouches(config.retouch, source, faces, put)
            told.extend(said)
            frames = retouched(frames, faces, carried)
        counted = told_of(frames, "video", plan.frames, progress)
        tags = notice(plan.said)
        done = write_video(
            plan.output,
            source,
            counted,
            metadata=tags,
            seal=plan.seal,
            lossless=config.lossless,
            codec=config.codec,
            audio=config.audio,
        )
        told.extend(done.notes)

    stages = plan.faces[0].stages
    files = written_files(plan.output, source)
    recall(stages.records, plan.output, files)
    stages.run("video", plan.video_inputs(), files, do_write)
    stages.records.data["said"] = plan.said
    note_output(stages.records, plan.output)
    for face in plan.faces[1:]:  # on record with every face, so that each is known as one of those in the video
        face.stages.records.copy("video", stages.records)
        note_output(face.stages.records, plan.output)
    return told


def told_of(frames: Iterable[Frame], stage: str, total: int, progress: Progress) -> Iterator[Frame]:
    """The frames in turn, each told to `progress` once it was taken."""
    for frame in frames:
        yield frame
        progress(stage, frame.index + 1, total)
