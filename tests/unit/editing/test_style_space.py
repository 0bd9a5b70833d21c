"""Edits in StyleSpace on small generators of both kinds, and the files that hold them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from checkpoint_files import torch_file
from edit_files import decoder, ganspace, mapper, npy, numbers, statistics, transformer

from stitchedit.editing.direction import Direction
from stitchedit.editing.direction_catalogue import find_direction, read_direction
from stitchedit.editing.move_latents import edit, load_direction, load_offset, load_step
from stitchedit.editing.style_space import lengths, offset_of_vector, own_statistics, require_drawn, style_space
from stitchedit.errors import DirectionError
from stitchedit.mobilestylegan import MobileStyleGAN
from stitchedit.models.generator import Generator, draw
from stitchedit.stylegan2 import StyleGAN2
from stitchedit.types import Latents

W = 8


@pytest.fixture(scope="module", params=["stylegan2", "mobilestylegan"])
def generator(request: pytest.FixtureRequest) -> Generator:
    torch.manual_seed(0)
    found: Generator
    if request.param == "stylegan2":
        found = StyleGAN2(
            made_for="x",
            z_dim=W,
            w_dim=W,
            img_resolution=64,
            mapping_layers=2,
            channels={r: 8 for r in (4, 8, 16, 32, 64)},
        )
    else:
        heads = {16: "narrow", 32: "deep", 64: "styled"}
        found = MobileStyleGAN("x", z_dim=W, w_dim=W, mapping_layers=2, channels=(16, 16, 12, 8), heads=heads)
    return found.eval()


def latents(generator: Generator, rows: int = 1) -> Latents:
    return Latents(numbers(3, rows, W))


@dataclass
class Bare:
    made_for: str = "x"
    num_ws: int = 10
    w_dim: int = W


def test_a_channel_is_moved_by_its_deviation(generator: Generator) -> None:
    opened = style_space(generator, "x")
    widths = [n for _, n in opened.style_layers()]
    moved = edit(latents(generator), [("s:2:3", 2.0)], generator)
    np.testing.assert_array_equal(moved.ws, latents(generator).ws)
    assert moved.offsets is not None
    at = sum(widths[:2]) + 3
    assert moved.offsets.shape == (1, sum(widths))
    assert np.flatnonzero(moved.offsets[0]).tolist() == [at]
    assert moved.offsets[0, at] == pytest.approx(2 * np.concatenate(own_statistics(opened).deviations)[at], rel=1e-5)


def test_the_offset_reaches_the_style_and_the_picture(generator: Generator) -> None:
    """What is drawn with an offset is what `from_styles` draws of moved styles, at every exit and in a window."""
    ws = torch.from_numpy(latents(generator).ws)
    offset = torch.from_numpy(numbers(1, lengths(style_space(generator, "x"))[0]))
    for size in generator.exits:
        styles = style_space(generator, "x").styles(ws, resolution=size)
        at = 0
        for index, (_, width) in enumerate(style_space(generator, "x").style_layers(size)):
            styles[index] = styles[index] + offset[:, at : at + width]
            at += width
        wanted = style_space(generator, "x").from_styles(styles, resolution=size)
        torch.testing.assert_close(draw(generator, ws, offset, resolution=size), wanted)
        plain = generator.synthesis(ws, resolution=size)
        assert not torch.allclose(wanted, plain, atol=1e-3)
        torch.testing.assert_close(draw(generator, ws, 0 * offset, resolution=size), plain)
        if isinstance(generator, MobileStyleGAN):
            part = draw(generator, ws, offset, resolution=size, window=(4, 6, 12, 16))
            torch.testing.assert_close(part, wanted[..., 4:12, 6:16], rtol=1e-4, atol=1e-4)


def test_keyframes_and_codes_go_together(generator: Generator) -> None:
    both = [("s:2:3", np.array([0.0, 1.0, 2.0])), (Direction(vector=numbers(W)), 1.0), ("s:0:1", 1.0)]
    moved = edit(latents(generator), both, generator)
    assert moved.offsets is not None
    assert moved.offsets.shape[0] == 3
    column = int(np.flatnonzero(moved.offsets[2] - moved.offsets[0])[0])
    np.testing.assert_allclose(moved.offsets[:, column], [0, moved.offsets[1, column], 2 * moved.offsets[1, column]])
    np.testing.assert_allclose(moved.ws, latents(generator).ws + numbers(W), atol=1e-6)
    assert moved.offset(2) is not None


def test_a_list_of_channels_with_statistics_of_a_file(tmp_path: Path, generator: Generator) -> None:
    widths = [n for _, n in style_space(generator, "x").style_layers()]
    (tmp_path / "S_mean_std").write_bytes(statistics(tuple(widths)))
    (tmp_path / "two.toml").write_text(
        'name = "two"\nmade_for = "x"\nunit = "a bit"\nchannels = [[2, 3], [3, 1, -0.5]]\nstatistics = "S_mean_std"\n'
    )
    direction = load_direction(find_direction(tmp_path / "two.toml"))
    assert direction.space == "S"
    sd = np.concatenate([np.abs(numbers(n, seed=k)) + 0.5 for k, n in enumerate(widths)])
    offset = load_offset(direction, generator)
    first, second = sum(widths[:2]) + 3, sum(widths[:3]) + 1
    assert np.flatnonzero(offset).tolist() == [first, second]
    np.testing.assert_allclose(offset[[first, second]], [sd[first], -0.5 * sd[second]], rtol=1e-6)
    (tmp_path / "S_mean_std").write_bytes(statistics((3, 4)))
    with pytest.raises(DirectionError, match=r"statistics of .* 2 layers"):
        load_offset(find_direction(tmp_path / "two.toml"), generator)


def test_a_vector_of_the_convolutions_alone_leaves_rgb(generator: Generator) -> None:
    """As StyleCLIP's do; golden: tests/golden/stit_style_input.npz in tests/parity."""
    opened = style_space(generator, "x")
    total, convolutions = lengths(opened)
    if isinstance(generator, MobileStyleGAN):
        assert total == convolutions
    vector = numbers(convolutions)
    offset, taken = offset_of_vector(vector, opened, "v"), 0
    for (name, width), part in zip(
        opened.style_layers(), np.split(offset, np.cumsum([n for _, n in opened.style_layers()])), strict=False
    ):
        if name.endswith("torgb"):
            assert not part.any()
        else:
            np.testing.assert_array_equal(part, vector[taken : taken + width])
            taken += width
    assert taken == convolutions


def test_a_bare_file_of_all_channels_is_known_by_its_length(tmp_path: Path, generator: Generator) -> None:
    total, _ = lengths(style_space(generator, "x"))
    np.save(tmp_path / "s.npy", numbers(total))
    moved = edit(latents(generator), [(tmp_path / "s.npy", 2.0)], generator)
    np.testing.assert_allclose(moved.offsets, 2 * numbers(total)[None], rtol=1e-6)
    np.save(tmp_path / "s.npy", numbers(total + 1))
    with pytest.raises(DirectionError):
        edit(latents(generator), [(tmp_path / "s.npy", 2.0)], generator)


@pytest.mark.parametrize(
    ("name", "message"), [("s:99:0", "names layer 99 .*"), ("s:2:999", "names channel 999 of layer 2")]
)
def test_channels_that_are_not_there(generator: Generator, name: str, message: str) -> None:
    with pytest.raises(DirectionError, match=message):
        edit(latents(generator), [(name, 1.0)], generator)


def test_a_generator_without_a_style_space() -> None:
    with pytest.raises(DirectionError, match="an edit in StyleSpace, which this generator does not open"):
        edit(Latents(numbers(3, 1, W)), [("s:2:3", 1.0)], Bare())


def test_a_layer_beyond_the_picture_is_refused(generator: Generator) -> None:
    last = len(style_space(generator, "x").style_layers()) - 1
    moved = edit(latents(generator), [(f"s:{last}:0", 1.0)], generator)
    assert moved.offsets is not None
    require_drawn(moved.offsets, style_space(generator, "x"), 64, "it")
    if len(generator.exits) > 1:
        with pytest.raises(DirectionError, match=f"a picture of {generator.exits[0]} px does not have"):
            require_drawn(moved.offsets, style_space(generator, "x"), generator.exits[0], "it")


def test_components_by_number_and_rows(tmp_path: Path) -> None:
    path, stored = tmp_path / "pca.pt", ganspace()
    path.write_bytes(torch_file(stored))
    direction = find_direction(f"{path}#2:0:4")
    assert (direction.label, direction.layers) == ("pca-2", (0, 4))
    step = load_step(direction, Latents(numbers(1, 1, W)), Bare())
    along = (stored["std"][2] * stored["comp"][2, 0]).numpy()
    np.testing.assert_allclose(step[:4], np.repeat(along[None], 4, 0), rtol=1e-6)
    assert not step[4:].any()
    with pytest.raises(DirectionError, match="5 GANSpace components") as caught:
        load_direction(find_direction(path))
    assert "pca.pt#10:0:8" in caught.value.hint
    with pytest.raises(DirectionError, match="components 0 to 4, not 9"):
        load_direction(find_direction(f"{path}#9"))


def test_an_absolute_component_is_what_e4e_does(tmp_path: Path) -> None:
    """delta = (strength - <w0 - mean, comp> / std) * comp * std on rows first to last, of one picture."""
    stored = ganspace()
    (tmp_path / "pca.pt").write_bytes(torch_file(stored))
    (tmp_path / "x.toml").write_text(
        'name = "x"\nmade_for = "x"\nunit = "SD"\nspace = "W+"\nfile = "pca.pt"\n'
        "component = 1\nabsolute = true\nlayers = [2, 5]\n"
    )
    code = numbers(1, 10, W, seed=4)
    moved = edit(Latents(code), [(find_direction(tmp_path / "x.toml"), 7.0)], Bare()).ws
    comp, sd, mean = stored["comp"][1, 0].numpy(), float(stored["std"][1]), stored["mean"][0].numpy()
    wanted = code.copy()
    wanted[0, 2:5] += (7 - (code[0, 0] - mean) @ comp / sd) * comp * sd
    np.testing.assert_allclose(moved, wanted, atol=1e-5)


def test_networks_move_each_frame_by_its_own_step(tmp_path: Path) -> None:
    path, codes = tmp_path / "net.pt", Latents(numbers(3, 1, W))
    for state in ({"state_dict": {**mapper(), **decoder(10)}}, transformer()):
        path.write_bytes(torch_file(state))
        direction = load_direction(find_direction(path))
        moved = edit(codes, [(direction, 2.0)], Bare()).ws
        step = direction.content.step(np.repeat(codes.ws, 10, axis=1))
        np.testing.assert_allclose(moved, codes.ws + 2 * step, rtol=1e-5, atol=1e-5)
        assert not np.allclose(step[0], step[1]), "the step depends on the code"
        np.testing.assert_array_equal(edit(codes, [(direction, 0.0)], Bare()).ws, np.repeat(codes.ws, 10, axis=1))


@pytest.mark.parametrize("rows", [16, 18])
def test_a_network_for_another_generator(tmp_path: Path, rows: int) -> None:
    path, codes = tmp_path / "net.pt", Latents(numbers(3, 1, W))
    for state in ({"state_dict": {**mapper(), **decoder(rows)}}, transformer(rows), mapper((), 6)):
        path.write_bytes(torch_file(state))
        with pytest.raises(DirectionError, match=r"rows of \d") as caught:
            edit(codes, [(path, 1.0)], Bare())
        assert "10 rows of 8" in caught.value.hint


def test_files_that_are_no_edit_by_themselves(tmp_path: Path) -> None:
    (tmp_path / "S_mean_std").write_bytes(statistics())
    with pytest.raises(DirectionError, match="StyleSpace statistics"):
        load_direction(find_direction(tmp_path / "S_mean_std"))
    (tmp_path / "fs3.npy").write_bytes(npy(numbers(200, 32)))
    with pytest.raises(DirectionError, match="StyleCLIP table of 200 channels") as caught:
        load_direction(find_direction(tmp_path / "fs3.npy"))
    assert "--from" in caught.value.hint
    np.save(tmp_path / "w.npy", numbers(W))
    with pytest.raises(DirectionError, match="no components"):
        load_direction(find_direction(f"{tmp_path / 'w.npy'}#1"))


@pytest.mark.parametrize(
    "more",
    [
        "channels = [[6]]",
        'channels = [["a", 1]]',
        "channels = 3",
        "channels = [[1, 2, 1e9]]",
        "channels = [[-1, 2]]",
        'channels = [[1, 2]]\nfile = "x.npy"',
        'channels = [[1, 2]]\nstatistics = "../x"',
        "space = 'W'",
    ],
)
def test_a_broken_list_is_refused(tmp_path: Path, more: str) -> None:
    (tmp_path / "a.toml").write_text(f'name = "a"\nmade_for = "x"\nunit = "a bit"\n{more}\n')
    with pytest.raises(DirectionError):
        read_direction(tmp_path / "a.toml")


def test_a_list_is_written_as_it_is_read(tmp_path: Path) -> None:
    import tomli_w

    (tmp_path / "a.toml").write_text('name = "a"\nmade_for = "x"\nunit = "a bit"\nchannels = [[1, 2], [3, 4, -2.5]]\n')
    direction = read_direction(tmp_path / "a.toml")
    assert direction.channels == ((1, 2, 1.0), (3, 4, -2.5))
    (tmp_path / "b.toml").write_text(tomli_w.dumps(direction.as_toml()))
    assert read_direction(tmp_path / "b.toml") == direction
