"""The shots of a film as a time line for editing programs: edited ones are files of their own, others of the film."""

from __future__ import annotations

from stitchedit.files import otio_text as otio
from stitchedit.film import folder as names
from stitchedit.film.plan import FilmPlan
from stitchedit.video import open_video
from stitchedit.video.timecode import frames_of


def time_line(plan: FilmPlan) -> str:
    """The text of an .otio that lies in the film's folder: every frame of the film, with its sound.

    An edited shot can be switched to what the film shows there (the reference "source"). Raises CannotOpen.
    """
    info, rate = open_video(plan.film).info, float(plan.rate)
    start, total = frames_of(info.start_timecode, plan.rate) or 0, plan.shots[-1].shot.last + 1
    film = otio.file(plan.film.name, plan.film.as_uri(), otio.span(start, total, rate))
    edited, clips = {planned.shot.number for planned, _ in plan.edited()}, []
    for planned in plan.shots:
        shot = planned.shot
        name, shown = f"shot {shot.number}", otio.span(start + shot.first, shot.frames, rate)
        if shot.number in edited:
            # The file counts as the film does, so that the clip shows the same of both.
            own = otio.file(name, names.edited(shot.number), shown)
            clips.append(otio.clip(name, own, shown, before=film))
        else:
            clips.append(otio.clip(name, film, shown))
    tracks = [otio.track("shots", clips)]
    if info.audio_streams:
        tracks.append(otio.track("sound", [otio.clip("sound", film, otio.span(start, total, rate))], "Audio"))
    return otio.timeline(plan.film.stem, tracks)
