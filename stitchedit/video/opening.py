"""A clip by its path: a file, or numbered pictures."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from stitchedit.errors import CannotOpen, ConfigError
from stitchedit.video.base import VideoSource, View
from stitchedit.video.colourspaces import by_transfer, find_view
from stitchedit.video.file_reader import open_file
from stitchedit.video.sequence_names import SUFFIXES, means_pictures
from stitchedit.video.sequence_reader import open_sequence


def open_video(path: Path | str, fps: Fraction | None = None, view: View | None = None) -> VideoSource:
    """Opens a clip for reading: a file, a folder of numbered pictures, or those of `shot/frame.%04d.exr`.

    `path` is always the name of files: never an option, a protocol (`http:`), a device or a list of other files.

    Args:
        fps: of numbered pictures; default 25.
        view: how its samples look; None: as they are, and EXR as light of its own primaries.
    Raises: CannotOpen, when it is missing, cannot be read, or holds not a single frame; ConfigError, for an `fps` that
        a file was given, whose frames have times of their own.
    """
    path = Path(path)
    if means_pictures(path):
        return open_sequence(path, fps, view)
    if fps is not None:
        raise ConfigError("--fps is for numbered pictures", f"{path} has frame times of its own: leave it out")
    try:
        return open_file(path, view)
    except CannotOpen as exc:
        if path.is_file() and path.suffix.lower() in SUFFIXES:
            raise CannotOpen(path, "it is one picture", "give its folder, or 'shot/frame.%04d.png'") from exc
        raise


def open_seen(path: Path | str, fps: Fraction | None = None, colourspace: str | None = None) -> VideoSource:
    """The same, its samples looked at as those of a colour space; None: as its own tag says, where that is PQ or HLG.

    Raises: what `open_video` and `find_view` raise.
    """
    source = open_video(path, fps, None if colourspace is None else find_view(colourspace))
    tagged = by_transfer(source.info.colour.transfer) if colourspace is None else None
    if tagged is not None:
        source.view = find_view(tagged)
    return source
