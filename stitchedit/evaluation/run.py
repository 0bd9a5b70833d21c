"""An edited clip -> its figures: `stitchedit evaluate`.

Pictures are looked at before video encoding wherever the project still has what they were made of; else as the file
shows them. What takes long is kept in the project, under what it depends on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from stitchedit import metrics
from stitchedit.compositing.blenders import BLENDERS
from stitchedit.config import BORDER_PX, united
from stitchedit.errors import ConfigError, ProjectError, WeightsError
from stitchedit.evaluation.aggregate import Measured, gap_lines, make_figures
from stitchedit.evaluation.cache import ArrayCache, Tick
from stitchedit.evaluation.clip_versions import (
    Places,
    Take,
    composed,
    decoded,
    places_of_clip,
    places_of_project,
    reencoded,
    stitched_crops,
)
from stitchedit.evaluation.edit_effect import load_moves, made_and_seen
from stitchedit.evaluation.edit_origin import Subject, find_subject
from stitchedit.evaluation.face_readings import VERSION, FaceReader, Readings, find_embedder, usable_predictors
from stitchedit.evaluation.frame_passes import Change, Rows, against_source, border, closeness, read_clip
from stitchedit.evaluation.report import Evaluation
from stitchedit.evaluation.stream_integrity import compare_streams
from stitchedit.faces.attributes import Predictors
from stitchedit.models import loading
from stitchedit.pipeline.inversion import InversionImages, load_inversion
from stitchedit.progress import Progress, silent
from stitchedit.project.records import Records
from stitchedit.types import FineImages, FloatArray
from stitchedit.video import VideoSource, open_seen
from stitchedit.video.clip_hash import clip_sha256


@dataclass(frozen=True, slots=True)
class Job:
    """Everything an evaluation works on."""

    subject: Subject
    clips: Mapping[str, VideoSource]  # files: source, and edit and truth where there are such
    places: Places
    takes: Mapping[str, Take]  # pictures: source, edit, and truth and ceiling where there are such
    images: FineImages | None  # the crops that were put into the edit; None: only its file is there
    marks: Mapping[str, str]  # what each take's pictures depend on
    device: str
    progress: Progress


def evaluate(
    edit: Path,
    *,
    project: Path | None = None,
    source: Path | None = None,
    truth: Path | None = None,
    directions: Sequence[str] = (),
    embedding: str = "dlib",
    more_metrics: Sequence[str] = (),
    ceiling: bool = True,
    device: str = "auto",
    predictors: Predictors | None = None,
    progress: Progress = silent,
) -> tuple[Evaluation, Job]:
    """All figures of an edit, and the pictures that they are of, for a page that shows them.

    Args:
        edit: an edited clip, an edit's folder in a project, or a project (for its unedited inversion).
        project, source: where an edit comes from that does not lie beside its project; see `find_subject`.
        truth: the clip as it would be, had only what was asked for changed.
        directions: what the edit was meant to do, where its file does not say so.
        embedding: which identity embedding, one of `EMBEDDERS`.
        more_metrics: of `METRICS`, those of plug-ins that are to be measured beside stitchedit's own.
        ceiling: also read the source after H.264, for what expression can reach at best.
        predictors: of age, gender and mood; by default the fetched ones.
    Raises: ProjectError, CannotOpen, NoFace; ConfigError, when lengths or sizes differ, or for an unknown
        embedding or metric.
    """
    embedder, more = find_embedder(embedding), metrics.frame_metrics(more_metrics)
    subject = find_subject(edit, project, source)
    if directions:
        subject = replace(subject, directions=tuple(directions))
    job = _prepared(subject, truth, ceiling, device, progress)
    places = job.places
    here, why = usable_predictors(predictors or Predictors())
    folder = None if subject.project is None else subject.project.root / "evaluate"
    kept = ArrayCache(folder, len(places.crops.frames), progress)
    facts = {"places": _digest(places), "read": VERSION}

    def read(name: str) -> Readings:
        def work(tick: Tick) -> dict[str, FloatArray]:
            return read_clip(job.takes[name], places, FaceReader(embedder, here), tick).as_arrays()

        inputs = facts | {"pictures": job.marks[name], "embedding": embedding, "with": ",".join(here)}
        return Readings.from_arrays(kept.get("faces", inputs, f"read {name}", work))

    def compare(name: str, goal: str, stage: str) -> Rows:
        perceptual = loading.perceptual(loading.device("cpu"))
        inputs = facts | {"pictures": job.marks[name], "goal": job.marks[goal]}
        work = partial(closeness, job.takes[name], job.takes[goal], places, perceptual)
        return kept.get("closeness", inputs, stage, work)

    readings = {name: read(name) for name in ("source", "edit", "truth", "ceiling") if name in job.takes}
    encoded = job.takes.get("encoded")
    change = against_source(job.takes["edit"], encoded, job.takes["source"], places, progress, more)
    measured = Measured(
        frames=places.crops.frames,
        rate=float(places.tracks.rate),
        starts=np.array([run.start for run in places.tracks.runs], np.int64),
        directions=subject.directions,
        source=readings["source"],
        edit=readings["edit"],
        flicker=change.flicker,
        truth=readings.get("truth"),
        ceiling=readings.get("ceiling"),
        why=why,
    )
    _add_change(measured, change, job)
    _add_border(measured, job)
    _add_effect(measured, job, kept)
    _add_inversion(measured, job, lambda: compare("inversion", "source", "inversion"))
    if "truth" in job.takes:
        _add_truth(measured, compare("edit", "truth", "truth"), compare("source", "truth", "truth of source"))
    return _result(measured, job, truth, embedding), job


def _prepared(subject: Subject, truth: Path | None, ceiling: bool, device: str, progress: Progress) -> Job:
    """Clips that fit together, the places of their face, and the pictures to look at."""
    clips = _open(subject, truth)
    places = _places(subject, clips["source"], progress)
    source, project = clips["source"], subject.project
    hashes = {name: clip_sha256(clip.info.path) for name, clip in clips.items()}
    takes, marks = {"source": decoded(source)}, {"source": hashes["source"]}
    if project is not None:
        # Made when it is looked at: its figures may have been kept.
        takes["inversion"] = lambda: composed(source, places, InversionImages(load_inversion(project, device)))()
        marks["inversion"] = f"inversion {project.records.fingerprint('tune')}"
    images = _crops(subject, places, device)
    if subject.video is None:
        takes["edit"], marks["edit"] = takes["inversion"], marks["inversion"]
    elif images is not None and subject.records is not None and "retouch" not in subject.records.inputs("video"):
        put = subject.records.inputs("video")  # what was painted over it is in its video alone
        match = put.get("match_colours") == "True"
        every = put.get("every_frame") != "False"  # older edits know nothing else
        changes = put.get("changes") == "True"  # older edits have whole pictures put in
        takes["edit"] = composed(
            source, places, images, put["blender"], match=match, every_frame=every, changes=changes
        )
        told = f"{put['blender']}, changes {changes}, colours matched {match}, all {every}"
        marks["edit"] = f"{told}, before encoding {hashes['edit']}"
        takes["encoded"], marks["encoded"] = decoded(clips["edit"]), hashes["edit"]
    else:
        takes["edit"], marks["edit"] = decoded(clips["edit"]), hashes["edit"]
    if truth is not None:
        takes["truth"], marks["truth"] = decoded(clips["truth"]), hashes["truth"]
    if ceiling:
        takes["ceiling"] = reencoded(takes["source"], source.info.rate)
        marks["ceiling"] = f"encoded again {hashes['source']}"
    return Job(subject, clips, places, takes, images, marks, device, progress)


def _open(subject: Subject, truth: Path | None) -> dict[str, VideoSource]:
    """The clips by name, all of one length and size. Raises CannotOpen, ConfigError, ProjectError."""
    opened = open_seen if subject.project is None else subject.project.open_clip
    clips: dict[str, VideoSource] = {"source": opened(subject.source)}
    if subject.project is not None and not subject.project.is_clip(subject.source):
        raise subject.project.other_clip(subject.source)
    if subject.video is not None:
        clips["edit"] = opened(subject.video)
    if truth is not None:
        clips["truth"] = opened(truth)
    own = _shape(clips["source"])
    for name, clip in clips.items():
        if _shape(clip) != own:
            what = (
                "an edit of this very clip" if name == "edit" else "a truth clip that shows every frame of the source"
            )
            raise ConfigError(
                f"{clip.info.path} has {_shape(clip)}, the source {subject.source} has {own}", f"give {what}"
            )
    return clips


def _shape(clip: VideoSource) -> str:
    return f"{clip.count()} frames of {clip.info.width}x{clip.info.height}"


def _places(subject: Subject, source: VideoSource, progress: Progress) -> Places:
    if subject.project is None:
        return places_of_clip(source, progress)
    settings = {} if subject.records is None else subject.records.inputs("stitch")
    regions = tuple(settings.get("region", "face").split("+"))
    return places_of_project(subject.project, float(settings.get("border_px", BORDER_PX)), united(regions), progress)


def _crops(subject: Subject, places: Places, device: str) -> FineImages | None:
    """The crops that were put into the edit, if they are there still, and it is known by which blender."""
    if subject.video is None:
        assert subject.project is not None, "an inversion is a project's"
        return InversionImages(load_inversion(subject.project, device))
    if subject.records is not None:
        stitched = stitched_crops(subject.records, places.crops)
        known = subject.records.inputs("video").get("blender") in BLENDERS
        now = Records.read(subject.records.path).inputs("stitch")  # the crops may be those of a later run
        if (
            known
            and now == subject.records.inputs("stitch")
            and all(stitched.path(row).is_file() for row in range(len(stitched)))
        ):
            return stitched
    return None


def _add_change(measured: Measured, change: Change, job: Job) -> None:
    """Seam, identity, and what changed outside of the mask."""
    measured.rows |= {name: np.array(values, np.float32) for name, values in change.rows.items()}
    measured.rows["identity_distance"] = metrics.identity_distance(
        measured.edit.embeddings, measured.source.embeddings
    ).astype(np.float32)
    before, after = change.outside, change.encoded_outside
    if job.subject.video is None:
        _explain(measured, "encoded_outside", "an inversion is no file")
    elif job.images is None:
        before, after = [], change.outside
        _explain(measured, "outside", "only the file as it was encoded is there")
    if job.subject.face is not None and job.subject.video is not None:
        after = []
        _explain(measured, "encoded_outside", "other faces of the clip may be edited too")
        before = [] if job.images is None else before
    for name, found in (("outside", before), ("encoded_outside", after)):
        if found:
            largest, mean = np.array(found, np.float32).T
            measured.rows[f"{name}_max"] = largest[measured.frames]
            measured.rows[f"{name}_mean"] = mean[measured.frames]
            # Frames without a face count too: nothing may change there either.
            measured.whole[f"{name}_max"] = float(np.nanmax(largest)) if np.isfinite(largest).any() else np.nan
            measured.whole[f"{name}_mean"] = float(np.nanmean(mean)) if np.isfinite(mean).any() else np.nan


def _add_inversion(measured: Measured, job: Job, compare: Callable[[], Rows]) -> None:
    if "inversion" not in job.takes:
        _explain(measured, "inversion_", "no project is behind the edit: the inversion is not known")
        return
    try:
        measured.rows |= {f"inversion_{name}": values for name, values in compare().items()}
    except (ProjectError, WeightsError) as exc:  # such as a generator that has been changed since, or is gone
        _explain(measured, "inversion_", f"{exc}: {exc.hint}")


def _add_effect(measured: Measured, job: Job, kept: ArrayCache) -> None:
    """What was asked, and how much of what the generator makes of it arrives."""
    records, project = job.subject.records, job.subject.project
    names = ("edit_delivered", "edit_retention", "outside_change")
    if records is None or project is None:
        measured.why |= dict.fromkeys(names, "it is not known what the edit did to the codes: no project holds it")
        return
    try:
        moves = load_moves(records, load_inversion(project, job.device))
    except (ProjectError, WeightsError) as exc:
        measured.why |= dict.fromkeys(names, f"{exc}: run the same edit again")
        return
    measured.asked_changes = moves.asked
    inputs = {"places": _digest(job.places), "pictures": job.marks["edit"], "codes": records.fingerprint("stitch")}
    work = partial(made_and_seen, moves, job.takes["edit"], job.takes["source"], job.places)
    found = kept.get("effect", inputs, "effect", work)
    measured.retention = dict(zip(metrics.BANDS, found["retention"].tolist(), strict=True))
    measured.rows["outside_change"] = found["outside"]


def _add_border(measured: Measured, job: Job) -> None:
    if job.images is None:
        _explain(measured, "border_mse", "the stitched crops are not there, only the file that was made of them")
    else:
        measured.rows["border_mse"] = border(job.images, job.places)


def _add_truth(measured: Measured, edit: Rows, source: Rows) -> None:
    """Nearness to the true edit, beside that of doing nothing."""
    for kind in ("perceptual", "psnr"):
        measured.rows[f"truth_{kind}"] = edit[kind]
        measured.beside[f"truth_{kind}"] = ("doing nothing", source[kind])
    nearer = metrics.nearer_to_truth(edit["perceptual"], source["perceptual"])
    if not np.isfinite(nearer):
        _explain(measured, "nearer_to_truth", "the truth clip equals the source inside the mask")
        return
    measured.whole["nearer_to_truth"] = nearer
    measured.rows["nearer_to_truth"] = (edit["perceptual"] / np.maximum(source["perceptual"], 1e-9)).astype(np.float32)


def _explain(measured: Measured, prefix: str, why: str) -> None:
    measured.why |= {name: why for name in metrics.METRICS if name.startswith(prefix)}


def _result(measured: Measured, job: Job, truth: Path | None, embedding: str) -> Evaluation:
    subject, places = job.subject, job.places
    figures, attributes, curves = make_figures(measured)
    edited = set(places.crops.frames.tolist())
    notes = []
    if subject.video is not None and job.images is None:
        notes.append(f"figures are of {subject.video.name} as it was encoded: no project holds what it was made of")
    if subject.face is not None:
        notes.append(f"figures are of face {subject.face} alone: for another, name its folder with --project")
    return Evaluation(
        name=subject.name,
        edit=subject.video,
        source=subject.source,
        project=None if subject.project is None else subject.project.root,
        truth=truth,
        asked=subject.directions,
        embedding=embedding,
        rate=measured.rate,
        total=len(places.tracks.state),
        frames=places.crops.frames,
        figures={figure.name: figure for figure in figures},
        attributes=attributes,
        curves=curves,
        streams={} if subject.video is None else compare_streams(job.clips["source"], job.clips["edit"]),
        gaps=gap_lines(measured, figures, [f for f in range(len(places.tracks.state)) if f not in edited]),
        notes=notes,
    )


def _digest(places: Places) -> str:
    """Of where the faces are, and of the masks."""
    found = hashlib.sha256(repr((places.tracks.frame_size, float(places.border_px), places.regions)).encode())
    for array in (places.crops.frames, places.crops.quads, places.points.points, places.tracks.landmarks):
        found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()
