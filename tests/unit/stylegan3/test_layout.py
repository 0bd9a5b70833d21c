"""The configuration of a StyleGAN3 by its tensors, in every file that they come in."""

from pathlib import Path
from typing import Any

import pytest
import torch
from checkpoint_files import nvidia_module, nvidia_pickle, stylegan3_state, torch_file
from safetensors.torch import save_file
from torch import Tensor

from stitchedit.errors import Refused, UnknownCheckpoint
from stitchedit.models import weights
from stitchedit.stylegan2.checkpoints import Checkpoint, read_checkpoint
from stitchedit.stylegan2.stored import write_stored
from stitchedit.stylegan3 import StyleGAN3
from stitchedit.stylegan3.layout import is_stylegan3, read_config, with_buffers

TOLD = {"num_critical": 1}


def module(state: dict[str, Tensor], **attributes: Any) -> Any:
    found = nvidia_module(state)
    found.modules["synthesis"].attributes = {"num_critical": 1, "num_fp16_res": 2, "output_scale": 0.25} | attributes
    return found


def read(path: Path, data: bytes) -> Checkpoint:
    path.write_bytes(data)
    return read_checkpoint(path)


def refusal(path: Path, data: bytes) -> str:
    with pytest.raises(UnknownCheckpoint) as caught:
        read(path, data)
    return str(caught.value)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"conv_kernel": 1, "use_radial_filters": True},
        {"img_resolution": 64, "num_layers": 5, "margin_size": 4, "mapping_layers": 3, "z_dim": 5},
        {"c_dim": 2},
    ],
    ids=str,
)
def test_shapes_tell_the_configuration(changes: dict[str, Any]) -> None:
    state = stylegan3_state(**changes)
    assert is_stylegan3(state)
    config = read_config(state, TOLD)
    network = StyleGAN3(**config)
    network.load_state_dict(state)
    assert {name: config.get(name) for name in changes} == changes


@pytest.mark.parametrize("form", ["p2", "p4", "p5", "module", "bare", "stream", "g_ema", "module.", "safetensors"])
def test_files(form: str, tmp_path: Path) -> None:
    """NVIDIA's pickles, torch files of a module, of bare tensors and of a training run, prefixes, safetensors."""
    state = stylegan3_state() if form in ("p2", "p4", "p5", "module") else stylegan3_state(num_critical=2)
    if form == "safetensors":
        save_file(state, tmp_path / "g")
        found = read_checkpoint(tmp_path / "g")
    else:
        found = read(
            tmp_path / "g",
            {
                "p2": lambda: nvidia_pickle(module(state), 2),
                "p4": lambda: nvidia_pickle(module(state), 4),
                "p5": lambda: nvidia_pickle(module(state), 5),
                "module": lambda: torch_file(module(state)),
                "bare": lambda: torch_file(state),
                "stream": lambda: torch_file(state, zipped=False),
                "g_ema": lambda: torch_file({"g_ema": state, "latent_avg": None}),
                "module.": lambda: torch_file({f"module.{name}": tensor for name, tensor in state.items()}),
            }[form](),
        )
    assert found.architecture == "stylegan3"
    assert found.rows == 6
    assert all(torch.equal(found.state[name], tensor) for name, tensor in state.items())
    generator = weights.load_generator(tmp_path / "g")
    assert isinstance(generator, StyleGAN3)
    again = StyleGAN3(**found.config)
    again.load_state_dict(state)
    z = torch.randn(1, 4)
    with torch.no_grad():
        assert torch.equal(generator.synthesis(generator.mapping(z)), again(z))


def test_what_need_not_be_there_is_made_anew(tmp_path: Path) -> None:
    """Filters, a transform of the user, the mean of w; and the mean is told of."""
    full = stylegan3_state(num_critical=2, conv_kernel=1, use_radial_filters=True)
    bare = {name: t for name, t in full.items() if not name.endswith(("_filter", "transform", "w_avg"))}
    found = read(tmp_path / "g", torch_file(bare))
    assert found.notes == ("the file keeps no mean of w: it was computed from 10,000 samples",)
    for name, tensor in full.items():
        if name != "mapping.w_avg":
            torch.testing.assert_close(found.state[name], tensor)
    assert with_buffers(full).keys() == full.keys()


def test_half_precision(tmp_path: Path) -> None:
    state = stylegan3_state(num_critical=2)
    found = read(tmp_path / "g", torch_file({name: tensor.half() for name, tensor in state.items()}))
    assert all(tensor.dtype == torch.float32 for tensor in found.state.values())


def test_kept_weights_come_back(tmp_path: Path) -> None:
    """What `weights import` writes, and a class of a generator with labels."""
    found = read(tmp_path / "g", nvidia_pickle(module(stylegan3_state()), 4))
    write_stored(found, tmp_path / "kept", {})
    again = read_checkpoint(tmp_path / "kept")
    assert (again.architecture, again.config) == ("stylegan3", found.config)
    (tmp_path / "labels").write_bytes(nvidia_pickle(module(stylegan3_state(c_dim=3)), 4))
    one = weights.load_generator(tmp_path / "labels")
    assert one.synthesis(one.mapping(torch.zeros(1, 4))).isfinite().all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("synthesis.input.freqs"), "it lacks synthesis.input.freqs"),
        (lambda s: s.pop("mapping.fc0.weight"), "it lacks mapping.fc0.weight"),
        (lambda s: s.update({"synthesis.x": torch.zeros(1)}), "has not: synthesis.x"),
        (lambda s: s.update({"synthesis.L1_36_3.bias": torch.zeros(4)}), r"bias has shape \[4\], not \[3\]"),
        (lambda s: s["synthesis.L1_36_3.up_filter"].mul_(1.1), "its cutoffs are others"),
        (lambda s: s.pop("synthesis.L1_36_3.weight"), r"layers \[0, 2, 3, 4\], not L0"),
        (lambda s: s.update({"synthesis.L5_99_3.weight": torch.zeros(3, 3, 1, 1)}), "must be a power of two"),
        (lambda s: s.update({"synthesis.L0_36_3.weight": torch.zeros(3, 3, 7, 7)}), "1 or 3 px"),
        (lambda s: s["synthesis.input.weight"].fill_(torch.nan), "not finite"),
    ],
)
def test_what_does_not_fit_is_named(change: Any, message: str, tmp_path: Path) -> None:
    state = {name: tensor.clone() for name, tensor in stylegan3_state().items()}
    change(state)
    with pytest.raises(UnknownCheckpoint, match=message):
        read(tmp_path / "g", nvidia_pickle(module(state), 4))


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"num_critical": 9}, "cannot be"),
        ({"num_critical": "two"}, "num_critical is two"),
        ({"output_scale": float("nan")}, "output_scale is nan"),
        ({"first_cutoff": 3.0}, "its cutoffs are others"),
        ({"num_fp16_res": 1e300}, "num_fp16_res is 1e"),
    ],
)
def test_what_a_module_says_is_looked_at(attributes: dict[str, Any], message: str, tmp_path: Path) -> None:
    assert message in refusal(tmp_path / "g", nvidia_pickle(module(stylegan3_state(), **attributes), 4))


def test_another_clamp_is_another_network(tmp_path: Path) -> None:
    found = module(stylegan3_state())
    found.modules["synthesis"].modules["L1_36_3"].attributes["conv_clamp"] = 100
    assert "conv_clamp is 100, only 256 is known" in refusal(tmp_path / "g", nvidia_pickle(found, 4))


def test_a_lone_name_is_no_generator() -> None:
    with pytest.raises(Refused, match="not L0, L1"):
        read_config({"synthesis.input.freqs": torch.zeros(3)}, {})
