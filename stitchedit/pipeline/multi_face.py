"""The faces of one clip that are edited together: each has a project, the first one that of the clip itself.

    clip.mp4.stitch/             the first face, as if it were the only one
    clip.mp4.stitch/persons/2/   the second face: a project of the same kind, whole in itself

So each face has its own crops, codes and tuned generator, stages are kept and taken up face by face, and one more face
costs nothing of those that are there. Only the tracks of all are found in one reading of the clip, and the video is
written in one pass that puts every face back into each frame.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache, partial

from stitchedit.config import EVERYBODY, InvertConfig
from stitchedit.errors import ConfigError, NoFace, ProjectError
from stitchedit.faces.tracking import track_faces
from stitchedit.faces.tracklets import evidence
from stitchedit.models.loading import lasting_name
from stitchedit.progress import Progress
from stitchedit.project import artefacts
from stitchedit.project.folder import INVERT_STAGES, Project
from stitchedit.project.records import fingerprint_of, inputs_of
from stitchedit.project.stage_runner import Stages
from stitchedit.types import ByteArray, IntArray, Tracks
from stitchedit.video import Frame, VideoSource, means_pictures
from stitchedit.video.clip_hash import PicturesHash


@dataclass(frozen=True, slots=True)
class TrackedFace:
    """A face of a clip, tracked, its project open to write in."""

    project: Project
    stages: Stages
    tracks: Tracks
    fingerprint: str  # of the stage `track`


def open_faces(project: Project) -> list[Project]:
    """The project and those of the further faces that are edited with it. Raises NotAProject and its kin."""
    return [project, *(Project.open(project.face_root(number)) for number in range(2, project.faces + 1))]


def follow_faces(project: Project, source: VideoSource, config: InvertConfig, progress: Progress) -> list[TrackedFace]:
    """Track every face that is asked for, in one reading of the clip, and none that is tracked already.

    Args:
        project: that of the first face, open to write in; those of the others are made in it.
    Raises: NoFace; ConfigError, when nobody, or one person twice, is meant.
    """
    clip, info = source.info.path, source.info
    sha = _take_source(project, source, config)
    which = {"source": sha} | ({"fps": str(info.rate)} if means_pictures(clip) else {})
    which |= {"colourspace": source.view.name} if source.view else {}
    shown = PicturesHash()

    @cache
    def found() -> dict[str, Tracks]:
        return track_faces(
            iter_rgb(shown.of(source)),
            config.track,
            [config.track.face, *config.others],
            frame_size=(info.width, info.height),
            rate=info.rate,
            progress=progress,
            total=round((info.duration or 0) * info.rate),
            name=str(clip),
        )

    def keep(choice: str, own: Project, _: str) -> None:
        if choice not in found():
            raise ProjectError(
                f"{project.records.path} names a face '{choice}' that is not there", "remove the project"
            )
        artefacts.save_tracks(own.tracks, found()[choice])
        if not means_pictures(clip):
            own.note_pictures(shown.hexdigest())
        own.note("damage", "; ".join(f"frame {d.frame}: {d.why}" for d in source.damage[:20]))  # found by reading alone

    opened, faces = [project], []
    try:
        choices = [config.track.face, *config.others]
        if EVERYBODY in choices:
            choices = _everybody(project, fingerprint_of(which | inputs_of(config.track)), found)
        for number, choice in enumerate(choices, 1):
            if number > 1:
                opened.append(Project.create(project.face_root(number)))
                _take_source(opened[-1], source, config)
            own = opened[-1]
            stages = Stages(own.records, INVERT_STAGES)
            inputs = which | inputs_of(replace(config.track, face=choice)) | evidence(choice)
            fingerprint = stages.run("track", inputs, [own.tracks], partial(keep, choice, own))
            faces.append(TrackedFace(own, stages, artefacts.load_tracks(own.tracks), fingerprint))
    except (NoFace, ConfigError):
        for own in reversed(opened):
            own.discard_if_empty()
        raise
    project.take_faces(len(faces))
    return faces


def _everybody(project: Project, asked: str, found: Callable[[], dict[str, Tracks]]) -> list[str]:
    """The choices that mean everybody in the clip; kept, as long as the same is asked."""
    kept = str(project.records.data.get("notes", {}).get("everybody", "")).split()
    if kept[:1] == [asked]:
        return kept[1:]
    choices = list(found())
    project.note("everybody", " ".join([asked, *choices]))
    return choices


def iter_rgb(source: Iterable[Frame], wanted: IntArray | None = None) -> Iterator[tuple[int, ByteArray]]:
    """(index, RGB) of all frames, or of the wanted ones."""
    chosen = None if wanted is None else set(wanted.tolist())
    for frame in source:
        if chosen is None or frame.index in chosen:
            yield frame.index, frame.rgb()


def numbered(progress: Progress, number: int) -> Progress:
    """The same for one face of several, whose stages carry its number."""

    def show(stage: str, done: int, total: int, note: str = "") -> None:
        progress(f"{stage} {number}", done, total, note)

    return show


def _take_source(project: Project, source: VideoSource, config: InvertConfig) -> str:
    generator = lasting_name(config.generator)
    return project.take_source(
        source.info.path, preset=config.preset, generator=generator, fps=config.fps, view=source.view
    )
