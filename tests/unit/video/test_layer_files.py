from fractions import Fraction
from pathlib import Path

import numpy as np
import OpenEXR

from stitchedit.video.layer_files import channel_names, code_attribute, write_layers


def test_layers_come_back_by_their_names_bit_for_bit(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    layers = {
        "edited": random.random((5, 7, 3)).astype(np.float16),
        "delta": random.standard_normal((5, 7, 3)).astype(np.float32),
        "matte": random.random((5, 7), np.float32),
        "uv": random.random((5, 7, 2), np.float32),
    }
    with (tmp_path / "a.exr").open("wb") as file:
        write_layers(
            layers,
            Fraction(30000, 1001),
            {"comments": "edited", "timeCode": code_attribute("10:11:12;13")},
            Fraction(4, 3),
            file,
        )
    read = OpenEXR.File(str(tmp_path / "a.exr"), separate_channels=True)
    planes = {name: channel.pixels for name, channel in read.channels().items()}
    for name, samples in layers.items():
        names = channel_names(name, 1 if samples.ndim == 2 else samples.shape[2])
        stacked = np.stack([planes.pop(each) for each in names], axis=-1).reshape(samples.shape)
        assert stacked.dtype == samples.dtype
        np.testing.assert_array_equal(stacked, samples)
    assert not planes
    header = read.header()
    assert (header["timeCode"].hours, header["timeCode"].frame, header["timeCode"].dropFrame) == (10, 13, True)
    assert (header["framesPerSecond"], header["comments"]) == (Fraction(30000, 1001), "edited")
    assert header["compression"] == OpenEXR.ZIP_COMPRESSION
