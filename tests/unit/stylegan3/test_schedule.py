"""Rates, sizes and filters of the layers."""

import numpy as np
import pytest

from stitchedit.stylegan3.networks import CONFIGURATIONS
from stitchedit.stylegan3.schedule import Schedule, Signal, design_lowpass, resample_of


def names(configuration: str, size: int) -> list[str]:
    widths = {key: CONFIGURATIONS[configuration][key] for key in ("channel_base", "channel_max")}
    return [name for name, _, _ in Schedule(size, **widths).layers()]


def test_layers_of_the_published_networks() -> None:
    """Names as NVIDIA's files have them."""
    assert names("T", 1024)[5:12] == [
        "L5_148_512", "L6_148_512", "L7_276_323", "L8_276_203", "L9_532_128", "L10_1044_81", "L11_1044_51"
    ]  # fmt: skip
    assert names("R", 1024)[7:] == [
        "L7_276_645", "L8_276_406", "L9_532_256", "L10_1044_161", "L11_1044_102", "L12_1044_64", "L13_1024_64",
        "L14_1024_3",
    ]  # fmt: skip
    for size in (256, 512, 1024):
        for configuration in CONFIGURATIONS:
            assert len(names(configuration, size)) == 15
            assert names(configuration, size)[-1] == f"L14_{size}_3"


def test_nothing_is_drawn_that_cannot_be_held() -> None:
    for _, here, there in Schedule(256).layers():
        assert there.cutoff <= there.rate / 2
        assert there.rate in (here.rate, 2 * here.rate)


def test_sizes_come_out_as_planned() -> None:
    """Convolution, enlarging and shrinking lead from one size to the next."""
    layers = Schedule(256).layers()
    for index, (_, here, there) in enumerate(layers):
        last = index == len(layers) - 1
        way = resample_of(here, there, kernel=1 if last else 3, is_rgb=last, radial=False)
        taps = [1 if f is None else len(f) for f in (way.up_filter, way.down_filter)]
        grown = (here.size + (0 if last else 2)) * way.up + sum(way.padding[:2]) - sum(taps) + 2
        assert (grown - 1) // way.down + 1 == there.size


@pytest.mark.parametrize(("taps", "cutoff"), [(12, 5.0), (12, 8.0), (24, 5.0)])
def test_round_filters_are_round(taps: int, cutoff: float) -> None:
    """The response depends on the length of a frequency, not on its direction; that of separable ones does."""
    at = np.arange(taps) - (taps - 1) / 2

    def unevenness(f: np.ndarray) -> float:
        """Between a frequency along an axis and one of the same length along the diagonal, about the cutoff."""
        found = []
        for radius in np.linspace(0.8, 1.3, 6) * cutoff / 32:
            along, across = (
                (f * np.cos(2 * np.pi * (x * at[None] + y * at[:, None]))).sum()
                for x, y in ((radius, 0), (radius / 2**0.5,) * 2)
            )
            found.append(abs(along - across))
        return float(max(found))

    f, line = design_lowpass(taps, cutoff, 4.0, 32.0, radial=True), design_lowpass(taps, cutoff, 4.0, 32.0)
    assert f is not None
    assert line is not None
    assert float(f.sum()) == pytest.approx(1, abs=1e-6)
    assert float(line.sum()) == pytest.approx(1, abs=1e-6)
    np.testing.assert_allclose(f, f.T, atol=1e-7)
    np.testing.assert_allclose(f, f[::-1], atol=1e-7)
    assert unevenness(f) < 0.6 * unevenness(np.outer(line, line))


def test_one_tap_is_no_filter() -> None:
    assert design_lowpass(1, 2.0, 4.0, 32.0) is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"img_resolution": 100}, "power of two"),
        ({"img_resolution": 1 << 40}, "power of two"),
        ({"num_layers": 2}, "cannot be"),
        ({"num_layers": 10**9}, "cannot be"),
        ({"margin_size": -1}, "margin"),
        ({"first_cutoff": 0.0}, "first cutoff"),
        ({"channels": (4, 4)}, "14 widths are needed"),
    ],
)
def test_what_cannot_be_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Schedule(**{"img_resolution": 64, **changes})  # type: ignore[arg-type]


def test_a_layer_takes_what_the_one_below_gives() -> None:
    layers = Schedule(64, num_layers=5).layers()
    assert layers[0][1] == layers[0][2] == Signal(16, 2.0, 6.0, 36, 512)
    assert [there for _, _, there in layers[:-1]] == [here for _, here, _ in layers[1:]]
