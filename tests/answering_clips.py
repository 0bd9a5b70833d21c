"""Made-up clips that answer to strengths in known ways, and a direction to ask them for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from stitchedit.editing.direction import Direction
from stitchedit.faces.rulers import Ruler

AGE = Direction(
    name="age",
    vector=np.ones(4, np.float32),
    attribute="age",
    amount=10.0,
    measured_in="years",
    range=(-2.0, 3.0),
)
RULER = Ruler("age", {"age": lambda picture, points: 0.0})  # never asked: the clip answers
Respond = Callable[[float], float]


@dataclass
class Clip:
    """Answers so to strengths, and notes those that are tried. A `strength_search.Probe`."""

    respond: Respond
    distance: float = 0.3
    distance_a_unit: float | None = None
    tried: list[float] = field(default_factory=list)

    def draw(self, direction: Direction, strength: float) -> float:
        self.tried.append(strength)
        return strength

    def change(self, ruler: Ruler, drawn: float) -> float:
        return self.respond(drawn)

    def identity_distance(self, drawn: float) -> float:
        return self.distance if self.distance_a_unit is None else self.distance_a_unit * abs(drawn)
