from __future__ import annotations

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from checkpoint_files import encoder_content, torch_file
from edit_files import LAYERS, PLUS, ROWS, WIDTH, WRITTEN, ganspace, mapper, npy, numbers, statistics, transformer

from stitchedit.editing.edit_files import ChannelRelevance, Components, EditFile, StyleStatistics, Vector, read_edit
from stitchedit.editing.latent_networks import LatentTransformer, Mapper
from stitchedit.errors import DirectionError

KINDS = {
    "GANSpace": Components,
    "SeFa": Components,
    "S_mean_std": StyleStatistics,
    "fs3": ChannelRelevance,
    "mapper": Mapper,
    "one mapper": Mapper,
    "Latent Transformer": LatentTransformer,
    "its checkpoint": LatentTransformer,
}


def read(folder: Path, data: bytes) -> EditFile:
    path = folder / "edit"  # no ending: the content tells
    path.write_bytes(data)
    return read_edit(path)


@pytest.mark.parametrize("kind", WRITTEN)
def test_what_a_file_is_is_seen_by_its_content_and_said(tmp_path: Path, kind: str) -> None:
    found = read(tmp_path, WRITTEN[kind]())
    assert type(found) is KINDS.get(kind, Vector)
    assert found.said
    assert "\n" not in found.said


def test_vectors_of_every_shape_hold_their_numbers(tmp_path: Path) -> None:
    for kind in ("InterFaceGAN boundary", "e4e, HyperStyle"):
        found = read(tmp_path, WRITTEN[kind]())
        assert isinstance(found, Vector)
        np.testing.assert_array_equal(found.numbers.reshape(-1), numbers(WIDTH))
    for kind in ("SFE boundary", "StyleGANEX"):
        found = read(tmp_path, WRITTEN[kind]())
        assert isinstance(found, Vector)
        np.testing.assert_array_equal(found.numbers.reshape(ROWS, WIDTH), PLUS)
    styles = read(tmp_path, WRITTEN["styles"]())
    assert isinstance(styles, Vector)
    np.testing.assert_array_equal(styles.numbers, np.concatenate([numbers(n, seed=n) for n in LAYERS]))


def test_settings_beside_a_vector_are_not_looked_at(tmp_path: Path) -> None:
    found = read(tmp_path, torch_file({"direction": torch.ones(8), "opts": {"lr": 0.1}, "name": "age"}))
    assert isinstance(found, Vector)


def test_a_component_is_one_deviation_long(tmp_path: Path) -> None:
    stored = ganspace()
    found = read(tmp_path, torch_file(stored))
    assert isinstance(found, Components)
    axis, sd = stored["comp"][3, 0].numpy(), float(stored["std"][3])
    np.testing.assert_allclose(found.vector(3), sd * axis, rtol=1e-6)
    w = numbers(WIDTH, seed=9)
    assert found.coordinate(3, w) == pytest.approx(float((w - stored["mean"][0].numpy()) @ axis) / sd, rel=1e-5)
    factors = read(tmp_path, WRITTEN["SeFa"]())
    assert isinstance(factors, Components)
    vectors = torch.linalg.qr(torch.from_numpy(numbers(WIDTH, WIDTH)))[0]
    np.testing.assert_allclose(factors.vector(2), vectors[:, 2].numpy(), atol=1e-7)


def test_statistics_come_layer_by_layer(tmp_path: Path) -> None:
    found = read(tmp_path, statistics())
    assert isinstance(found, StyleStatistics)
    assert tuple(map(len, found.deviations)) == LAYERS
    np.testing.assert_allclose(found.deviations[1], np.abs(numbers(8, seed=1)) + 0.5)


class Evil:
    def __reduce__(self) -> tuple[object, ...]:
        return os.system, ("touch CANARY",)


LEFT_OUT = {name: part for name, part in mapper().items() if name != "mapper.fine_mapping.mapping.3.bias"}
REFUSED = {
    "code beside statistics": (pickle.dumps([[], [Evil()]]), "no S_mean_std: .*names posix.system"),
    "code in a mapper": (torch_file({"state_dict": {**mapper(), "mapper.x": Evil()}}), "names posix.system"),
    "statistics of other layers": (pickle.dumps([[numbers(3)], [numbers(4)]]), "do not fit each other|below 0"),
    "statistics without numbers": (pickle.dumps([["a"], ["b"]]), "a layer is no tensor"),
    "negative deviations": (pickle.dumps([[numbers(3)], [-np.ones(3, np.float32)]]), "below 0"),
    "a pickle of something": (pickle.dumps({"a": 1}), "bare pickle, and no S_mean_std"),
    "statistics cut short": (statistics()[:-30], "bare pickle"),
    "components that do not fit": (torch_file({**ganspace(), "std": torch.ones(3)}), "do not fit each other"),
    "components without width": (torch_file({**ganspace(), "std": torch.zeros(5)}), "not above 0"),
    "components that are no tensors": (torch_file({**ganspace(), "mean": 3}), "its mean is no tensor"),
    "factors that are no matrix": (torch_file({"eigvec": torch.ones(3)}), "no matrix"),
    "a mapper without a layer": (torch_file({"state_dict": LEFT_OUT}), "not the four layers"),
    "a mapper of two kinds": (torch_file({"state_dict": {**mapper(), **mapper(())}}), "not the four layers"),
    "a mapper that does not fit": (
        torch_file({"state_dict": {**mapper(), "mapper.fine_mapping.mapping.3.bias": torch.ones(3)}}),
        "do not fit each other",
    ),
    "a transformer without a row": (
        torch_file({n: t for n, t in transformer().items() if not n.startswith("dense.4.")}),
        "rows of its Latent Transformer are missing",
    ),
    "a network that is not finite": (
        torch_file({**transformer(), "dense.0.bias": torch.full((8,), torch.nan)}),
        "not finite",
    ),
    "a table that is not finite": (npy(np.full((200, 4), np.inf, np.float32)), "not finite"),
    "an edit of a StyleGANEX in one row": (torch_file({"editing_w": torch.ones(3)}), r"not \[2, rows, w_dim\]"),
    "a generator": (torch_file({"g_ema": {"a": torch.ones(3)}, "latent_avg": 3}), "networks .g_ema, latent_avg., no"),
    "an encoder": (torch_file(encoder_content()), "networks .state_dict, latent_avg, opts., no"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_wrong_with_a_file_takes_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    monkeypatch.chdir(tmp_path)
    data, message = REFUSED[case]
    with pytest.raises(DirectionError, match=message) as caught:
        read(tmp_path, data)
    assert "\n" not in str(caught.value)
    assert (caught.value.exit_code, bool(caught.value.hint)) == (8, True)
    assert [path.name for path in tmp_path.iterdir()] == ["edit"], "nothing was run"


def test_a_component_that_is_not_there(tmp_path: Path) -> None:
    found = read(tmp_path, WRITTEN["GANSpace"]())
    assert isinstance(found, Components)
    with pytest.raises(Exception, match="components 0 to 4, not 5"):
        found.vector(5)
