"""Settings by name: fast, balanced, quality, and the recipe of the reference."""

from __future__ import annotations

from dataclasses import replace

from stitchedit.config import (
    BORDER_PX,
    NO_LIMIT,
    EditConfig,
    EncodeConfig,
    InvertConfig,
    StitchConfig,
    TuneConfig,
)


def invert_preset(name: str) -> InvertConfig:
    """The settings of `stitchedit invert --preset name`. Raises ConfigError for an unknown name."""
    base = InvertConfig(preset=name)
    if name == "fast":
        return replace(
            base,
            max_size=256,
            encode=EncodeConfig(steps=80, most_steps=200),
            tune=TuneConfig(steps=300, steps_per_frame=5, most_steps=1600, coarse_part=0.3, perceptual_size=512),
        )
    if name == "quality":
        tune = TuneConfig(
            steps=1800, steps_per_frame=20, most_steps=8000, coarse_part=0.3, perceptual_size=512, plateau=0.003
        )
        return replace(base, tune=tune)
    if name == "stit":
        # Schedule, rates and loss weights of the reference; encoder, perceptual loss and mask are those of balanced.
        tune = TuneConfig(
            steps=300,
            steps_per_frame=300,
            most_steps=NO_LIMIT,
            shuffle=False,
            lr=3e-5,
            lr_codes=0,
            anchor=0,
            ramp_down=0,
            coarse_part=0,
            l2_weight=10,
            perceptual_weight=1,
            perceptual_size=1024,
            weighted=False,
            plateau=0,
        )
        return replace(base, tune=tune)
    return base


def edit_preset(name: str) -> EditConfig:
    """The settings of `stitchedit edit --preset name`. Raises ConfigError for an unknown name."""
    base = EditConfig(preset=name)
    if name == "fast":
        return replace(base, stitch=StitchConfig(steps=1, first_steps=25, border_threshold=0.008))
    if name == "quality":
        return replace(
            base, stitch=StitchConfig(steps=30, first_steps=100, border_threshold=0.001, size=512, held_px=0)
        )
    if name == "stit":
        stitch = StitchConfig(
            steps=100,
            first_steps=100,
            lr=3e-4,
            norm="l2",
            content_weight=0.01,
            border_threshold=0,
            fresh=True,
            interior=False,
            detail=False,
            steady=0,
            membrane=False,
            border_px=BORDER_PX,
            size=4096,
            held_px=0,
        )
        return replace(base, blender="none", every_frame=True, calibrated=False, stitch=stitch)
    return base
