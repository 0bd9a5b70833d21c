"""Shots of a cut list as clips: which frames of which medium, with handles, and the medium that takes their place."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from stitchedit.cutlist.shots import CutList, Shot
from stitchedit.cutlist.writing import EditedMedium
from stitchedit.files.atomic import make_folder
from stitchedit.progress import Progress
from stitchedit.video import VideoSource, means_pictures, open_video, usual_suffix
from stitchedit.video.excerpts import SUFFIX, Excerpt, write_excerpts
from stitchedit.video.sequence_reader import SequenceSource
from stitchedit.video.timecode import code_of, seconds_of

_LONGEST = 40  # letters of a shot's name in file names
_NO_END = 1 << 40  # frames of a file, whose end is found when it is read


@dataclass(frozen=True, slots=True)
class ShotClip:
    """A shot that becomes a clip."""

    shot: Shot
    source: VideoSource  # its medium
    frames: range  # of the medium, with handles
    least: range  # those that the time line shows
    first: Fraction  # s, of the medium's first frame in the shot's own time
    name: str  # of its files

    @property
    def pictures(self) -> bool:
        return isinstance(self.source, SequenceSource)

    @property
    def result(self) -> str:
        """The name of what is made of it."""
        return self.name if self.pictures else self.name + usual_suffix(self.shot.media)

    def medium(self, edited: Path) -> EditedMedium:
        """What the time line is to show in its place."""
        rate, path = self.source.info.rate, edited
        if isinstance(self.source, SequenceSource):
            path = edited / self.source.numbered.files[self.frames.start].name
        start, duration = self.first + self.frames.start / rate, len(self.frames) / rate
        return EditedMedium(path, self.pictures, start, duration, rate)


def plan_shots(cuts: CutList, handles: int) -> list[ShotClip]:
    """What is cut out of which medium: each is opened, and of a file nothing is read beyond its first frame.

    Args:
        handles: frames of the medium on each side beyond what is shown, as far as it has them.
    Raises: CannotOpen, where a medium cannot be read, or has not the frames of a shot.
    """
    opened: dict[tuple[Path, Fraction], VideoSource] = {}
    return [_planned(shot, handles, opened) for shot in cuts.shots]


def _planned(shot: Shot, handles: int, opened: dict[tuple[Path, Fraction], VideoSource]) -> ShotClip:
    pictures = means_pictures(shot.media)
    key = shot.media, shot.rate if pictures else Fraction(0)
    if key not in opened:
        opened[key] = open_video(shot.media, shot.rate if pictures else None)
    source = opened[key]
    info, first = source.info, shot.media_start
    if first is None:
        code = "" if pictures else info.start_timecode  # pictures are counted from their first one
        first = (seconds_of(code, shot.rate) if code else None) or Fraction(0)
    count = source.count() if pictures else _claimed(source)
    least = shot.frames(info.rate, count, first)
    frames = range(max(0, least.start - handles), min(count, least.stop + handles))
    name = re.sub(r"[^\w.-]+", "_", Path(shot.name).stem)[:_LONGEST].strip("._") or "shot"
    return ShotClip(shot, source, frames, least, first, f"{shot.number:03d}_{name}")


def _claimed(source: VideoSource) -> int:
    """Frames that a file has by its own word."""
    duration = source.info.duration
    return _NO_END if duration is None else max(1, round(duration * source.info.rate))


def cut_out(clips: Sequence[ShotClip], folder: Path, progress: Progress) -> list[Path]:
    """The clips of the shots, made where they are not there yet; each medium is read once.

    Raises: what `write_excerpts` raises; NotWritable, DiskFull.
    """
    make_folder(folder)
    paths = [folder / (clip.name if clip.pictures else clip.name + SUFFIX) for clip in clips]
    parts: dict[int, list[Excerpt]] = {}
    for clip, path in zip(clips, paths, strict=True):
        rate, start = clip.shot.rate, clip.first + clip.frames.start / clip.source.info.rate
        excerpt = Excerpt(clip.frames, clip.least, path, code_of(round(start * rate), rate))
        parts.setdefault(id(clip.source), []).append(excerpt)
    for source in {id(clip.source): clip.source for clip in clips}.values():
        write_excerpts(source, parts[id(source)], progress)
    return paths
