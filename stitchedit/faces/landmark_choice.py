"""What `invert --landmarks` chooses: whose 68 landmarks place the crops, and which mesh the masks are drawn from.

    dlib      those that tracking found (the default)
    mesh      points of the face mesh that lie nearest to them on an average face
    fan       the Face Alignment Network's, in 2D: `pip install stitchedit[fan]`
    fan3d     the same network's for points in space, as they fall on the picture

Faces are found and followed by dlib in any case, and masks come from the face mesh.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from stitchedit.config import AlignConfig
from stitchedit.errors import ConfigError
from stitchedit.faces import fan
from stitchedit.faces.alignment import crop, quads, to_source
from stitchedit.faces.mesh import LANDMARKS, LandmarkModel, crop_mesh, mean_face
from stitchedit.progress import Progress
from stitchedit.types import ByteArray, FloatArray, Tracks

_CROP_PX = 256  # in which the mesh is looked for


class Placement(Protocol):
    """Finds the 68 landmarks (iBUG order) of a face anew: the `place` of a landmark model.

    Gives [68, 2] float32 in source pixels, of a picture [H, W, 3], the landmarks [68, 2] that tracking found, and the
    device to work on, "cpu" or "cuda".
    """

    def __call__(self, rgb: ByteArray, found: FloatArray, device: str, /) -> FloatArray: ...


@dataclass(frozen=True, slots=True)
class PlacedBy:
    """A landmark model that places crops by landmarks of its own; its mesh is that of `mesh`."""

    place: Placement
    ready: Callable[[str], object] = lambda device: None  # raises what stands in the way, before any work
    mesh: LandmarkModel = crop_mesh

    def __call__(self, image: ByteArray, /) -> tuple[FloatArray, float]:
        return self.mesh(image)


def place_by_mesh(rgb: ByteArray, found: FloatArray, device: str) -> FloatArray:
    """The points of the face mesh in the crop that the landmarks would cut; these again, where it sees no face."""
    quad = quads(found[None], AlignConfig())[0]
    points, probability = crop_mesh(crop(rgb, quad, _CROP_PX))
    if probability < 0.5:
        return found
    mesh, marks = mean_face()
    nearest = np.square(marks[:, None] - mesh).sum(axis=-1).argmin(axis=1)
    return to_source(points[nearest], quad).astype(np.float32)


MESH = PlacedBy(place_by_mesh)
FAN = PlacedBy(fan.place_2d, fan.ready_2d)
FAN3D = PlacedBy(fan.place_3d, fan.ready_3d)


def placement_of(name: str) -> Placement | None:
    """By what a model of `LANDMARKS` places crops; None: by the landmarks of tracking. Raises ConfigError."""
    return getattr(LANDMARKS[name], "place", None)


def require_ready(name: str, device: str) -> None:
    """Raises ConfigError or NotFetched, where a model lacks its package or weights."""
    ready: Callable[[str], object] = getattr(LANDMARKS[name], "ready", lambda device: None)
    ready(device)


def placed(
    frames: Iterable[tuple[int, ByteArray]], tracks: Tracks, name: str, device: str, progress: Progress
) -> Tracks:
    """The tracks with the landmarks of a model in place of those of tracking.

    Args:
        frames: (index, RGB [H, W, 3]) of those that have landmarks; read once.
    Raises: ConfigError, where a model gives something else than landmarks.
    """
    place = placement_of(name)
    if place is None:
        return tracks
    marks, total = tracks.landmarks.copy(), len(tracks.frames)
    for done, (index, rgb) in enumerate(frames, 1):
        found = np.asarray(place(rgb, tracks.landmarks[index], device), np.float32)
        if found.shape != (68, 2) or not np.isfinite(found).all():
            raise ConfigError(
                f"landmark model '{name}' gives {list(found.shape)} for frame {index}", "it must give points [68, 2]"
            )
        marks[index] = found
        progress("landmarks", done, total)
    return replace(tracks, landmarks=marks)
