from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_clip import write_whole_clip

from stitchedit.models.clip_pictures import DEVIATION, MEAN, picture_encoder
from stitchedit.models.clip_text import text_encoder


def test_a_picture_is_where_transformers_own_way_puts_it(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    folder = str(write_whole_clip(tmp_path))
    picture = np.random.default_rng(0).integers(0, 255, (32, 32, 3), np.uint8)
    found = picture_encoder(folder)(picture)
    values = (torch.from_numpy(picture).double() / 255 - torch.tensor(MEAN)) / torch.tensor(DEVIATION)
    model = transformers.CLIPModel.from_pretrained(folder).eval()
    with torch.no_grad():
        texts = model.text_model  # the same file holds both
        assert texts is not None
        projected = model.visual_projection(model.vision_model(values.float().permute(2, 0, 1)[None]).pooler_output)[0]
    np.testing.assert_allclose(found, (projected / projected.norm()).numpy(), atol=1e-5)
    assert text_encoder(folder)(["face"]).shape == (1, 8)
    large = np.kron(picture, np.ones((4, 4, 1), np.uint8))
    np.testing.assert_allclose(picture_encoder(folder)(large), found, atol=1e-2)
