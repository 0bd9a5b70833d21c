"""Figures of a person kept: what `stitchedit.metrics` gives. Import them from there."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stitchedit.types import FloatArray

Floats = NDArray[np.float64]


def identity_distance(output: FloatArray, source: FloatArray) -> Floats:
    """Euclidean distances [N] of the frames' face embeddings [N, E], frame by frame.

    dlib's embedding: the same person in video stays below 0.42; 0.6 is its authors' line between two persons.
    """
    gaps: Floats = np.linalg.norm(np.asarray(output, np.float64) - np.asarray(source, np.float64), axis=1)
    return gaps


def tl_id(output: FloatArray, source: FloatArray) -> float:
    """Identity kept from frame to frame, relative to the source (1: as steady as the source; higher is better).

    Args: embeddings [N, E] of output and source frames, N >= 2; NaN rows where there is none. A neighbour is the next
        row: pairs with a NaN row do not count.
    Source: TL-ID of "Stitch it in Time", Tzaban et al. 2022, arXiv:2201.08361: with R = S_output / S_source, S the
        cosine similarities of all pairs, the mean of R's first super-diagonal.
    """
    return _mean(np.diagonal(_similarity_ratio(output, source), 1))


def tg_id(output: FloatArray, source: FloatArray) -> float:
    """Identity kept over the whole clip, relative to the source: as `tl_id`, the mean of all off-diagonal entries."""
    ratio = _similarity_ratio(output, source)
    return _mean(ratio[~np.eye(len(ratio), dtype=bool)])


def neighbour_similarity(embeddings: FloatArray) -> Floats:
    """Cosine of each frame's embedding [N, E] with that of the row before, [N]; NaN for the first, and beside NaN."""
    return np.concatenate([[np.nan], np.diagonal(_similarity(embeddings), 1)])


def _similarity(embeddings: FloatArray) -> Floats:
    unit = np.asarray(embeddings, np.float64)
    unit = unit / np.linalg.norm(unit, axis=1, keepdims=True)
    product: Floats = unit @ unit.T
    return product


def _similarity_ratio(output: FloatArray, source: FloatArray) -> Floats:
    return _similarity(output) / _similarity(source)


def _mean(values: Floats) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")
