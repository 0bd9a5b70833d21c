"""What a run asks for by name, loaded: device, generator, encoder, perceptual loss."""

from __future__ import annotations

from pathlib import Path

import torch

from stitchedit.errors import DeviceError
from stitchedit.inversion.encoder_initialization import check_made_for, fits, from_guess
from stitchedit.inversion.latent_optimization import ENCODERS, Encoder, by_network, check_fit
from stitchedit.models.bundled_weights import SHA256
from stitchedit.models.generator import Generator
from stitchedit.models.perceptual import MobileNetPerceptual, Perceptual
from stitchedit.models.w_encoder import WEIGHTS, load_w_encoder


def device(name: str) -> torch.device:
    """auto, cpu or cuda. Raises DeviceError, when there is no such device."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name == "cuda" and not torch.cuda.is_available():
        raise DeviceError("there is no CUDA device", "use --device cpu; `stitchedit doctor` shows what torch sees")
    return torch.device(name)


def generator(name: str, where: torch.device) -> tuple[Generator, str]:
    """The generator of a name or file, in eval mode, and the sha256 of its weights."""
    from stitchedit.models import weights

    found = weights.load_generator(name)
    return found.to(where).eval(), weights.sha256_of(name)


def lasting_name(name: str) -> str:
    """The name to keep in a project: a file by its whole path, so that it is found from any folder."""
    return str(Path(name).resolve()) if Path(name).is_file() else name


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


def perceptual(where: torch.device) -> Perceptual:
    return MobileNetPerceptual().to(where)
