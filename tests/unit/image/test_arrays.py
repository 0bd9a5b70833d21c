"""Pictures as arrays: what is none any more is told."""

import pytest
import torch

from stitchedit.errors import ConfigError
from stitchedit.image.arrays import require_picture


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1e9])
def test_what_is_no_picture_any_more_is_refused(value: float) -> None:
    drawn = torch.zeros(1, 3, 4, 4)
    assert require_picture(drawn) is drawn
    drawn[0, 1, 2, 3] = value
    with pytest.raises(ConfigError, match="draws no picture"):
        require_picture(drawn)
