"""The encoders at a hundredth of their size: stages, the average, errors."""

import pytest
import torch

from stitchedit.stylegan2 import ENCODERS, Encoder4Editing, GradualStyleEncoder, encoder_picture
from stitchedit.stylegan2.encoder import RestyleEncoder, RestyleEncoder4Editing
from stitchedit.stylegan2.encoder_layout import encoder_shapes


@pytest.fixture(scope="module")
def encoder() -> Encoder4Editing:
    torch.manual_seed(0)
    return Encoder4Editing(10, width=8).eval()


@pytest.fixture(scope="module")
def image() -> torch.Tensor:
    return torch.randn(2, 3, 256, 256, generator=torch.Generator().manual_seed(1))


def test_tensors_are_those_of_the_files(encoder: Encoder4Editing) -> None:
    assert {n: tuple(t.shape) for n, t in encoder.state_dict().items()} == encoder_shapes(10, width=8)


def test_a_stage_frees_one_row_after_the_other(encoder: Encoder4Editing, image: torch.Tensor) -> None:
    with torch.no_grad():
        full = encoder(image)
        assert full.shape == (2, 10, 64)
        assert torch.equal(encoder(image, stage=9), full)
        for stage in (0, 2, 4, 8):
            ws = encoder(image, stage=stage)
            assert torch.equal(ws[:, : stage + 1], full[:, : stage + 1])
            assert torch.equal(ws[:, stage + 1 :], full[:, :1].expand(-1, 9 - stage, -1))


def test_heads_above_the_stage_are_not_run(encoder: Encoder4Editing, image: torch.Tensor) -> None:
    ran: list[int] = []
    hooks = [
        head.register_forward_hook(lambda layer, inputs, output, i=i: ran.append(i))
        for i, head in enumerate(encoder.styles)
    ]
    with torch.no_grad():
        encoder(image[:1], stage=3)
    for hook in hooks:
        hook.remove()
    assert ran == [0, 1, 2, 3]


def test_e4e_departs_from_its_first_row_and_psp_does_not(encoder: Encoder4Editing, image: torch.Tensor) -> None:
    psp = GradualStyleEncoder(10, width=8).eval()
    psp.load_state_dict(encoder.state_dict())
    with torch.no_grad():
        rows, ws = psp(image), encoder(image)
    torch.testing.assert_close(ws[:, 1:], rows[:, :1] + rows[:, 1:])
    assert torch.equal(ws[:, 0], rows[:, 0])


def test_one_row(encoder: Encoder4Editing, image: torch.Tensor) -> None:
    psp = GradualStyleEncoder(10, width=8).eval()
    psp.load_state_dict(encoder.state_dict())
    with torch.no_grad():
        assert torch.equal(encoder.one_row(image), encoder(image)[:, :1])
        torch.testing.assert_close(psp.one_row(image), psp(image).mean(1, keepdim=True))


@pytest.mark.parametrize("shape", [(64,), (10, 64)])
def test_the_average_is_added_and_not_saved(image: torch.Tensor, shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    encoder = Encoder4Editing(10, width=8).eval()
    with torch.no_grad():
        before = encoder(image[:1])
        encoder.latent_avg = torch.randn(shape)
        torch.testing.assert_close(encoder(image[:1]), before + encoder.latent_avg)
    assert "latent_avg" not in encoder.state_dict()
    assert encoder.to(torch.float64).latent_avg.dtype == torch.float64  # it goes where the encoder goes


def test_all_kinds_are_known() -> None:
    kinds = {"e4e": Encoder4Editing, "psp": GradualStyleEncoder}
    assert kinds | {"restyle-e4e": RestyleEncoder4Editing, "restyle-psp": RestyleEncoder} == ENCODERS


@pytest.mark.parametrize("stage", [-1, 10])
def test_a_stage_out_of_range(encoder: Encoder4Editing, image: torch.Tensor, stage: int) -> None:
    with pytest.raises(ValueError, match="stage must be from 0 to 9"):
        encoder(image, stage=stage)


def test_a_picture_of_another_size(encoder: Encoder4Editing) -> None:
    with pytest.raises(ValueError, match="images must be"):
        encoder(torch.zeros(1, 3, 128, 128))


def test_pictures_are_shrunk() -> None:
    flat = torch.full((1, 3, 1024, 1024), 0.25)
    for antialias in (True, False):
        torch.testing.assert_close(encoder_picture(flat, antialias=antialias), torch.full((1, 3, 256, 256), 0.25))


@pytest.mark.parametrize("kind", ["restyle-psp", "restyle-e4e"])
def test_restyle_sees_two_pictures_and_gives_steps_from_16_px(kind: str) -> None:
    torch.manual_seed(0)
    network = ENCODERS[kind](10, width=8).eval()
    assert {n: tuple(t.shape) for n, t in network.state_dict().items()} == encoder_shapes(10, width=8, restyle=True)
    both = torch.randn(2, 6, 256, 256)
    with torch.no_grad():
        x = network.input_layer(both)
        for unit in network.body:
            x = unit(x)
        assert x.shape == (2, 64, 16, 16)
        rows = torch.stack([head(x) for head in network.styles], dim=1)
        if kind == "restyle-e4e":  # the first one's for all, and how far the others depart
            rows = torch.cat([rows[:, :1], rows[:, :1] + rows[:, 1:]], dim=1)
        torch.testing.assert_close(network(both), rows)
        with pytest.raises(ValueError, match=r"must be \[B, 6"):
            network(both[:, :3])
