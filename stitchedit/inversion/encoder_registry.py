"""The encoders by name."""

from __future__ import annotations

import torch

from stitchedit.inversion.encoder import Encoder, by_network, check_fit
from stitchedit.inversion.encoder_initialization import check_made_for, fits, from_guess
from stitchedit.inversion.latent_optimization import optimize
from stitchedit.models.bundled_weights import SHA256
from stitchedit.models.generator import Generator
from stitchedit.models.w_encoder import WEIGHTS, load_w_encoder

ENCODERS: dict[str, Encoder] = {"optimize": optimize}


def encoder(name: str, where: torch.device, generator: Generator, space: str) -> tuple[Encoder, str]:
    """The encoder of a name or file, and what its results depend on: its name, or the sha256 of its weights.

    Weights are read and checked here, so that what does not fit is refused before any work, and let go again: they
    are loaded anew where codes are wanted, and take no memory while other stages run.

    Args:
        name: also "network", the trained start that comes with stitchedit; "default" is that where it fits the
            generator, else "optimize".
        generator, space: what the codes are for: "W" or "W+".
    Raises: NotFetched, UnknownCheckpoint or HashMismatch, as `weights.load_encoder`; ConfigError, when the codes of
        its network do not fit the generator.
    """
    chosen = ("network" if fits(generator) else "optimize") if name == "default" else name
    if chosen == "network":
        check_made_for(generator, chosen)
        return from_guess(lambda: load_w_encoder().to(where)), SHA256[WEIGHTS]
    if chosen in ENCODERS:
        return ENCODERS[chosen], chosen
    from stitchedit.models import weights

    check_fit(weights.load_encoder(chosen), generator, chosen, space)
    return by_network(lambda: weights.load_encoder(chosen).to(where), chosen), weights.sha256_of(chosen)
