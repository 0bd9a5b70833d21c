"""What `film` is given, a clip, a folder of clips or a cut list, and the shots that this makes, cut out of it."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from stitchedit.cutlist.reading import is_cut_list, read_cut_list
from stitchedit.cutlist.shots import CutList
from stitchedit.errors import CannotOpen, ConfigError
from stitchedit.files.atomic import make_folder
from stitchedit.files.disk_space import require_disk_space
from stitchedit.film import folder as names
from stitchedit.film.clips import CLIP, CUTS, FOLDER, Clip, Film
from stitchedit.film.folder import FilmFolder
from stitchedit.film.shots import Shot, find_shots
from stitchedit.pipeline.clip_folder import find_clips
from stitchedit.pipeline.cut_shots import ShotClip, plan_shots
from stitchedit.progress import Progress, silent
from stitchedit.video import means_pictures, open_seen, open_video
from stitchedit.video.clip_hash import clip_sha256
from stitchedit.video.excerpts import Excerpt, write_excerpts
from stitchedit.video.timecode import timecode_at

log = logging.getLogger(__name__)

OLD_TABLE = "people.old.toml"
HANDLES = 8  # frames
LOSSLESS_PART = 0.5  # of a shot's raw samples that FFV1 takes, at most as a rule


@dataclass(frozen=True, slots=True)
class Given:
    """What a command names, and how it is to be read."""

    path: Path
    colourspace: str = ""  # of all clips' samples; empty: as their own tags say
    handles: int = HANDLES  # of a cut list: frames on each side of a shot beyond what it shows
    media: Path | None = None  # of a cut list: where media lie that it names alone
    fps: Fraction | None = None  # of an EDL
    skip: tuple[str, ...] = ()  # shots of a cut list that stay as they are

    @property
    def kind(self) -> str:
        if self.path.is_dir():
            return FOLDER
        return CUTS if is_cut_list(self.path) else CLIP


def read_film(given: Given, folder: FilmFolder, progress: Progress = silent) -> tuple[Film, list[str]]:
    """The film's clips and shots, found once; and a line for everything that is left as it is.

    Raises: CannotOpen; ConfigError, also for a clip that is there twice; what `read_cut_list` raises.
    """
    record = folder.at(names.RECORD)
    known = Film.read(record) if record.exists() else None
    film, notes = _of_cuts(given) if given.kind == CUTS else _of_clips(given, known, progress)
    if known is not None and known.sha256 != film.sha256:
        log.warning("%s is another film than that of %s: all is done again", given.path, folder.root)
        _forget(folder)
    if film != known:
        make_folder(folder.root)
        film.write(record)
    return film, notes


def _of_clips(given: Given, known: Film | None, progress: Progress) -> tuple[Film, list[str]]:
    kind = given.kind
    if kind == CLIP and means_pictures(given.path):
        raise ConfigError(f"{given.path} is a shot of pictures", "a film is a file of video, or a folder of them")
    paths, notes = find_clips(given.path) if kind == FOLDER else ([given.path], [])
    clips = _described(paths)
    for place, clip in enumerate(clips):
        twice = next((other for other in clips[:place] if other.sha256 == clip.sha256), None)
        if twice is not None:
            raise ConfigError(f"{clip.path} is the same clip as {twice.path}", "leave one of them in the folder")
    film = Film(given.path.resolve(), kind, tuple(clips), (), given.colourspace)
    if known is not None and replace(film, shots=known.shots).sha256 == known.sha256:
        return replace(film, shots=known.shots), notes
    shots: list[Shot] = []
    for number, clip in enumerate(clips, 1):
        found = find_shots(open_seen(clip.path, None, given.colourspace or None), progress)
        shots += [Shot(len(shots) + shot.number, shot.first, shot.last, number) for shot in found]
    return replace(film, shots=tuple(shots)), notes


def _of_cuts(given: Given) -> tuple[Film, list[str]]:
    """Of a cut list: what is shown twice alike is one shot."""
    cuts, planned = cut_shots(given)
    places = list(dict.fromkeys(clip.shot.media.resolve() for clip in planned))
    spans = dict.fromkeys((places.index(clip.shot.media.resolve()) + 1, clip.frames) for clip in planned)
    shots = [Shot(n, frames[0], frames[-1], place) for n, (place, frames) in enumerate(spans, 1)]
    film = Film(given.path.resolve(), CUTS, tuple(_described(places)), tuple(shots), given.colourspace)
    return film, list(cuts.kept)


def cut_shots(given: Given) -> tuple[CutList, list[ShotClip]]:
    """A cut list, and which frames of which medium each of its shots is, handles among them.

    Raises: what `read_cut_list` and `plan_shots` raise; CannotOpen, where a medium is no file of video.
    """
    cuts = read_cut_list(given.path, given.media, rate=given.fps, skip=given.skip)
    planned = plan_shots(cuts, given.handles)
    if not planned:
        raise CannotOpen(cuts.path, "it has no shot to edit", "; ".join(cuts.kept[:3]))
    for clip in planned:
        if clip.pictures:
            why = f"shot '{clip.shot.name}' shows numbered pictures, and a film's media are files of video"
            raise CannotOpen(clip.shot.media, why, f"--skip '{clip.shot.name}', or edit it by `stitchedit batch`")
    return cuts, [_within(clip) for clip in planned]


def _within(clip: ShotClip) -> ShotClip:
    """Without handles beyond the end of the medium, which is read to its end where they may be."""
    duration, rate = clip.source.info.duration, clip.source.info.rate
    if duration is not None and clip.frames.stop < round(duration * rate):
        return clip
    return replace(clip, frames=range(clip.frames.start, min(clip.frames.stop, clip.source.count())))


def _described(paths: Sequence[Path]) -> list[Clip]:
    return [Clip(path.resolve(), clip_sha256(path), open_video(path).info.rate) for path in paths]


def _forget(folder: FilmFolder) -> None:
    """Take away what was made of another film; its table is kept beside the new one. Raises NotWritable."""
    folder.at(names.RECORD).unlink()
    for name in ("shots", "people", "tasks"):
        shutil.rmtree(folder.at(name), ignore_errors=True)
    if folder.at(names.TABLE).exists():
        folder.at(names.TABLE).replace(folder.at(OLD_TABLE))


def cut_film(film: Film, folder: FilmFolder, progress: Progress = silent) -> None:
    """Cut out the shots whose files are not there. Raises what `write_excerpts` raises, and TooLittleRoom."""
    missing = [shot for shot in film.shots if not folder.at(names.shot(shot.number)).exists()]
    if not missing:
        return
    make_folder(folder.at("shots"))
    require_disk_space(folder.root, cut_bytes(film.clips, missing))
    for number, clip in enumerate(film.clips, 1):
        own = [shot for shot in missing if shot.clip == number]
        if own:
            source = open_video(clip.path)
            start, rate = source.info.start_timecode, source.info.rate
            excerpts = [
                Excerpt(frames, frames, folder.at(names.shot(shot.number)), timecode_at(start, shot.first, rate))
                for shot in own
                for frames in [range(shot.first, shot.last + 1)]
            ]
            write_excerpts(source, excerpts, progress)


def cut_bytes(clips: Sequence[Clip], shots: Sequence[Shot]) -> int:
    """About what lossless shots take. Raises CannotOpen."""
    total = 0.0
    for number in sorted({shot.clip for shot in shots}):
        info = open_video(clips[number - 1].path).info
        frames = sum(shot.frames for shot in shots if shot.clip == number)
        a_sample = 1 if info.depth <= 8 else 2
        total += LOSSLESS_PART * frames * info.stored_width * info.stored_height * 1.5 * a_sample
    return round(total)
