import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from checkpoint_files import encoder_content, make_state
from safetensors import safe_open
from safetensors.torch import save_file

from stitchedit.errors import UnknownCheckpoint
from stitchedit.stylegan2.checkpoints import Checkpoint, Kind, read_checkpoint
from stitchedit.stylegan2.layout import read_config
from stitchedit.stylegan2.stored import write_stored


def generator() -> Checkpoint:
    state = make_state()
    config = read_config({name: tuple(tensor.shape) for name, tensor in state.items()})
    config |= {"conv_clamp": 256.0, "num_fp16_res": 2}
    return Checkpoint(Kind.TENSORFLOW, "generator", config, state, notes=("a note",))


def encoder() -> Checkpoint:
    content = encoder_content()
    state = {n.removeprefix("encoder."): t for n, t in content["state_dict"].items() if n.startswith("encoder.")}
    config, options = {"num_styles": 6}, {"encoder_type": "x", "n": 1}
    return Checkpoint(Kind.E4E, "encoder", config, state, latent_avg=content["latent_avg"], options=options)


@pytest.mark.parametrize("make", [generator, encoder])
def test_everything_comes_back(make: object, tmp_path: Path) -> None:
    checkpoint: Checkpoint = make()  # type: ignore[operator]
    path = tmp_path / "w.safetensors"
    write_stored(checkpoint, path, {"licence": "CC0"})
    back = read_checkpoint(path)
    assert (back.kind, back.role, back.config) == (checkpoint.kind, checkpoint.role, checkpoint.config)
    assert (back.options, back.notes) == (checkpoint.options, checkpoint.notes)
    assert back.state.keys() == checkpoint.state.keys()
    for name, tensor in checkpoint.state.items():
        assert back.state[name].dtype == tensor.dtype
        assert torch.equal(back.state[name], tensor)
    if checkpoint.latent_avg is not None:
        assert back.latent_avg is not None
        assert torch.equal(back.latent_avg, checkpoint.latent_avg)
    with safe_open(path, framework="pt") as file:
        assert file.metadata()["licence"] == "CC0"
    again = tmp_path / "again.safetensors"
    write_stored(back, again, {"licence": "CC0"})
    assert again.read_bytes() == path.read_bytes()


def test_tensors_in_another_order_in_memory(tmp_path: Path) -> None:
    checkpoint = generator()
    name = "synthesis.b8.conv0.weight"
    strided = checkpoint.state[name].to(memory_format=torch.channels_last)
    write_stored(replace(checkpoint, state=checkpoint.state | {name: strided}), tmp_path / "w", {})
    assert torch.equal(read_checkpoint(tmp_path / "w").state[name], strided)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"config": "{"}, "description is damaged"),
        ({"config": "[1]"}, "description is damaged"),
        ({"config": '{"channels": {"a": 1}}'}, "description is damaged"),
        ({"config": "[" * 100_000}, "description is damaged"),
        ({"notes": "3"}, "description is damaged"),
        ({"kind": "stylegan9"}, "of a newer stitchedit"),
        ({"role": "x"}, "of a newer stitchedit"),
        ({"conv_clamp": "x"}, "description is damaged"),
        ({"w_dim": 9}, "not those that it describes"),
        ({"architecture": "orig"}, "not those that it describes"),
    ],
)
def test_descriptions_that_do_not_hold(changes: dict[str, str], message: str, tmp_path: Path) -> None:
    write_stored(generator(), tmp_path / "w", {})
    with safe_open(tmp_path / "w", framework="pt") as file:
        metadata = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    config = json.loads(metadata["config"])
    for name, value in changes.items():
        if name in metadata:
            metadata[name] = value
        else:
            config[name] = value
            metadata["config"] = json.dumps(config)
    save_file(tensors, tmp_path / "changed", metadata)
    with pytest.raises(UnknownCheckpoint, match=message):
        read_checkpoint(tmp_path / "changed")
