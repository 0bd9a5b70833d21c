"""Faces of shots -> people of the film: who is who across cuts, by identity embeddings.

Embeddings of one person differ from shot to shot with light, turn and expression. They are clustered from the nearest
pair on (average linkage) up to a stated distance; two faces that are seen in one picture are never one person. What is
near that distance on either side is said: there the sheet has to be looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stitchedit.film.faces import ShotFace

# Mean distance of two groups of embeddings up to which they are one person. dlib's own test of two pictures is 0.6. In
# a film of 40 shots, of 2 rendered and 5 filmed people, groups of one lay at 0.13 to 0.22, of two at 0.60 to 0.85
# (docs/scale.md).
SAME_PERSON = 0.5
_DOUBTFUL = 0.07  # on either side of that
_APART = 4.0  # distance of two who are seen together: no two embeddings are so far apart


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody of the film; the one who is seen most is number 1."""

    number: int
    faces: tuple[ShotFace, ...]

    @property
    def frames(self) -> int:
        return sum(face.frames for face in self.faces)

    @property
    def shots(self) -> list[int]:
        return sorted({face.shot for face in self.faces})

    @property
    def identity(self) -> NDArray[np.float64]:
        """[128], weighted by how long each face is seen."""
        weights = np.array([face.frames for face in self.faces], np.float64)
        return np.average([face.identity for face in self.faces], axis=0, weights=weights)


def find_people(faces: Sequence[ShotFace], threshold: float = SAME_PERSON) -> list[Person]:
    """The people of a film, the one who is seen in most frames first."""
    if not faces:
        return []
    labels = _clusters(faces, threshold)
    groups = [tuple(face for face, label in zip(faces, labels, strict=True) if label == k) for k in np.unique(labels)]
    ordered = sorted(groups, key=lambda group: (-sum(face.frames for face in group), group[0].shot, group[0].number))
    return [Person(number, group) for number, group in enumerate(ordered, 1)]


def doubts(people: Sequence[Person], threshold: float = SAME_PERSON) -> list[str]:
    """Who can hardly be told apart, or hardly be told to be one, one line a pair."""
    told = []
    for k, one in enumerate(people):
        for other in people[k + 1 :]:
            gap = mean_gap(one.faces, other.faces)
            together = sorted({a.shot for a in one.faces for b in other.faces if _together(a, b)})
            pair = f"persons {one.number} and {other.number}"
            if gap <= threshold and together:
                told.append(
                    f"{pair} cannot be told apart by their faces (distance {gap:.2f} of {threshold:.2f}), but are "
                    f"seen together in shot {together[0]}: who is who in other shots is a guess, look at the sheet"
                )
            elif gap <= threshold + _DOUBTFUL:
                told.append(f"{pair} may be one: distance {gap:.2f}, hardly over {threshold:.2f}; look at the sheet")
        wide = _widest_split(one)
        if wide > threshold - _DOUBTFUL:
            told.append(
                f"person {one.number} may be two: faces at a distance of {wide:.2f}, up to {threshold:.2f} is one; "
                "look at the sheet"
            )
    return told


def mean_gap(one: Sequence[ShotFace], other: Sequence[ShotFace]) -> float:
    """Mean distance of the faces of two groups."""
    a, b = (np.array([face.identity for face in group], np.float64) for group in (one, other))
    return float(np.linalg.norm(a[:, None] - b[None], axis=2).mean())


def _clusters(faces: Sequence[ShotFace], threshold: float) -> NDArray[np.int32]:
    from scipy.cluster.hierarchy import fcluster, linkage

    if len(faces) == 1:
        return np.ones(1, np.int32)
    tree = linkage(_condensed(faces), method="average")
    found: NDArray[np.int32] = fcluster(tree, threshold, criterion="distance")
    return found


def _condensed(faces: Sequence[ShotFace]) -> NDArray[np.float64]:
    """Distances of all pairs as scipy has them: those of a square matrix above its diagonal."""
    from scipy.spatial.distance import pdist

    gaps: NDArray[np.float64] = pdist(np.array([face.identity for face in faces], np.float64))
    place = 0
    for k, one in enumerate(faces):
        for other in faces[k + 1 :]:
            if _together(one, other):
                gaps[place] = _APART
            place += 1
    return gaps


def _together(one: ShotFace, other: ShotFace) -> bool:
    """Whether two faces of a shot are seen at the same time."""
    return one.shot == other.shot and one.first <= other.last and other.first <= one.last


def _widest_split(person: Person) -> float:
    """The distance at which a person's two most different groups of faces were joined; 0 for a single face."""
    from scipy.cluster.hierarchy import linkage

    if len(person.faces) < 2:
        return 0.0
    return float(linkage(_condensed(person.faces), method="average")[-1, 2])
