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

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stitchedit.video.base import ColourTags as ColourTags
    from stitchedit.video.base import Damage as Damage
    from stitchedit.video.base import Frame as Frame
    from stitchedit.video.base import VideoInfo as VideoInfo
    from stitchedit.video.base import VideoSource as VideoSource
    from stitchedit.video.base import View as View
    from stitchedit.video.base import paste as paste
    from stitchedit.video.file_reader import CodedFrame as CodedFrame
    from stitchedit.video.file_reader import FileSource as FileSource
    from stitchedit.video.file_reader import open_file as open_file
    from stitchedit.video.file_writer import VideoWriter as VideoWriter
    from stitchedit.video.opening import open_seen as open_seen
    from stitchedit.video.opening import open_video as open_video
    from stitchedit.video.sequence_names import SUFFIXES as SUFFIXES
    from stitchedit.video.sequence_names import means_pictures as means_pictures
    from stitchedit.video.sequence_reader import SequenceSource as SequenceSource
    from stitchedit.video.sequence_reader import open_sequence as open_sequence
    from stitchedit.video.sequence_writer import SequenceWriter as SequenceWriter
    from stitchedit.video.writers import Written as Written
    from stitchedit.video.writers import beside as beside
    from stitchedit.video.writers import foretold as foretold
    from stitchedit.video.writers import try_output as try_output
    from stitchedit.video.writers import try_writing as try_writing
    from stitchedit.video.writers import usual_output as usual_output
    from stitchedit.video.writers import usual_suffix as usual_suffix
    from stitchedit.video.writers import write_video as write_video
    from stitchedit.video.writers import writer_for as writer_for
    from stitchedit.video.writers import written_files as written_files
    from stitchedit.video.yuv import Box as Box

# Each name is imported when it is first used, so that whoever wants a name of a file does not wait for FFmpeg.
_HOME = {
    "Box": "yuv",
    "CodedFrame": "file_reader",
    "ColourTags": "base",
    "Damage": "base",
    "FileSource": "file_reader",
    "Frame": "base",
    "SUFFIXES": "sequence_names",
    "SequenceSource": "sequence_reader",
    "SequenceWriter": "sequence_writer",
    "VideoInfo": "base",
    "VideoSource": "base",
    "VideoWriter": "file_writer",
    "View": "base",
    "Written": "writers",
    "beside": "writers",
    "foretold": "writers",
    "means_pictures": "sequence_names",
    "open_file": "file_reader",
    "open_sequence": "sequence_reader",
    "open_seen": "opening",
    "open_video": "opening",
    "paste": "base",
    "try_output": "writers",
    "try_writing": "writers",
    "usual_output": "writers",
    "usual_suffix": "writers",
    "write_video": "writers",
    "writer_for": "writers",
    "written_files": "writers",
}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'stitchedit.video' has no attribute '{name}'")
    return getattr(import_module(f"stitchedit.video.{_HOME[name]}"), name)
