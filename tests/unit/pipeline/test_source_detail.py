import copy

import pytest
import torch

from stitchedit.stylegan2 import StyleGAN2


def test_fidelity_takes_the_coarse_layers_back_toward_the_untuned_generator(
    monkeypatch: pytest.MonkeyPatch, tiny_generator: StyleGAN2
) -> None:
    from types import SimpleNamespace

    from stitchedit.models import loading
    from stitchedit.pipeline import inversion, source_detail

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
