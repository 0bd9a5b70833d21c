"""The encoders by name: stitchedit's own, those of plug-ins, and networks by the name or file of their weights."""

from __future__ import annotations

from typing import Protocol

import torch

from stitchedit import registry
from stitchedit.errors import ConfigError
from stitchedit.inversion.encoder import Encoder, by_network, check_fit
from stitchedit.inversion.encoder_initialization import check_made_for, fits, from_guess
from stitchedit.inversion.latent_optimization import optimize
from stitchedit.models.bundled_weights import SHA256
from stitchedit.models.generator import Generator
from stitchedit.models.w_encoder import WEIGHTS, load_w_encoder


class MakeEncoder(Protocol):
    """Makes an encoder for a generator; the functions of `ENCODERS`.

    Gives the encoder, and what its results depend on beside the settings, such as the sha256 of its weights. Raises
    ConfigError, when its codes do not fit the generator: here, before any work.
    """

    def __call__(self, device: torch.device, generator: Generator, space: str, /) -> tuple[Encoder, str]: ...


ENCODERS: registry.Registry[MakeEncoder] = registry.ENCODERS


SEARCH = "optimize"  # what the results of the search depend on


def optimization(device: torch.device, generator: Generator, space: str) -> tuple[Encoder, str]:
    """The search for codes from the mean of W on, for any generator."""
    return optimize, SEARCH


def bundled_network(device: torch.device, generator: Generator, space: str) -> tuple[Encoder, str]:
    """The trained start that comes with stitchedit. Raises ConfigError for another generator than the default one."""
    check_made_for(generator, "network")
    return from_guess(lambda: load_w_encoder().to(device)), SHA256[WEIGHTS]


def best_of_own(device: torch.device, generator: Generator, space: str) -> tuple[Encoder, str]:
    """The trained start where it fits the generator, else the search alone."""
    return (bundled_network if fits(generator) else optimization)(device, generator, space)


def encoder(name: str, where: torch.device, generator: Generator, space: str) -> tuple[Encoder, str]:
    """The encoder of a name or file, and what its results depend on: its name, or the sha256 of its weights.

    Weights are read and checked here, so that what does not fit is refused before any work, and let go again: they
    are loaded anew where codes are wanted, and take no memory while other stages run.

    Args:
        name: one of `ENCODERS`, the name of imported weights, or a file.
        generator, space: what the codes are for: "W" or "W+".
    Raises: NotFetched, UnknownCheckpoint or HashMismatch, as `weights.load_encoder`; ConfigError, when the codes of
        its network do not fit the generator, or a plug-in cannot be loaded.
    """
    if name in ENCODERS:
        return _named(name, where, generator, space)
    from stitchedit.models import weights

    check_fit(weights.load_encoder(name), generator, name, space)
    return by_network(lambda: weights.load_encoder(name).to(where), name), weights.sha256_of(name)


def _named(name: str, where: torch.device, generator: Generator, space: str) -> tuple[Encoder, str]:
    made = ENCODERS[name](where, generator, space)
    package = ENCODERS.origin(name)
    if not package:
        return made
    if not (isinstance(made, tuple) and len(made) == 2 and callable(made[0])):
        raise ConfigError(
            f"encoder '{name}' of package {package} gives no pair of an encoder and a text",
            "see stitchedit.inversion.encoder_registry.MakeEncoder",
        )
    # A newer version of the package may find other codes.
    return ENCODERS.guarded(name, made[0]), f"{made[1]} of {package}"
