import copy
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from stitchedit.editing.edits import OwnLook
from stitchedit.pipeline import source_detail
from stitchedit.stylegan2 import StyleGAN2
from stitchedit.types import FloatArray


def test_fidelity_takes_the_coarse_layers_back_toward_the_untuned_generator(
    monkeypatch: pytest.MonkeyPatch, tiny_generator: StyleGAN2
) -> None:
    from stitchedit.models import loading
    from stitchedit.pipeline import inversion

    tuned = copy.deepcopy(tiny_generator)
    with torch.no_grad():
        for parameter in tuned.parameters():
            parameter.add_(1.0)
    monkeypatch.setattr(loading, "generator", lambda name, device: (tiny_generator, ""))
    project = SimpleNamespace(fact=lambda table, key: "default")
    opened = inversion.Inversion(project, *[None] * 5, tuned)  # type: ignore[arg-type]
    assert source_detail.softened(opened, 1.0) is opened
    before = copy.deepcopy(tuned.state_dict())
    soft = source_detail.softened(opened, 0.25).generator
    assert all(torch.equal(value, before[name]) for name, value in tuned.state_dict().items()), "it stays as it was"
    start = dict(tiny_generator.named_parameters())
    left = {n: (p - start[n]).mean().item() for n, p in soft.named_parameters() if n.startswith("synthesis")}
    assert all(v == pytest.approx(0.25 if soft.layer_px(n) <= 32 else 1.0, abs=1e-5) for n, v in left.items())
    assert {soft.layer_px(n) for n in left} == {4, 8, 16, 32, 64, 128}


def test_an_edit_of_the_eyes_is_seen_in_them_and_their_colour_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    own = np.repeat(random.uniform(-0.3, 0.3, (64, 64, 1)), 3, 2).astype(np.float32)  # grey
    edited = own + np.float32([0.0, 0.12, 0.06])  # lighter and greener
    eyes = np.zeros((64, 64), np.float32)
    eyes[20:44, 20:44] = 1
    nothing = np.zeros_like(eyes)
    monkeypatch.setattr(source_detail, "_masks", lambda *_: source_detail._Masks(eyes, eyes, nothing, nothing))

    def tensor(picture: FloatArray) -> torch.Tensor:
        return torch.from_numpy(picture).permute(2, 0, 1)[None]

    clip = SimpleNamespace(
        warm=lambda kind, key, make: make(),
        batches=SimpleNamespace(images=lambda *_: tensor(own)),
        synthesized=lambda *_, size: tensor(own),
        points=SimpleNamespace(points=[None]),
    )

    def change(look: OwnLook) -> FloatArray:
        added = source_detail.source_detail(clip, 1.0, look)(0, tensor(edited), None)  # type: ignore[arg-type]
        shown: FloatArray = (edited - own + added[0].permute(1, 2, 0).numpy())[28:36, 28:36].mean((0, 1))
        return shown

    assert np.abs(change(OwnLook())).max() < 0.03, "their own look"
    lighter = change(OwnLook(eyes=False))
    assert lighter @ [0.299, 0.587, 0.114] == pytest.approx(0.077, abs=0.003), "the light is that of the edit"
    assert np.ptp(lighter) < 0.04 < np.ptp(edited - own), "nearly as grey as they were"
