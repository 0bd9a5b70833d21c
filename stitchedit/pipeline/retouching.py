"""An artist's last word on an edit: a frame to paint on, and what was painted carried through the shot."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from stitchedit.editing.painted_change import FrameFinder, painted_change, why_other
from stitchedit.editing.retouched_frames import CarriedRetouch, Retouch
from stitchedit.errors import ConfigError, WouldReplace
from stitchedit.faces.alignment import PixelBox, bounding_box, crop_to_source, to_crop, uncrop
from stitchedit.files.hashing import known_sha256
from stitchedit.image.resample import warp
from stitchedit.parallel import side_by_side
from stitchedit.pipeline.done_edit import DoneEdit
from stitchedit.pipeline.multi_face import open_faces
from stitchedit.project import artefacts
from stitchedit.project.folder import Project
from stitchedit.types import Crops, FacePoints, FloatArray, Tracks
from stitchedit.video import Frame, VideoSource, beside, paste
from stitchedit.video.still_files import read_still, still_frame, still_size, write_still

HINT = "paint over the frame that `stitchedit retouch` gives"
_NOTHING = 0.01  # grey levels, of what a crop's change is spread to around it
Asked = Sequence[tuple[int, str]]  # (frame, file)
Put = Callable[[VideoSource], Iterator[Frame]]  # the edited frames of a clip, or of some of its frames


@dataclass(frozen=True, slots=True)
class RetouchedFace:
    """A face along which something may be carried."""

    crops: Crops
    points: FacePoints
    tracks: Tracks


def open_face(project: Project) -> RetouchedFace:
    """The face of a project. Raises ProjectError, StageMissing."""
    project.records.fingerprint("align")
    crops, points = artefacts.load_crops(project.crops)
    return RetouchedFace(crops, points, artefacts.load_tracks(project.tracks))


class SomeFrames:
    """Some frames of a clip, as a clip; it is read no further than the last of them."""

    def __init__(self, source: VideoSource, wanted: Iterable[int]) -> None:
        self._source, self._wanted = source, frozenset(wanted)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)

    def __iter__(self) -> Iterator[Frame]:
        last = max(self._wanted, default=-1)
        for frame in self._source:
            if frame.index in self._wanted:
                yield frame
            if frame.index >= last:
                return


def retouch_inputs(asked: Asked) -> dict[str, str]:
    """What a video depends on for the sake of its retouches; nothing without."""
    told = " ".join(f"{frame}={known_sha256(Path(file))}" for frame, file in asked)
    return {"retouch": told} if asked else {}


def require_retouches(asked: Asked, faces: Sequence[RetouchedFace]) -> None:
    """See that retouches could be taken: frames with a face, files of the right size.

    Raises: ConfigError, CannotOpen.
    """
    for frame, file in asked:
        path = Path(file)
        require_frame(frame, faces)
        size, (width, height) = still_size(path), faces[0].tracks.frame_size
        crops = sorted({face.crops.size for face in faces if face.crops.of_frame(frame) is not None})
        if size != (width, height) and size not in {(side, side) for side in crops}:
            known = " or ".join(f"{side} x {side} (its crop)" for side in crops)
            raise ConfigError(
                f"--retouch {frame}: {path} has {size[0]} x {size[1]} pixels, not {width} x {height}, nor {known}", HINT
            )
        told = still_frame(path)
        if told is not None and told != frame:
            raise ConfigError(f"--retouch {frame}: {path} says that it is frame {told}", f"give it as {told}={path}")


def require_frame(frame: int, faces: Sequence[RetouchedFace]) -> None:
    """Raises ConfigError, for a frame that the clip has not, or that no face is in."""
    total = len(faces[0].tracks.state)
    if not 0 <= frame < total:
        raise ConfigError(f"there is no frame {frame} to retouch", f"the clip has frames 0 to {total - 1}")
    if all(face.crops.of_frame(frame) is None for face in faces):
        near = min((int(f) for face in faces for f in face.crops.frames), key=lambda other: abs(other - frame))
        raise ConfigError(f"frame {frame} has no face to carry a retouch along", f"the nearest with one is {near}")


def write_frame(
    done: DoneEdit, frame: int, output: Path | None = None, *, crop: bool = False, overwrite: bool = False
) -> Path:
    """Write a frame of an edit, before it is encoded, to be painted on; retouches are left out of it.

    Args:
        output: the picture, see `still_files`; by default beside the clip.
        crop: of the first face there alone.
    Raises: ConfigError, for a frame without a face; WouldReplace, CannotEncode, NotWritable, DiskFull.
    """
    projects = open_faces(done.project)
    faces = [open_face(projects[face.number - 1]) for face in done.faces]
    require_frame(frame, faces)
    path = output or beside(done.project.source, f"{done.name}.frame{frame}.exr")
    if os.path.lexists(path) and not overwrite:
        raise WouldReplace(path, "it may be painted on", "choose another name with -o, or give --overwrite")
    source = some_frames(done.source, [frame])
    rgb = next(replace(done, source=source).composited()).edited.rgb_float()
    if crop:
        face = next(face for face in faces if face.crops.of_frame(frame) is not None)
        rgb = face_crop(rgb, face.crops.quads[_crop_index(face, frame)], face.crops.size)
    write_still(path, rgb, frame, done.name)
    return path


def some_frames(source: VideoSource, wanted: Iterable[int]) -> VideoSource:
    """See `SomeFrames`."""
    chosen: Any = SomeFrames(source, wanted)
    found: VideoSource = chosen
    return found


def carried_retouches(
    asked: Asked, source: VideoSource, faces: Sequence[RetouchedFace], put: Put
) -> tuple[list[CarriedRetouch | None], list[str]]:
    """What is to be carried along each face, and what there is to say of it.

    Args:
        put: gives the edited frames that were painted over.
    Raises: ConfigError, where a picture is not one of them painted over.
    """
    pictures = {frame: read_still(Path(file)) for frame, file in asked}
    _refuse_other_frames(asked, pictures, source)
    ours = {frame.index: frame for frame in put(some_frames(source, pictures))}
    found: list[list[Retouch]] = [[] for _ in faces]
    notes = []
    for frame, file in asked:
        box, change = _painted(frame, Path(file), pictures[frame], faces, ours[frame])
        shares, left_out = _shared(frame, box, change, faces)
        for own, share in zip(found, shares, strict=True):
            own.extend([] if share is None else [share])
        if not change.any():
            notes.append(f"retouch of frame {frame}: nothing is painted, what other frames have fades out toward it")
        if left_out:
            notes.append(f"retouch of frame {frame}: {left_out} painted pixels outside of the face's crop are left out")
    pairs = zip(faces, found, strict=True)
    return [CarriedRetouch(f.crops, f.points, f.tracks, own) if own else None for f, own in pairs], notes


def _refuse_other_frames(asked: Asked, pictures: dict[int, FloatArray], source: VideoSource) -> None:
    """Raises ConfigError, for a whole picture that was painted over another frame of the clip than is said."""
    size = source.info.height, source.info.width
    finders = [FrameFinder(picture, frame) for frame, picture in pictures.items() if picture.shape[:2] == size]
    for frame in source if finders else ():
        rgb = frame.rgb_float()
        for finder in finders:
            finder.look(frame.index, rgb)
    files = dict(asked)
    for finder in finders:
        if (other := finder.other) is not None:
            file = files[finder.asked]
            raise ConfigError(
                f"--retouch {finder.asked}: {file} was painted over frame {other}", f"give it as {other}={file}"
            )


def retouched(
    frames: Iterable[Frame], faces: Sequence[RetouchedFace], carried: Sequence[CarriedRetouch | None]
) -> Iterator[Frame]:
    """Edited frames in turn with what was painted; some at a time, on all cores."""

    def with_changes(frame: Frame) -> Frame:
        for face, own in zip(faces, carried, strict=True):
            index = face.crops.of_frame(frame.index)
            change = None if own is None or index is None else own.change(index)
            if change is not None:
                frame = _added(frame, *change)
        return frame

    yield from side_by_side(with_changes, frames)


def _added(frame: Frame, box: PixelBox, change: FloatArray) -> Frame:
    """A frame with a change; where that is 0 every sample stays."""
    touched = (change != 0).any(axis=-1)
    return paste(frame, frame.rgb_float(box) + change, touched.astype(np.float32), box) if touched.any() else frame


def _painted(
    frame: int, path: Path, painted: FloatArray, faces: Sequence[RetouchedFace], ours: Frame
) -> tuple[PixelBox, FloatArray]:
    """The change of a whole frame, in a box of it. Raises ConfigError."""
    shown = ours.rgb_float()
    whole, quad, compared = painted.shape == shown.shape, np.zeros((4, 2), np.float32), shown
    if not whole:
        face = next(f for f in faces if f.crops.of_frame(frame) is not None and painted.shape[0] == f.crops.size)
        quad = face.crops.quads[_crop_index(face, frame)]
        compared = face_crop(shown, quad, face.crops.size)
    why = why_other(painted, compared)
    if why:
        raise ConfigError(f"--retouch {frame}: {path} is not frame {frame} of the edit painted over: {why}", HINT)
    found = painted_change(painted, compared)
    if found is None:
        return (0, 0, 1, 1), np.zeros((1, 1, 3), np.float32)
    if whole:
        return found
    (x0, y0, x1, y1), change = found
    laid = np.zeros_like(painted)
    laid[y0:y1, x0:x1] = change
    return _uncropped(laid, quad, ours.size)


def face_crop(rgb: FloatArray, quad: FloatArray, size: int) -> FloatArray:
    """The crop [size, size, 3] of a frame, mirrored where it leaves the picture."""
    return warp(rgb, crop_to_source(quad, size), (size, size), "mirror")


def _uncropped(laid: FloatArray, quad: FloatArray, size: tuple[int, int]) -> tuple[PixelBox, FloatArray]:
    """A crop's change in the frame."""
    box = bounding_box(quad, *size)
    change = uncrop(laid, quad, box, "zero")
    change[np.abs(change).max(axis=-1) < _NOTHING] = 0
    return box, change


def _crop_index(face: RetouchedFace, frame: int) -> int:
    index = face.crops.of_frame(frame)
    assert index is not None, "the face is in the frame"
    return index


def _shared(
    frame: int, box: PixelBox, change: FloatArray, faces: Sequence[RetouchedFace]
) -> tuple[list[Retouch | None], int]:
    """Each face's part of a change: that which lies nearest to its middle; and how many pixels lie in no crop."""
    x, y = np.meshgrid(np.arange(box[0], box[2]) + 0.5, np.arange(box[1], box[3]) + 0.5)
    places = np.stack([x, y], axis=-1)
    off = np.full((len(faces), *x.shape), np.inf)
    for number, face in enumerate(faces):
        index = face.crops.of_frame(frame)
        if index is not None:
            off[number] = np.abs(to_crop(places, face.crops.quads[index]) - 0.5).max(axis=-1)
    nearest, inside = off.argmin(axis=0), off.min(axis=0) < 0.5
    empty = Retouch(frame, box, np.zeros_like(change))
    shares: list[Retouch | None] = []
    for number, face in enumerate(faces):
        own = inside & (nearest == number)
        share = replace(empty, change=np.ascontiguousarray(np.where(own[..., None], change, 0)))
        shares.append(None if face.crops.of_frame(frame) is None else share)
    return shares, int(((change != 0).any(axis=-1) & ~inside).sum())
