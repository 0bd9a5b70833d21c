"""The clips of a folder."""

from __future__ import annotations

from pathlib import Path

from stitchedit.errors import CannotOpen, ConfigError
from stitchedit.provenance.manifest import notice_text, notices

VIDEOS = (".avi", ".gif", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpg", ".mts", ".mxf", ".ts", ".webm", ".wmv")


def find_clips(folder: Path) -> tuple[list[Path], list[str]]:
    """The videos of a folder by name; and a line for each that is left out: edited ones, and what cannot be opened.

    Raises: ConfigError, where the folder cannot be read or holds no video.
    """
    try:
        names = sorted(path for path in folder.iterdir() if path.suffix.lower() in VIDEOS and path.is_file())
    except OSError as exc:
        raise ConfigError(f"{folder} cannot be read: {exc.strerror}", "give a folder of videos") from exc
    clips, skipped = [], []
    for path in (path for path in names if not path.name.startswith(".")):
        try:
            told = notices(notice_text(path))
        except CannotOpen as exc:
            skipped.append(str(exc))
            continue
        if told:
            skipped.append(f"{path} is left out: it is an edit already ({told[-1].get('edit', 'unknown')})")
        else:
            clips.append(path)
    if not clips:
        raise ConfigError(
            f"{folder} holds no video to edit", "; ".join(skipped[:3]) or f"known are {', '.join(VIDEOS)}"
        )
    return clips, skipped
