"""What an attribute's direction is to do: which readings it learns, which may follow, and how much strength 1 is."""

from __future__ import annotations

from dataclasses import dataclass

MOUTH = ("mouth_open", "mouth_width", "mouth_curve", "jaw_open")
EYES = ("eyes_open", "lids_open")


@dataclass(frozen=True, slots=True)
class Target:
    """Of one attribute of `generator_samples.NAMES`."""

    labels: tuple[str, ...] = ()  # readings whose mean, in SD, is learned; none: the attribute
    free: tuple[str, ...] = ()  # readings that may follow, being part of the same thing
    amount: float = 0.0  # change of the attribute at strength 1; 0: one SD over samples at psi 0.7
    measured_in: str = ""
    region: str = ""  # what the edit needs to change; empty: the face
    likely: float = 1.0  # how much a step's likelihood counts against the change of the picture


TARGETS: dict[str, Target] = {
    "age": Target(("age", "age_rated"), ("hair_colour",), 10.0, "years", "head"),
    # who smiles narrows the eyes
    "smile": Target(("smile", "smile_rated"), (*MOUTH, *EYES), 0.25, "smile coefficient"),
    "gender": Target(amount=2.5, measured_in="log odds", region="head"),
    # Eyes that look into the camera stay behind the head. A head that turns uncovers what was behind it: held harder,
    # the face falls to pieces.
    "yaw": Target(free=("gaze", "gaze_across"), amount=10.0, measured_in="degrees", region="head", likely=10.0),
    # corners seem to rise as the face turns away from the camera
    "pitch": Target(free=("gaze_up", "mouth_curve"), amount=5.0, measured_in="degrees", region="head"),
    "eyes_open": Target(EYES, measured_in="eye distances", region="eyes"),
    "mouth_open": Target(("mouth_open", "jaw_open"), ("mouth_width", "mouth_curve"), measured_in="eye distances"),
    "hair_colour": Target(measured_in="rating points", region="head", likely=3.0),
    "weight": Target(measured_in="rating points", region="head"),
}


def target_of(attribute: str) -> Target:
    """Of any attribute: alone, where nothing more is known of it."""
    return TARGETS.get(attribute, Target())
