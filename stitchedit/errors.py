"""What can go wrong for a user, one class a cause.

    StitcheditError                     1
      ConfigError                       2   what was given, what is allowed; QueueError
      ProjectError                      3   NotAProject . SchemaTooNew . StageMissing . InUse
      VideoError                        4   CannotOpen . CannotDecode . CannotEncode
      FaceError                         5   NoFace . NoFaceIn . TrackLost . EmptyMask
      WeightsError                      6   NotFetched . HashMismatch . UnknownCheckpoint
      DeviceError                       7   OpsBuildError . OutOfMemory
      DirectionError                    8   UnknownDirection . WrongShape . OtherGenerator
      OutputError                       9   NotWritable . WouldReplace . DiskFull . FileTooLarge . TooLittleRoom
      PipeClosed                      141   as of the signal that other programs end by
      Stopped                   128 + n   by signal n: 130 Ctrl-C, 143 SIGTERM, 129 SIGHUP

`cli.main.main` is the one place that catches these: it prints the message and the hint on stderr and exits with
`exit_code`. Every message says what was wrong and where, every hint says what to do. A bug is not in this tree
and keeps its traceback.
"""

from __future__ import annotations

import math
import signal
from collections.abc import Sequence
from pathlib import Path


class Refused(Exception):
    """The bytes of a stranger's file are not what may be read. One line that names what is wrong.

    It is no `StitcheditError` yet: whoever opened the file knows its name and what it was wanted for, and says so.
    """


class StitcheditError(Exception):
    """Base of everything a user can cause and mend.

    Attributes:
        hint: one line, what to do next; empty where the message says it all.
        exit_code: what the command exits with.
    """

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class ConfigError(StitcheditError):
    """An option or setting has a value that is not allowed."""

    exit_code = 2


class QueueError(ConfigError):
    """A job cannot be queued, or is not there, or does not allow what is asked."""


class ProjectError(StitcheditError):
    """The project folder cannot be used as it is."""

    exit_code = 3


class NotAProject(ProjectError):
    """There is no project where one was expected."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"no stitchedit project in {path}", "run `stitchedit invert CLIP` first, or name the project")
        self.path = path


class SchemaTooNew(ProjectError):
    """The project was written by a newer stitchedit."""

    def __init__(self, path: Path, found: int, known: int) -> None:
        super().__init__(
            f"{path} has project schema {found}, this stitchedit knows up to {known}",
            "update stitchedit, or invert the clip again into another --project folder",
        )
        self.path, self.found, self.known = path, found, known


class StageMissing(ProjectError):
    """A stage's result is needed but not there."""

    def __init__(self, path: Path, stage: str) -> None:
        super().__init__(f"{path} has no result of stage '{stage}'", "run `stitchedit invert` on the clip to the end")
        self.path, self.stage = path, stage


class InUse(ProjectError):
    """Another process works in the folder."""

    def __init__(self, path: Path, holder: int | None) -> None:
        who = "another process" if holder is None else f"process {holder}"
        super().__init__(f"{path} is in use by {who}", "wait for its end; what it finishes is kept for you")
        self.path, self.holder = path, holder


class VideoError(StitcheditError):
    """A video cannot be read or written."""

    exit_code = 4


class CannotOpen(VideoError):
    """The file is missing, is no file, or is no video."""

    def __init__(self, path: Path | str, why: str, hint: str = "give a video file, such as .mp4, .mov or .mkv") -> None:
        super().__init__(f"cannot open {path}: {why}", hint)
        self.path = path


class CannotDecode(VideoError):
    """A frame of the file is damaged."""

    def __init__(self, path: Path | str, frame: int, why: str) -> None:
        super().__init__(f"cannot decode frame {frame} of {path}: {why}", "the file is damaged from there on")
        self.path, self.frame = path, frame


class CannotEncode(VideoError):
    """The output cannot be encoded as asked."""

    def __init__(self, path: Path | str, why: str, hint: str = "try another container, such as .mkv") -> None:
        super().__init__(f"cannot encode {path}: {why}", hint)
        self.path, self.why = path, why


class FaceError(StitcheditError):
    """The faces in the clip do not allow the job."""

    exit_code = 5


class NoFace(FaceError):
    """No frame holds a face that could be followed."""

    def __init__(self, where: Path | str, frames: int, turn: int = 0) -> None:
        """`turn`: by how many degrees counterclockwise the picture must be turned to show one; 0: none is known."""
        hint, found = "faces must look towards the camera and be about 40 pixels wide or more", ""
        if turn:
            hint = f"turn it: `ffmpeg -display_rotation {turn} -i CLIP -c copy turned.mp4`, or its pictures likewise"
            found = f", but one that lies {'upside down' if turn == 180 else 'on its side'}"
        super().__init__(f"no face found in any of the {frames} frames of {where}{found}", hint)
        self.frames, self.turn = frames, turn


class NoFaceIn(FaceError):
    """A picture that is to teach shows no face."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"no face found in {path}", "leave it out, or give one with a face at least 40 pixels wide")
        self.path = path


class TrackLost(FaceError):
    """The face is gone from this frame on."""

    def __init__(self, frame: int, seconds: float) -> None:
        super().__init__(f"the face is lost at frame {frame} ({seconds:.2f} s)", "cut the clip there")
        self.frame, self.seconds = frame, seconds


class EmptyMask(FaceError):
    """The face mask of a frame selects no pixel."""

    def __init__(self, frame: int) -> None:
        super().__init__(f"the face mask of frame {frame} is empty", "the face may be outside of the picture there")
        self.frame = frame


class WeightsError(StitcheditError):
    """A file of weights is missing, damaged or of an unknown kind."""

    exit_code = 6


class NotFetched(WeightsError):
    """Weights are needed that were never fetched or imported."""

    def __init__(self, name: str, hint: str) -> None:
        super().__init__(f"weights '{name}' are not here", hint)
        self.name = name


class HashMismatch(WeightsError):
    """A file of weights is not the one that its record names."""

    def __init__(self, path: Path, expected: str, found: str) -> None:
        super().__init__(
            f"{path} is damaged: sha256 is {found[:16]}…, expected {expected[:16]}…",
            "install stitchedit again, or fetch or import the file again",
        )
        self.path, self.expected, self.found = path, expected, found


class UnknownCheckpoint(WeightsError):
    """The file is no checkpoint that can be read, or one that must not be."""

    def __init__(self, path: Path | str, why: str, hint: str = "") -> None:
        super().__init__(
            f"cannot read weights from {path}: {why}",
            hint or "known are NVIDIA .pkl, rosinality .pt, STIT model_*.pt, e4e/pSp .pt and stitchedit .safetensors",
        )
        self.path = path


class DeviceError(StitcheditError):
    """The device asked for cannot do the work."""

    exit_code = 7


class OpsBuildError(DeviceError):
    """The fused CUDA kernels could not be built."""

    def __init__(self, why: str) -> None:
        super().__init__(f"the CUDA kernels could not be built: {why}", "`stitchedit doctor` shows compiler and driver")


class OutOfMemory(DeviceError):
    """A step needs more memory than the device has."""

    def __init__(self, what: str) -> None:
        super().__init__(f"out of memory during {what}", "use --preset fast, or --device cpu")


class DirectionError(StitcheditError):
    """An edit direction is unknown or does not fit."""

    exit_code = 8


class UnknownDirection(DirectionError):
    """There is no direction of this name, and no file either."""

    def __init__(self, name: str, nearest: Sequence[str], known: Sequence[str]) -> None:
        hint = f"did you mean {' or '.join(nearest)}?" if nearest else f"known are {', '.join(known)}."
        super().__init__(
            f"unknown direction '{name}'", f"{hint} A path to a .npy, .npz, .pt or .safetensors works too."
        )
        self.name, self.nearest = name, tuple(nearest)


class WrongShape(DirectionError):
    """The vector in the file fits neither W nor W+ of the generator."""

    def __init__(self, path: Path | str, found: Sequence[int], num_ws: int, w_dim: int) -> None:
        hint = f"this generator takes [{w_dim}] (W) or [{num_ws}, {w_dim}] (W+)"
        sides = [side for side in found if side != 1]
        if len(sides) == 3 and sides[-1] == w_dim:
            hint += f"; these look like the codes of {sides[0]} pictures, which are no direction"
        elif math.prod(found) > num_ws * w_dim and math.prod(found) % w_dim == 0:  # made for a larger picture
            hint += f"; if its W is the same, save the rows for fewer pixels: v.reshape(-1, {w_dim})[:{num_ws}]"
        super().__init__(f"{path} holds a vector of shape {list(found)}", hint)
        self.found = tuple(found)


class OtherGenerator(DirectionError):
    """The direction was made for another generator."""

    def __init__(self, name: str, made_for: str, generator: str) -> None:
        super().__init__(
            f"direction '{name}' was made for generator '{made_for}', the project uses '{generator}'",
            "choose one of `stitchedit directions list`, `directions learn` one for this generator, or --force",
        )


class OutputError(StitcheditError):
    """A result cannot be written."""

    exit_code = 9


class NotWritable(OutputError):
    """The place for the output does not take files."""

    def __init__(self, path: Path | str, why: str) -> None:
        super().__init__(f"cannot write {path}: {why}", "choose another place with -o or --project")
        self.path = path


class WouldReplace(OutputError):
    """A file lies where the output is to go, and it was not said that it may go."""

    def __init__(
        self, path: Path | str, what: str, hint: str = "choose another name with -o, or replace it: --overwrite"
    ) -> None:
        super().__init__(f"{path} is there already: {what}", hint)
        self.path = path


class DiskFull(OutputError):
    """There is no room left for the output."""

    def __init__(self, path: Path | str) -> None:
        super().__init__(f"no space left while writing {path}", "free some space and run the same command again")
        self.path = path


class FileTooLarge(OutputError):
    """The output grows over what a file may have."""

    def __init__(self, path: Path | str, limit: int | None) -> None:
        """`limit`: bytes that the process may write into a file; None: it is the file system that takes no more."""
        named = f"files may have {_size(limit)} (`ulimit -f`)" if limit is not None else "the file system takes no more"
        hint = "raise the limit (`ulimit -f unlimited`)" if limit is not None else "choose another disk"
        super().__init__(f"{path} grows too large: {named}", f"{hint} and run the same command again")
        self.path, self.limit = path, limit


class TooLittleRoom(OutputError):
    """The work would fill the disk before its end."""

    def __init__(self, path: Path | str, needed: int, free: int) -> None:
        super().__init__(
            f"the disk of {path} has {_size(free)} free, about {_size(needed)} are needed",
            "free some space, put the project elsewhere with --project, or run `stitchedit clean` on older projects",
        )
        self.needed, self.free = needed, free


def _size(count: int) -> str:
    """Bytes for people: as many digits as tell two sizes apart."""
    return f"{count / 1e3:.0f} kB" if count < 10e6 else f"{count / 1e6:.0f} MB"


class PipeClosed(StitcheditError):
    """Nobody reads the results any more, as after `| head`: nothing is said."""

    exit_code = 128 + 13  # SIGPIPE

    def __init__(self) -> None:
        super().__init__("")


class Stopped(StitcheditError):
    """The process was asked to end; what was finished is kept."""

    def __init__(self, number: int) -> None:
        super().__init__(f"stopped ({signal.Signals(number).name}); the same command goes on from here")
        self.number = number
        self.exit_code = 128 + number
