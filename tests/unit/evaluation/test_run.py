"""What an evaluation does without a part; the whole of it is tested through the command line."""

from types import SimpleNamespace

import numpy as np

from stitchedit.errors import ProjectError
from stitchedit.evaluation.run import _add_inversion


def test_an_inversion_that_cannot_be_drawn_any_more_is_a_gap_that_says_why() -> None:
    measured = SimpleNamespace(rows={}, why={})
    job = SimpleNamespace(takes={"inversion": None})

    def fail() -> dict[str, np.ndarray]:
        raise ProjectError("p.stitch was tuned from another generator", "run `stitchedit invert` to the end")

    _add_inversion(measured, job, fail)  # type: ignore[arg-type]
    assert measured.rows == {}
    assert set(measured.why) == {"inversion_psnr", "inversion_ssim", "inversion_perceptual"}
    assert "another generator: run `stitchedit invert`" in measured.why["inversion_psnr"]

    _add_inversion(measured, job, lambda: {"psnr": np.ones(3, np.float32)})  # type: ignore[arg-type]
    assert list(measured.rows) == ["inversion_psnr"]
