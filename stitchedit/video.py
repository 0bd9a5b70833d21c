"""Video in and out, frame by frame, with exact time stamps.

    source = open_video("clip.mp4")
    with VideoWriter("out.mp4", source) as writer:
        for frame in source:
            writer.write(paste(frame, patch, alpha, box))

PyAV (FFmpeg's libraries) reads and writes in place of pipes to the ffmpeg command: through a pipe, time stamps are
guessed from a frame rate and sound must be encoded anew, while here every frame carries its own time and the
packets of the sound are handed over as they are.

* Frames travel in the source's own pixel format. Only a box around an edit is turned into RGB and back
  (`Frame.rgb`, `paste`; convention in `stitchedit.colour`), and what it does not touch keeps its exact samples.
* Positions are those of the upright picture: `Frame.rgb` turns a picture that is stored on its side, `paste` turns
  the patch back. Non-square pixels are left as they are; `VideoInfo.sample_aspect_ratio` tells.
* One frame is held at a time; a source can be gone through again as often as needed.
* A file is opened as a file whatever its name looks like, and may not open others.

Damage in the middle of a file does not end the reading: `VideoSource`.
"""

from stitchedit._video_in import ColourTags, Damage, Frame, VideoInfo, VideoSource, open_video, paste
from stitchedit._video_out import VideoWriter, Written, try_writing, usual_suffix, write_video
from stitchedit.colour import Box

__all__ = [
    "Box",
    "ColourTags",
    "Damage",
    "Frame",
    "VideoInfo",
    "VideoSource",
    "VideoWriter",
    "Written",
    "open_video",
    "paste",
    "try_writing",
    "usual_suffix",
    "write_video",
]
