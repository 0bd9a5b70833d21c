"""OpenEXR files of several named layers in one part: what compositors take apart again by channel names."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.floating[Any]]

_LETTERS = {1: "A", 2: "RG", 3: "RGB"}  # of a layer's channels


def channel_names(layer: str, count: int) -> list[str]:
    """Of a layer with so many channels: such as delta.R, delta.G, delta.B; a matte is an alpha."""
    return [f"{layer}.{letter}" for letter in _LETTERS[count]]


def code_attribute(code: str) -> Any:
    """A time code such as 10:11:12:13 as OpenEXR keeps it."""
    import OpenEXR

    hours, minutes, seconds, frames = (int(code[at : at + 2]) for at in (0, 3, 6, 9))
    return OpenEXR.TimeCode(hours, minutes, seconds, frames, code[8] != ":", *[0] * 13)


def write_layers(
    layers: Mapping[str, Samples], rate: Fraction, notes: Mapping[str, Any], aspect: Fraction, file: BinaryIO
) -> None:
    """Write one frame, in ZIP, which changes no sample.

    Args:
        layers: by name, [H, W] or [H, W, 2 or 3], float16 or float32, all of one size.
        rate: frames a second.
        notes: attributes by name: texts, and whatever else OpenEXR takes.
        aspect: width of a pixel by its height.
    Raises: OSError.
    """
    import OpenEXR

    channels = {}
    for layer, samples in layers.items():
        planes = [samples] if samples.ndim == 2 else [samples[..., place] for place in range(samples.shape[2])]
        for name, plane in zip(channel_names(layer, len(planes)), planes, strict=True):
            channels[name] = np.ascontiguousarray(plane)
    header = {
        "compression": OpenEXR.ZIP_COMPRESSION,
        "type": OpenEXR.scanlineimage,
        "pixelAspectRatio": float(aspect),
        **notes,
        "framesPerSecond": rate,
    }
    OpenEXR.File(header, channels).write(file)
