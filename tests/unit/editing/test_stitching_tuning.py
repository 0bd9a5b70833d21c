import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import crops_of

from stitchedit.config import StitchConfig
from stitchedit.editing import stitching_tuning
from stitchedit.editing.stitching_border import interior
from stitchedit.editing.stitching_tuning import Chain, acting_window, meet, prepare_meeting, stitch, stitch_frame
from stitchedit.image.arrays import to_bytes
from stitchedit.inversion.crop_batches import Batches
from stitchedit.masks.stitching_masks import RingMasks
from stitchedit.mobilestylegan import MobileStyleGAN
from stitchedit.models.generator import draw, part_of
from stitchedit.stylegan2 import StyleGAN2
from stitchedit.types import ByteArray, Crops, EditedLatents, FloatArray

RING = np.ones((128, 128), np.float32)
RING[16:-16, 16:-16] = 0
MASKS = RingMasks(RING, 1 - RING)
CONFIG = StitchConfig(steps=8, first_steps=25, lr=2e-3, border_threshold=0.01, held_px=0)


def codes(generator: StyleGAN2) -> EditedLatents:
    torch.manual_seed(3)
    with torch.no_grad():
        base, step = generator.mapping(torch.randn(2, 16))[:, :1].numpy()
    return EditedLatents(np.stack([base + 0.02 * k * (step - base) for k in range(5)]).astype(np.float32))


def targets(generator: StyleGAN2, edited: EditedLatents) -> Crops:
    """What the generator draws, a little brighter: the border must follow."""
    with torch.no_grad():
        images = generator.synthesis(torch.from_numpy(edited.ws))
    stack = [to_bytes(image * 0.8 + 0.1) for image in images]
    return crops_of(stack)


def test_the_border_meets_the_source_and_neighbours_need_fewer_steps(tiny_generator: StyleGAN2) -> None:
    edited = codes(tiny_generator)
    crops = targets(tiny_generator, edited)
    before = copy.deepcopy(tiny_generator.state_dict())
    done = list(
        stitch(Chain(tiny_generator, CONFIG), tiny_generator, edited, Batches(crops), lambda i, edited: MASKS, size=128)
    )
    assert [d.index for d in done] == list(range(5))
    fresh = Chain(tiny_generator, CONFIG)
    start = []
    for k in range(5):
        with torch.no_grad():
            image = fresh.generator.synthesis(torch.from_numpy(edited.ws[k : k + 1]))
        ring = torch.from_numpy(RING)[None, None]
        start.append((((image - Batches(crops).images([k], 128)) * ring).square().sum() / ring.sum()).item())
    assert all(d.border_loss < 0.3 * s for d, s in zip(done, start, strict=True))
    assert max(d.steps for d in done[1:]) < done[0].steps
    assert all(d.image.shape == (128, 128, 3) and d.image.dtype == np.uint8 for d in done)
    for name, value in tiny_generator.state_dict().items():
        assert torch.equal(value, before[name]), "the tuned generator itself must stay as it is"


def test_a_chain_taken_up_in_the_middle_goes_on_bit_for_bit(tiny_generator: StyleGAN2) -> None:
    edited = codes(tiny_generator)
    batches = Batches(targets(tiny_generator, edited))
    chain, whole, state = Chain(tiny_generator, CONFIG), [], {}
    for crop in stitch(chain, tiny_generator, edited, batches, lambda i, edited: MASKS, size=128):
        whole.append(crop.image)
        if crop.index == 1:
            state = {k: v.clone() for k, v in chain.state().items()}
    again = Chain(tiny_generator, CONFIG)
    again.resume(state)
    rest = [c.image for c in stitch(again, tiny_generator, edited, batches, lambda i, edited: MASKS, size=128)]
    assert len(rest) == 3
    for a, b in zip(whole[2:], rest, strict=True):
        np.testing.assert_array_equal(a, b)


def test_well_inside_the_edited_picture_itself_is_taken(tiny_generator: StyleGAN2) -> None:
    edited = codes(tiny_generator)
    batches = Batches(targets(tiny_generator, edited))
    for crop in stitch(
        Chain(tiny_generator, CONFIG), tiny_generator, edited, batches, lambda i, edited: MASKS, size=128
    ):
        with torch.no_grad():
            plain = to_bytes(tiny_generator.synthesis(torch.from_numpy(edited.ws[crop.index : crop.index + 1]))[0])
        np.testing.assert_array_equal(crop.image[48:-48, 48:-48], plain[48:-48, 48:-48])


def test_only_the_part_that_the_losses_look_at_is_drawn_and_it_comes_out_alike() -> None:
    """By a generator that draws windows; beyond it the source is left as it is."""
    torch.manual_seed(5)
    generator = MobileStyleGAN("test-64", 8, 8, 2, channels=(16, 16, 12, 8), heads={64: "styled"})
    w = torch.randn(1, 8, 8) * 0.3
    full, face = np.zeros((2, 64, 64), np.float32)
    full[20:50, 10:40], face[24:46, 14:36] = 1, 1
    ring = RingMasks(full - face, face)
    masks = [torch.from_numpy(mask)[None, None] for mask in (ring.border, ring.content)]
    window = acting_window(*masks)
    assert window == (18, 8, 52, 42)
    assert acting_window(*(torch.from_numpy(mask)[None, None] for mask in (MASKS.border, MASKS.content))) is None
    with torch.no_grad():
        content = generator.synthesis(w)
    source = content * 0.8
    config = replace(CONFIG, border_threshold=0)
    whole, curve = stitch_frame(Chain(generator, config), w, source, content, *masks, steps=3)
    cut = [part_of(picture, window) for picture in (source, content, *masks)]
    part, same = stitch_frame(Chain(generator, config), w, *cut, window=window, steps=3)
    torch.testing.assert_close(torch.tensor(same), torch.tensor(curve), rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(part, part_of(whole, window), rtol=1e-2, atol=1e-2)

    crops = crops_of([to_bytes(source[0])])
    (done,) = stitch(
        Chain(generator, config), generator, EditedLatents(w.numpy()), Batches(crops), lambda *_: ring, size=64
    )
    outside = np.ones((64, 64), bool)
    outside[16:54, 6:44] = False  # the membrane reaches a little further
    assert np.array_equal(done.image[outside], crops.images[0][outside])


def test_tuned_at_a_lower_exit_the_border_is_the_source_to_its_finest_detail(tiny_generator: StyleGAN2) -> None:
    """What the exit cannot show is the source's at the border and the edited picture's inside."""
    edited = codes(tiny_generator)
    w = torch.from_numpy(edited.ws[:1])
    with torch.no_grad():
        content = tiny_generator.synthesis(w)
    grain = 0.2 * torch.randn(1, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    source, inside = content * 0.8 + 0.1 + grain, interior(MASKS.content, 8.0)
    chain = Chain(tiny_generator, replace(CONFIG, size=64, border_threshold=0.0))
    image, curve = meet(chain, prepare_meeting(tiny_generator, chain.config, w, source, content, MASKS, inside), 8)
    assert curve[-1][1] < 0.3 * curve[0][1]
    ring = torch.from_numpy(RING) > 0
    left, before = ((picture - source)[..., ring].square().mean() for picture in (image, content))
    assert left < 0.2 * before
    assert left < 0.4 * grain.square().mean()  # a quarter of the grain is coarse enough for the exit to show
    moved = image - content
    finest = (moved[..., 1:, 1:] - moved[..., :-1, :-1])[..., torch.from_numpy(inside == 1)[1:, 1:]]
    assert finest.std() < 0.3 * (grain[..., 1:, 1:] - grain[..., :-1, :-1]).std()


def test_layers_of_few_pixels_are_held_and_not_kept_in_a_checkpoint(tiny_generator: StyleGAN2) -> None:
    edited = codes(tiny_generator)
    chain = Chain(tiny_generator, replace(CONFIG, held_px=16, border_threshold=0.0))
    before = {name: parameter.clone() for name, parameter in chain.generator.named_parameters()}
    crops = stitch(chain, tiny_generator, edited, Batches(targets(tiny_generator, edited)), lambda *_: MASKS, size=128)
    next(crops)
    moved = {name for name, parameter in chain.generator.named_parameters() if not torch.equal(parameter, before[name])}
    assert {tiny_generator.layer_px(name) for name in moved} == {32, 64, 128}
    assert {name for name, _ in chain.named} >= moved
    assert {name.removeprefix("parameter.") for name in chain.state()} & before.keys() == {
        name for name, _ in chain.named
    }


def test_what_is_made_ready_beside_the_chain_gives_the_same_crops(
    tiny_generator: StyleGAN2, monkeypatch: pytest.MonkeyPatch
) -> None:
    edited = codes(tiny_generator)
    batches = Batches(targets(tiny_generator, edited))

    def done() -> list[ByteArray]:
        chain = Chain(tiny_generator, CONFIG)
        return [crop.image for crop in stitch(chain, tiny_generator, edited, batches, lambda *_: MASKS, size=128)]

    beside = done()
    monkeypatch.setattr(stitching_tuning, "side_by_side", lambda work, items, ahead: map(work, items))
    assert all(np.array_equal(a, b) for a, b in zip(beside, done(), strict=True))


def test_a_fresh_start_a_frame_forgets_the_frames_before(tiny_generator: StyleGAN2) -> None:
    config = replace(CONFIG, fresh=True, interior=False, first_steps=8, border_threshold=0.0)
    edited = codes(tiny_generator)
    crops = targets(tiny_generator, edited)
    whole = list(
        stitch(Chain(tiny_generator, config), tiny_generator, edited, Batches(crops), lambda i, edited: MASKS, size=128)
    )
    last = EditedLatents(edited.ws[4:])
    alone = Batches(crops_of([crops.images[4]]))
    (again,) = stitch(Chain(tiny_generator, config), tiny_generator, last, alone, lambda i, edited: MASKS, size=128)
    np.testing.assert_array_equal(whole[4].image, again.image)
    assert [d.steps for d in whole] == [8] * 5


def test_the_picture_meets_the_source_without_a_step_where_steps_are_few(tiny_generator: StyleGAN2) -> None:
    edited = codes(tiny_generator)
    batches = Batches(targets(tiny_generator, edited))
    gaps = []
    for on in (False, True):
        config = replace(CONFIG, first_steps=1, steps=0, membrane=on)
        crops = stitch(Chain(tiny_generator, config), tiny_generator, edited, batches, lambda i, _: MASKS, size=128)
        pairs = [(crop.image.astype(float), batches.crops.images[crop.index].astype(float)) for crop in crops]
        gaps.append([np.abs((picture - source)[RING > 0].mean(0)).max() for picture, source in pairs])
    assert max(gaps[1]) < 0.2 * min(gaps[0])


def test_what_the_generator_lacks_is_added_and_the_border_meets_the_source_with_it(
    tiny_generator: StyleGAN2,
) -> None:
    edited = codes(tiny_generator)
    with torch.no_grad():
        drawn = tiny_generator.synthesis(torch.from_numpy(edited.ws))
    added = 0.2 * torch.sign(torch.randn(drawn.shape, generator=torch.Generator().manual_seed(0)))
    batches = Batches(crops_of([to_bytes(image) for image in (drawn + added).clamp(-1, 1)]))

    def detail(index: int, content: torch.Tensor, inside: FloatArray) -> torch.Tensor:
        np.testing.assert_array_equal(inside, interior(MASKS.content, 50 / 8))
        torch.testing.assert_close(content, drawn[index : index + 1], atol=1e-4, rtol=0)
        return batches.images([index], 128) - content

    chain = Chain(tiny_generator, CONFIG)
    for crop in stitch(chain, tiny_generator, edited, batches, lambda i, edited: MASKS, size=128, detail=detail):
        assert crop.steps == 0, "with it the border meets the source from the start"
        off = np.abs(crop.image.astype(float) - batches.crops.images[crop.index])
        assert off.mean() < 1


def test_an_offset_of_the_styles_is_drawn_and_stitched(tiny_generator: StyleGAN2) -> None:
    """Of each frame its own; the border meets the source as without."""
    edited = codes(tiny_generator)
    crops = targets(tiny_generator, edited)
    total = sum(channels for _, channels in tiny_generator.style_layers())
    offsets = np.zeros((5, total), np.float32)
    offsets[:, 40] = np.linspace(0, 8, 5)
    moved = EditedLatents(edited.ws, offsets=offsets)
    chain = Chain(tiny_generator, replace(CONFIG, membrane=False, steps=2, first_steps=6))
    done = list(stitch(chain, tiny_generator, moved, Batches(crops), lambda i, edited: MASKS, size=128))
    for k in (0, 4):
        with torch.no_grad():
            wanted = draw(tiny_generator, torch.from_numpy(edited.ws[k : k + 1]), torch.from_numpy(offsets[k : k + 1]))
        inside = np.s_[56:72, 56:72]
        np.testing.assert_array_equal(done[k].image[inside], to_bytes(wanted[0])[inside])
    plain = to_bytes(draw(tiny_generator, torch.from_numpy(edited.ws[4:]))[0].detach())
    assert (done[4].image[inside] != plain[inside]).any()
