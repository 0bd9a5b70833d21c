"""Video in and out, frame by frame, with exact time stamps.

    source = open_video("clip.mp4")
    with VideoWriter("out.mp4", source) as writer:
        for frame in source:
            writer.write(paste(frame, patch, alpha, box))

PyAV (FFmpeg's libraries) reads and writes in place of pipes to the ffmpeg command: through a pipe, time stamps are
guessed from a frame rate and sound must be encoded anew, while here every frame carries its own time and the
packets of the sound are handed over as they are.

* Frames travel in the source's own pixel format. Only a box around an edit is turned into RGB and back
  (`Frame.rgb`, `paste`; convention in `stitchedit.video.yuv`), and what it does not touch keeps its exact samples.
* Positions are those of the upright picture: `Frame.rgb` turns a picture that is stored on its side, `paste` turns
  the patch back. Non-square pixels are left as they are; `VideoInfo.sample_aspect_ratio` tells.
* One frame is held at a time; a source can be gone through again as often as needed.
* A file is opened as a file whatever its name looks like, and may not open others.

A clip is a file, or numbered pictures (PNG, EXR, TIFF, JPEG) named by their folder or a pattern: both give the same
`VideoSource` and `Frame`. Damage in the middle of a file does not end the reading: `FileSource`.
"""

from fractions import Fraction
from pathlib import Path

from stitchedit.errors import CannotOpen, ConfigError
from stitchedit.video.base import ColourTags, Damage, Frame, VideoInfo, VideoSource, paste
from stitchedit.video.file_reader import CodedFrame, FileSource, open_file
from stitchedit.video.file_writer import VideoWriter
from stitchedit.video.sequence_names import SUFFIXES, means_pictures
from stitchedit.video.sequence_reader import SequenceSource, open_sequence
from stitchedit.video.sequence_writer import SequenceWriter
from stitchedit.video.writers import (
    Written,
    try_writing,
    usual_output,
    usual_suffix,
    write_video,
    writer_for,
    written_files,
)
from stitchedit.video.yuv import Box

__all__ = [
    "Box",
    "CodedFrame",
    "ColourTags",
    "Damage",
    "FileSource",
    "Frame",
    "SequenceSource",
    "SequenceWriter",
    "VideoInfo",
    "VideoSource",
    "VideoWriter",
    "Written",
    "means_pictures",
    "open_file",
    "open_video",
    "paste",
    "try_writing",
    "usual_output",
    "usual_suffix",
    "write_video",
    "writer_for",
    "written_files",
]


def open_video(path: Path | str, fps: Fraction | None = None) -> VideoSource:
    """Opens a clip for reading: a file, a folder of numbered pictures, or those of `shot/frame.%04d.exr`.

    `path` is always the name of files: never an option, a protocol (`http:`), a device or a list of other files.

    Args:
        fps: of numbered pictures; default 25.
    Raises: CannotOpen, when it is missing, cannot be read, or holds not a single frame; ConfigError, for an `fps` that
        a file was given, whose frames have times of their own.
    """
    path = Path(path)
    if means_pictures(path):
        return open_sequence(path, fps)
    if fps is not None:
        raise ConfigError("--fps is for numbered pictures", f"{path} has frame times of its own: leave it out")
    try:
        return open_file(path)
    except CannotOpen as exc:
        if path.is_file() and path.suffix.lower() in SUFFIXES:
            raise CannotOpen(path, "it is one picture", "give its folder, or 'shot/frame.%04d.png'") from exc
        raise
