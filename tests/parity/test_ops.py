"""The ops against numbers recorded from the reference repositories (tests/golden/README.md, A3)."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from stitchedit.cuda_ops import ACTIVATIONS, bias_act, downsample2d, filter2d, setup_filter, upfirdn2d, upsample2d
from stitchedit.stylegan2.conv import conv2d_resample, modulated_conv2d
from stitchedit.stylegan3.mapping import FullyConnected

GOLDEN = Path(__file__).parents[1] / "golden"
ARRAYS = np.load(GOLDEN / "ops.npz")
CASES: list[dict[str, Any]] = json.loads((GOLDEN / "ops_index.json").read_text())

VALUES, GRADIENTS = 1e-5, 5e-5  # tolerances of the README


def cases(prefix: str) -> list[Any]:
    found = [case for case in CASES if case["case"].startswith(prefix)]
    assert found, prefix
    return [pytest.param(case, id=case["case"]) for case in found]


@pytest.fixture(scope="module", autouse=True)
def everything_is_there(device: torch.device) -> Iterator[None]:
    with device:
        yield


def array(case: dict[str, Any] | str, name: str) -> Tensor:
    key = case if isinstance(case, str) else case["case"]
    return torch.from_numpy(ARRAYS[f"{key}.{name}"]).to(torch.get_default_device())


def agree(got: Tensor, expected: Tensor, tolerance: float) -> None:
    assert got.shape == expected.shape
    error = (got - expected).abs().max() / max(1.0, float(expected.abs().max()))
    assert error <= tolerance, f"error {error:.2e}"


def check(case: dict[str, Any] | str, y: Tensor, key: str = "", **inputs: Tensor) -> None:
    """y is the golden .y, and the golden .gy sent back gives the golden .g<input> of every input."""
    agree(y.detach(), array(case, f"{key}y"), VALUES)
    y.backward(array(case, "gy"))
    for name, tensor in inputs.items():
        assert tensor.grad is not None
        agree(tensor.grad, array(case, f"{key}{name}"), GRADIENTS)


def leaf(case: dict[str, Any] | str, name: str) -> Tensor:
    return array(case, name).clone().requires_grad_()


def test_every_case_is_tested_here() -> None:
    prefixes = ("upfirdn2d.", "wrap.", "setup_filter.", "bias_act.", "conv2d_resample.", "modconv_nvidia.")
    prefixes += ("ros_upfirdn2d.", "fused_leaky_relu.", "modconv_ros.", "ros_Upsample")
    assert all(case["case"].startswith(prefixes) for case in CASES)


@pytest.mark.parametrize("case", cases("upfirdn2d."))
def test_upfirdn2d(case: dict[str, Any], layout: torch.memory_format) -> None:
    x = array(case, "x").contiguous(memory_format=layout).requires_grad_()
    y = upfirdn2d(
        x,
        array(case, "f"),
        up=case["up"],
        down=case["down"],
        padding=case["padding_x0x1y0y1"],
        flip_filter=case["flip_filter"],
        gain=case["gain"],
    )
    check(case, y, gx=x)


@pytest.fixture(params=[torch.contiguous_format, torch.channels_last], ids=["contiguous", "channels-last"])
def layout(request: pytest.FixtureRequest) -> torch.memory_format:
    return request.param


@pytest.mark.parametrize("case", [c for c in cases("upfirdn2d.") if c.values[0]["filter_in"] is not None])
def test_setup_filter_makes_the_filters_of_the_cases(case: dict[str, Any]) -> None:
    agree(setup_filter(case["filter_in"], separable=case["separable"]), array(case, "f"), VALUES)


@pytest.mark.parametrize("case", cases("setup_filter."))
def test_setup_filter(case: dict[str, Any]) -> None:
    expected = torch.from_numpy(ARRAYS[case["case"]])
    agree(setup_filter(case["f"]).cpu(), expected, VALUES)


@pytest.mark.parametrize("case", cases("wrap."))
def test_wrappers(case: dict[str, Any]) -> None:
    x, f = leaf(case, "x"), array(case, "f")
    run: dict[str, Callable[[], Tensor]] = {
        "filter2d_pad": lambda: filter2d(x, f, padding=case["padding"]),
        "upsample2d": lambda: upsample2d(x, f),
        "downsample2d": lambda: downsample2d(x, f, down=case["down"]),
        "downsample2d_odd": lambda: downsample2d(x, f, down=case["down"]),
    }
    check(case, run[case["op"]](), gx=x)


@pytest.mark.parametrize("case", cases("bias_act."))
def test_bias_act(case: dict[str, Any]) -> None:
    x = leaf(case, "x")
    b = leaf(case, "b") if case["has_bias"] else None
    options = {name: case[name] for name in ("alpha", "gain", "clamp") if name in case}
    y = bias_act(x, b, act=case["act"], dim=case["dim"], **options)
    check(case, y, gx=x, **({} if b is None else {"gb": b}))


@pytest.mark.parametrize("case", cases("bias_act."))
def test_default_alpha_and_gain(case: dict[str, Any]) -> None:
    known = ACTIVATIONS[case["act"]]
    assert (known.alpha, known.gain) == (case["def_alpha"], pytest.approx(case["def_gain"], rel=1e-12))


@pytest.mark.parametrize("case", cases("conv2d_resample."))
def test_conv2d_resample(case: dict[str, Any]) -> None:
    x, w = leaf(case, "x"), leaf(case, "w")
    f = setup_filter([1, 3, 3, 1])
    y = conv2d_resample(
        x,
        w,
        f,
        up=case["up"],
        down=case["down"],
        padding=case["padding"],
        groups=case["groups"],
        flip_weight=case["flip_weight"],
    )
    check(case, y, gx=x, gw=w)


@pytest.mark.parametrize("fused", [True, False], ids=["fused", "nonfused"])
@pytest.mark.parametrize("case", cases("modconv_nvidia."))
def test_modulated_conv(case: dict[str, Any], fused: bool) -> None:
    x, w, s = leaf(case, "x"), leaf(case, "w"), leaf(case, "s")
    y = modulated_conv2d(
        x,
        w,
        s,
        up=case["up"],
        padding=case["padding"],
        resample_filter=setup_filter([1, 3, 3, 1]),
        demodulate=case["demodulate"],
        flip_weight=case["flip_weight"],
        fused=fused,
    )
    if case["noise"]:
        y = y + array(case, "noise")
    check(case, y, "fused." if fused else "nonfused.", gx=x, gw=w, gs=s)


@pytest.mark.parametrize("case", cases("ros_upfirdn2d."))
def test_rosinality_upfirdn2d(case: dict[str, Any]) -> None:
    x = leaf(case, "x")
    pad = case["pad"] * 2 if len(case["pad"]) == 2 else case["pad"]  # one pair there is (before, after) of both axes
    check(case, upfirdn2d(x, array(case, "f"), up=case["up"], down=case["down"], padding=pad), gx=x)


@pytest.mark.parametrize("case", cases("fused_leaky_relu."))
def test_rosinality_fused_leaky_relu(case: dict[str, Any]) -> None:
    x = leaf(case, "x")
    b = leaf(case, "b") if case["bias"] else None
    y = bias_act(x, b, act="lrelu", alpha=case["negative_slope"], gain=case["scale"])
    check(case, y, gx=x, **({} if b is None else {"gb": b}))


@pytest.mark.parametrize("case", cases("modconv_ros."))
@pytest.mark.parametrize("fused", [True, False], ids=["fused", "nonfused"])
def test_rosinality_modulated_conv(case: dict[str, Any], fused: bool) -> None:
    x, style = leaf(case, "x"), leaf(case, "style")
    weight = leaf(case, "p.weight")
    affine_w, affine_b = leaf(case, "p.modulation.weight"), leaf(case, "p.modulation.bias")
    styles = torch.addmm(affine_b, style, affine_w.t(), alpha=affine_w.shape[1] ** -0.5)
    up, down = 1 + case["upsample"], 1 + case["downsample"]
    y = modulated_conv2d(
        x,
        weight[0] * weight[0, 0].numel() ** -0.5,  # rosinality scales before demodulation
        styles,
        up=up,
        down=down,
        padding=case["kernel_size"] // 2,
        resample_filter=setup_filter([1, 3, 3, 1]) if up * down > 1 else None,
        demodulate=case["demodulate"],
        flip_weight=up == 1,
        fused=fused,
    )
    check(case, y, gx=x, gstyle=style)
    for name, tensor in (("weight", weight), ("modulation.weight", affine_w), ("modulation.bias", affine_b)):
        assert tensor.grad is not None
        agree(tensor.grad, array(case, f"g.{name}"), GRADIENTS)


def test_rosinality_upsample() -> None:
    x = leaf("ros_Upsample", "x")
    check("ros_Upsample", upsample2d(x, setup_filter([1, 3, 3, 1])), gx=x)


def test_rosinality_equal_linear() -> None:
    """With learning rate multiplier 0.01 and activation: a layer of the mapping."""
    w, b = array("ros_EqualLinear", "w"), array("ros_EqualLinear", "b")
    layer = FullyConnected(w.shape[1], w.shape[0], activation="lrelu", lr_multiplier=0.01)
    layer.load_state_dict({"weight": w, "bias": b})
    agree(layer(array("ros_EqualLinear", "x")).detach(), array("ros_EqualLinear", "y"), VALUES)
