"""Directions from labelled samples: linear regressors of attributes in W, and the smallest step that moves one.

A regression normal moves everything that the regressor listens to. Here the step is chosen instead: of all steps that
change one reading by one unit and leave the others alone, the shortest in a metric. In that of W's own covariance it is
the most likely one, which brings along what goes with the attribute: suits and dark backgrounds with age. In that of
`picture_change.spread_within` it also changes little outside of the head. All of it is closed-form linear algebra on
numpy arrays; rendering and reading faces is up to the caller (`scripts/learn_directions.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

PENALTIES = (1.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0, 10000.0, 30000.0)


@dataclass(frozen=True, slots=True)
class Regression:
    """One linear reading a row: value is about bias + rows @ w."""

    rows: Floats  # [K, w_dim] change of the value a unit of w
    bias: Floats  # [K]
    correlation: Floats  # [K] Pearson's r between value and prediction on samples left out of the fit
    penalty: Floats  # [K] the ridge penalty that was best there


def ridge(w: Floats, values: Floats, penalties: Sequence[float] = PENALTIES, folds: int = 5) -> Regression:
    """Ridge regression of values [N, K] on w [N, w_dim]; the penalty of each value is chosen by cross-validation.

    Plain W is the right metric for the penalty: whitening W first costs a third of the correlation at 500 samples,
    as the many directions in which W hardly varies then count like the few in which faces differ.
    """
    fold = np.arange(len(w)) % folds
    guesses = np.empty((len(penalties), *values.shape))
    for k in range(folds):
        train = fold != k
        for index, (rows, bias) in enumerate(_solve(w[train], values[train], penalties)):
            guesses[index, ~train] = w[~train] @ rows.T + bias
    scores = np.array([_correlations(guess, values) for guess in guesses])  # [P, K]
    best = scores.argmax(axis=0)
    columns = np.arange(values.shape[1])
    solved = _solve(w, values, penalties)
    return Regression(
        rows=np.stack([solved[best[k]][0][k] for k in columns]),
        bias=np.array([solved[best[k]][1][k] for k in columns]),
        correlation=scores[best, columns],
        penalty=np.asarray(penalties, np.float64)[best],
    )


def smallest_step(
    covariance: Floats, rows: Floats, wanted: Floats, soft: Floats | None = None, softness: float = 0.0
) -> Floats:
    """The shortest step d [w_dim] with rows @ d = wanted: least d' C^-1 d + softness |soft d|^2.

    Args:
        covariance: C [w_dim, w_dim] of W, for the likeliest step, or of `picture_change.spread_within`.
        rows: [K, w_dim] readings that are set.
        wanted: [K] by how much each of them changes.
        soft: [E, w_dim] readings that should change little, such as the identity embedding.
        softness: what a unit of their squared change costs, against a squared Mahalanobis unit.
    """
    spread = covariance
    if soft is not None and softness > 0:
        reach = covariance @ soft.T  # [w_dim, E]
        inner = np.eye(len(soft)) / softness + soft @ reach
        spread = covariance - reach @ np.linalg.solve(inner, reach.T)
    pull = spread @ rows.T  # [w_dim, K]
    step: Floats = pull @ np.linalg.lstsq(rows @ pull, wanted, rcond=1e-10)[0]
    return step


def quiet_covariance(covariance: Floats, rows: Floats) -> Floats:
    """The covariance of W among people whose readings are all alike: [w_dim, w_dim], with rows @ it = 0."""
    pull = covariance @ rows.T
    return np.asarray(covariance - pull @ np.linalg.pinv(rows @ pull, rcond=1e-10) @ pull.T, np.float64)


def likeness(covariance: Floats, rows: Floats, embed: Floats, noise: float = 0.2) -> Floats:
    """What leads to another person and to nothing else: G [w_dim, E], step = G @ (change of the embedding).

    The step is the likeliest one that moves the linear embedding reading `embed` [E, w_dim] as asked and leaves the
    readings `rows` [K, w_dim] alone.

    Args:
        noise: how far the embedding may stay behind for the sake of a shorter step, in units of its mean variance.
    """
    quiet = quiet_covariance(covariance, rows)
    reach = quiet @ embed.T
    inner = embed @ reach
    inner = inner + noise * float(np.trace(inner)) / len(inner) * np.eye(len(inner))
    return np.asarray(np.linalg.solve(inner, reach.T).T, np.float64)


def _solve(w: Floats, values: Floats, penalties: Sequence[float]) -> list[tuple[Floats, Floats]]:
    mean, centre = w.mean(axis=0), values.mean(axis=0)
    x = w - mean
    eigenvalues, vectors = np.linalg.eigh(x.T @ x)
    target = vectors.T @ (x.T @ (values - centre))
    solved = []
    for penalty in penalties:
        rows = (vectors @ (target / (eigenvalues + penalty)[:, None])).T
        solved.append((rows, centre - rows @ mean))
    return solved


def _correlations(a: Floats, b: Floats) -> Floats:
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    size = np.sqrt((a**2).sum(axis=0) * (b**2).sum(axis=0))
    r: Floats = (a * b).sum(axis=0) / np.maximum(size, 1e-12)
    return r
