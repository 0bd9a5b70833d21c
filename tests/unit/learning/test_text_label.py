from pathlib import Path

import numpy as np
import pytest
from tiny_clip import write_whole_clip

from stitchedit.editing.text_direction import class_embedding
from stitchedit.errors import ConfigError
from stitchedit.learning.text_label import text_label
from stitchedit.models.clip_pictures import picture_encoder
from stitchedit.models.clip_text import text_encoder

pytest.importorskip("transformers")


def test_a_label_is_the_place_between_two_texts(tmp_path: Path) -> None:
    folder = str(write_whole_clip(tmp_path))
    picture = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    found = text_label("face", "old face", folder)(picture)
    encode = text_encoder(folder)
    way = class_embedding("old face", encode) - class_embedding("face", encode)
    assert found == pytest.approx(float(picture_encoder(folder)(picture) @ way / np.linalg.norm(way)), abs=1e-5)
    assert text_label("old face", "face", folder)(picture) == pytest.approx(-found, abs=1e-5)
    with pytest.raises(ConfigError, match="--from is"):
        text_label("face", "face", folder)
