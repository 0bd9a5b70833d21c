"""A CLIP text model with random weights and a vocabulary of letters, as transformers saves one."""

from __future__ import annotations

import json
from pathlib import Path

import torch


def write_clip(folder: Path, width: int = 8) -> Path:
    """The folder, with a model whose space has `width` dimensions."""
    import transformers

    letters = "abcdefghijklmnopqrstuvwxyz{}.-"
    words = ["<|startoftext|>", "<|endoftext|>", *letters, *(f"{letter}</w>" for letter in letters)]
    (folder / "vocab.json").write_text(json.dumps({word: number for number, word in enumerate(words)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    tokens = transformers.CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"))
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = transformers.CLIPTextConfig(
        vocab_size=len(words), projection_dim=width, max_position_embeddings=77, bos_token_id=0, eos_token_id=1, **sizes
    )
    transformers.CLIPTextModelWithProjection(config).save_pretrained(folder)
    tokens.save_pretrained(folder)
    return folder


def write_whole_clip(folder: Path, width: int = 8) -> Path:
    """The same with a model of pictures of 32 px beside it, as a whole CLIP is saved."""
    import transformers

    write_clip(folder, width)
    text = transformers.CLIPTextConfig.from_pretrained(folder).to_dict()
    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    vision = {**sizes, "image_size": 32, "patch_size": 16, "projection_dim": width}
    config = transformers.CLIPConfig(text_config=text, vision_config=vision, projection_dim=width)
    transformers.CLIPModel(config).save_pretrained(folder)
    return folder
