"""Which part of a head an edit may change: shapes of `config.REGIONS`, by crop.

`face` and its parts follow the face mesh. `head` follows a map that is worked out once a project and kept in it, apart
from everything else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stitchedit.config import DEFAULT_LANDMARKS
from stitchedit.faces import head_segmentation
from stitchedit.faces.mesh import edited_mesh
from stitchedit.faces.mesh_topology import LEFT_EYE, LIPS, RIGHT_EYE, face_outline
from stitchedit.masks.region_shape import Shape, face_shape
from stitchedit.types import ByteArray, CropImages, FacePoints, FloatArray

_ROOM = 0.035  # of the crop's side, that the mouth and the eyes get around them
_OUTLINES = {"mouth": (LIPS,), "eyes": (LEFT_EYE, RIGHT_EYE)}


@dataclass(frozen=True, slots=True)
class RegionShapes:
    """The shape of some regions in each crop."""

    regions: tuple[str, ...]  # as `config.united` gives them
    points: FacePoints
    heads: CropImages | None  # head maps, where `head` is among the regions

    def __len__(self) -> int:
        return len(self.points.points)

    def __getitem__(self, index: int, /) -> Shape:
        likely = None if self.heads is None else self.heads[index][..., 0]
        return region_shape(self.regions, self.points.points[index], likely)


def region_shape(regions: Sequence[str], mesh: FloatArray, likely: ByteArray | None = None) -> Shape:
    """The shape of united regions in one crop.

    Args:
        mesh: points [468, 2] in crop sides.
        likely: the crop's head map, uint8 [S, S], which `head` needs.
    """
    if "head" in regions:
        assert likely is not None, "a head needs its map"
        return Shape((face_outline(mesh),), field=head_segmentation.head_field(likely))
    if "face" in regions:
        return face_shape(mesh)
    parts = [mesh[list(part)] for region in regions for part in _OUTLINES[region]]
    return Shape(tuple(parts), grow=_ROOM, within=face_outline(mesh))


def edited_shape(
    regions: tuple[str, ...],
    image: ByteArray,
    landmarks: str = DEFAULT_LANDMARKS,
    inner: tuple[float, float, float] = (0.0, 0.0, 1.0),
) -> Shape | None:
    """The head or face that an edited crop [S, S, 3] shows, as nothing else of it may be seen; None where none is.

    Args: inner: where in it the face is, see `AlignConfig.inner`.
    """
    mesh = edited_mesh(image, landmarks, inner)
    if mesh is None:
        return None
    return still_shape(regions, image, mesh) if "head" in regions else face_shape(mesh)


def still_shape(regions: tuple[str, ...], image: ByteArray, mesh: FloatArray) -> Shape:
    """The shape in one crop [S, S, 3] alone, from its mesh [468, 2] and nothing that comes before or after."""
    likely = np.rint(head_segmentation.head_map(image, mesh) * 255).astype(np.uint8) if "head" in regions else None
    return region_shape(regions, mesh, likely)
