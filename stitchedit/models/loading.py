"""What a run asks for by name, loaded: device, generator, encoder, perceptual loss."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from stitchedit.errors import ConfigError, DeviceError
from stitchedit.models.generator import DrawsBeyond, Generator
from stitchedit.models.perceptual import MobileNetPerceptual, Perceptual


def device(name: str) -> torch.device:
    """auto, cpu or cuda. Raises DeviceError, when there is no such device."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name == "cuda" and not torch.cuda.is_available():
        raise DeviceError("there is no CUDA device", "use --device cpu; `stitchedit doctor` shows what torch sees")
    return torch.device(name)


def generator(name: str, where: torch.device, expand: Sequence[int] = (0, 0, 0, 0)) -> tuple[Generator, str]:
    """The generator of a name or file, in eval mode, and the sha256 of its weights.

    Args: expand: eighths of its picture that it is to draw beyond it, see `DrawsBeyond`.
    Raises: as `weights.load_generator`; ConfigError, where it draws nothing beyond its picture.
    """
    from stitchedit.models import weights

    found = weights.load_generator(name)
    if any(expand):
        if not isinstance(found, DrawsBeyond):
            raise ConfigError(
                f"--expand needs a generator that draws beyond its picture, and {found.architecture} draws none",
                "give a StyleGAN3 with --generator, or leave --expand out",
            )
        found = found.expanded(expand)
    return found.to(where).eval(), weights.sha256_of(name)


def lasting_name(name: str) -> str:
    """The name to keep in a project: a file by its whole path, so that it is found from any folder."""
    return str(Path(name).resolve()) if Path(name).is_file() else name


def perceptual(where: torch.device) -> Perceptual:
    return MobileNetPerceptual().to(where)
