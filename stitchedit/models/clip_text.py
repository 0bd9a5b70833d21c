"""Texts in CLIP's space, by the user's own weights: `pip install stitchedit[clip]` (transformers; no torchvision).

Source: Radford et al. 2021, arXiv:2103.00020.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from stitchedit.config import DEFAULT_CLIP
from stitchedit.errors import ConfigError, WeightsError
from stitchedit.types import FloatArray

TextEncoder = Callable[[Sequence[str]], FloatArray]  # K texts -> [K, E], not normalised


def text_encoder(place: str = DEFAULT_CLIP) -> TextEncoder:
    """CLIP's text model, on the CPU. Nothing is downloaded.

    Args:
        place: a folder that transformers wrote, or a name in its cache.
    Raises: ConfigError, where transformers is not installed; WeightsError, where the weights are not there or are of
        another model.
    """
    tokens, model = load_parts(place, "CLIPTokenizer", "CLIPTextModelWithProjection")
    return lambda texts: _embedded(model, tokens, texts)


def load_parts(place: str, *names: str) -> list[Any]:
    """Classes of transformers, loaded from a folder or its cache; see `text_encoder`."""
    try:
        import transformers

        classes = [getattr(transformers, name) for name in names]
    except (ImportError, AttributeError) as exc:
        raise ConfigError(
            "an edit by text needs CLIP, and transformers is not installed", "pip install 'stitchedit[clip]'"
        ) from exc
    try:
        loaded = [kind.from_pretrained(place, local_files_only=True) for kind in classes]
    except Exception as exc:  # whatever transformers and what it builds on raise for a folder that is none
        here = os.path.isdir(place)
        raise WeightsError(
            f"cannot load CLIP from {place}: {_short(exc)}",
            "the folder must be one that transformers' save_pretrained wrote"
            if here
            else f"fetch it once: `hf download {place}`, or name its folder with --clip",
        ) from exc
    return [part.eval() if hasattr(part, "eval") else part for part in loaded]


def _embedded(model: Any, tokens: Any, texts: Sequence[str]) -> FloatArray:
    """Raises ConfigError for a text that is longer than CLIP reads."""
    import torch

    longest = model.config.max_position_embeddings
    read = tokens(list(texts), padding=True, return_tensors="pt")
    if read.input_ids.shape[1] > longest:
        raise ConfigError(f"a text is longer than the {longest} tokens that CLIP reads", "say it shorter")
    with torch.inference_mode():
        found = model(input_ids=read.input_ids, attention_mask=read.attention_mask).text_embeds
    return np.asarray(found.float().numpy(), np.float32)


def _short(exc: Exception) -> str:
    return " ".join(str(exc).split())[:160] or type(exc).__name__
