"""Edits in StyleSpace: what is added to the styles of a generator, channel by channel.

Convention: layers are counted from 0 in the order of execution, those that make RGB with them, as in StyleSpace (Wu et
al. 2021, arXiv:2011.12799): 26 layers, 9,088 channels in a StyleGAN2 of 1024 px; 23 in the default generator. An offset
is one vector, all layers one after another.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from stitchedit.errors import DirectionError
from stitchedit.types import FloatArray

if TYPE_CHECKING:
    from stitchedit.editing.edit_files import StyleStatistics
    from stitchedit.models.generator import Generator, HasStyleSpace

SAMPLES = 2000  # faces of which the SD of a channel is taken
PSI = 0.7  # their truncation
TO_RGB = "torgb"  # how the names of layers end that StyleCLIP's files leave out

Channel = tuple[int, int, float]  # layer, channel, and how many SD strength 1 moves it by


def style_space(generator: object, name: str) -> HasStyleSpace:
    """The generator as one with a StyleSpace. Raises DirectionError, where it has none."""
    from stitchedit.models.generator import HasStyleSpace

    if not isinstance(generator, HasStyleSpace):
        raise DirectionError(
            f"'{name}' is an edit in StyleSpace, which this generator does not open",
            "choose an edit in W or W+, or a StyleGAN2, StyleGAN3 or MobileStyleGAN generator",
        )
    return generator


def lengths(space: HasStyleSpace) -> tuple[int, int]:
    """Channels of all layers, and of those alone that StyleCLIP's files count: without the ones that make RGB."""
    layers = space.style_layers()
    return sum(n for _, n in layers), sum(n for name, n in layers if not name.endswith(TO_RGB))


def offset_of_vector(vector: FloatArray, space: HasStyleSpace, place: str) -> FloatArray:
    """A vector of all channels, or of the convolutions' alone, as an offset [S]. Raises DirectionError."""
    numbers, (total, convolutions) = vector.reshape(-1), lengths(space)
    if numbers.size == total:
        return numbers
    if numbers.size != convolutions:
        raise DirectionError(
            f"{place} holds {numbers.size} channels of a StyleSpace",
            f"this generator's has {total} in {len(space.style_layers())} layers, {convolutions} without RGB",
        )
    offset, taken, at = np.zeros(total, np.float32), 0, 0
    for name, channels in space.style_layers():
        if not name.endswith(TO_RGB):
            offset[at : at + channels] = numbers[taken : taken + channels]
            taken += channels
        at += channels
    return offset


def offset_of_channels(
    channels: Sequence[Channel], space: HasStyleSpace, statistics: StyleStatistics | None, place: str
) -> FloatArray:
    """Single channels as an offset [S], each counted in its SD.

    Args:
        statistics: of a file; None: of `SAMPLES` faces of the generator.
    Raises: DirectionError, for a layer or channel that is not there, or statistics of another generator.
    """
    widths = [n for _, n in space.style_layers()]
    found = own_statistics(space) if statistics is None else statistics
    sd = _deviations(found, widths, place)
    starts = np.cumsum([0, *widths])
    offset = np.zeros(starts[-1], np.float32)
    for layer, channel, amount in channels:
        if layer >= len(widths):
            raise DirectionError(
                f"{place} names layer {layer} of the StyleSpace", f"this generator has layers 0 to {len(widths) - 1}"
            )
        if channel >= widths[layer]:
            raise DirectionError(
                f"{place} names channel {channel} of layer {layer}", f"there it has channels 0 to {widths[layer] - 1}"
            )
        at = starts[layer] + channel
        offset[at] += amount * sd[at]
    if not offset.any():
        raise DirectionError(f"{place} moves no channel", "choose a channel that differs between faces")
    return offset


def require_drawn(offset: FloatArray, space: HasStyleSpace, size: int, place: str) -> None:
    """Raises DirectionError, where an offset [.., S] moves nothing in a picture of `size` pixels."""
    drawn = sum(n for _, n in space.style_layers(size))
    if offset.any() and not offset[..., :drawn].any():
        names = [name for name, _ in space.style_layers(size)]
        raise DirectionError(
            f"'{place}' moves layers of the StyleSpace that a picture of {size} px does not have",
            f"of this size are layers 0 to {len(names) - 1}; choose one of them, or `invert --preset quality`",
        )


def own_statistics(space: HasStyleSpace) -> StyleStatistics:
    """Mean and SD of every channel over `SAMPLES` faces of the generator, of a fixed seed: some tenths of a second."""
    import torch

    from stitchedit.editing.edit_files import StyleStatistics

    generator: Generator = space  # type: ignore[assignment]
    random = torch.Generator().manual_seed(0)
    z = torch.randn(SAMPLES, generator.z_dim, generator=random).to(generator.w_avg.device)
    with torch.inference_mode():
        styles = [layer.cpu().numpy() for layer in space.styles(generator.mapping(z, truncation_psi=PSI)[:, :1])]
    means = tuple(np.asarray(numbers.mean(axis=0), np.float32) for numbers in styles)
    return StyleStatistics(means, tuple(np.asarray(numbers.std(axis=0), np.float32) for numbers in styles))


def _deviations(statistics: StyleStatistics, widths: Sequence[int], place: str) -> FloatArray:
    found = [len(layer) for layer in statistics.deviations]
    if found != list(widths):
        raise DirectionError(
            f"the statistics of {place} are of {len(found)} layers with {sum(found)} channels",
            f"this generator's StyleSpace has {len(widths)} with {sum(widths)}",
        )
    return np.concatenate(statistics.deviations)
