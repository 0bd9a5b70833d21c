"""The shots of a film as a time line for editing programs: edited ones are files of their own, others of the film."""

from __future__ import annotations

from pathlib import Path

from stitchedit.cutlist.writing import write_edited
from stitchedit.files import otio_text as otio
from stitchedit.files.atomic import atomic
from stitchedit.film import folder as names
from stitchedit.film.clips import CUTS
from stitchedit.film.folder import FilmFolder
from stitchedit.film.given import Given, cut_shots
from stitchedit.film.plan import FilmPlan
from stitchedit.video import open_video
from stitchedit.video.timecode import frames_of


def write_time_line(plan: FilmPlan, given: Given, folder: FilmFolder) -> list[Path]:
    """Write the time line into the film's folder, of a cut list that very list with the edited shots in it.

    Returns: the files. Raises: CannotOpen, NotWritable, DiskFull; what `write_edited` raises.
    """
    path = folder.at(names.TIME_LINE)
    if plan.kind == CUTS:
        return _edited_cuts(plan, given, folder, path)
    with atomic(path) as temp:
        temp.write_text(time_line(plan), encoding="utf-8")
    return [path]


def _edited_cuts(plan: FilmPlan, given: Given, folder: FilmFolder, path: Path) -> list[Path]:
    cuts, planned = cut_shots(given)
    edited = {
        (plan.clip(p.shot).path, range(p.shot.first, p.shot.last + 1)): folder.at(names.edited(p.shot.number))
        for p, _ in plan.edited()
    }
    known = [(clip, edited.get((clip.shot.media.resolve(), clip.frames))) for clip in planned]
    return write_edited(cuts, {clip.shot: clip.medium(made) for clip, made in known if made is not None}, path)


def time_line(plan: FilmPlan) -> str:
    """The text of an .otio that lies in the film's folder: every frame of all clips in turn, with their sound.

    An edited shot can be switched to what the clip shows there (the reference "source"). Raises CannotOpen.
    """
    edited = {planned.shot.number for planned, _ in plan.edited()}
    pictures: list[otio.Table] = []
    sounds: list[otio.Table] = []
    heard = False
    for number, clip in enumerate(plan.clips, 1):
        info, rate = open_video(clip.path).info, float(clip.rate)
        start = frames_of(info.start_timecode, clip.rate) or 0
        shots = [planned.shot for planned in plan.shots if planned.shot.clip == number]
        whole = otio.span(start, shots[-1].last + 1, rate)
        film = otio.file(clip.path.name, clip.path.as_uri(), whole)
        for shot in shots:
            name, shown = f"shot {shot.number}", otio.span(start + shot.first, shot.frames, rate)
            if shot.number in edited:
                # The file counts as the film does, so that the clip shows the same of both.
                own = otio.file(name, names.edited(shot.number), shown)
                pictures.append(otio.clip(name, own, shown, before=film))
            else:
                pictures.append(otio.clip(name, film, shown))
        sounds.append(otio.clip("sound", film, whole) if info.audio_streams else otio.gap(whole))
        heard = heard or bool(info.audio_streams)
    tracks = [otio.track("shots", pictures), *([otio.track("sound", sounds, "Audio")] if heard else [])]
    return otio.timeline(plan.given.stem, tracks)
