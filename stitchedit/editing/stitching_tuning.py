"""EditedLatents -> stitched crops: the edited face is made to meet the source at the border of the mask.

Each frame tunes a copy of the generator a little further: the border ring shall equal the source crop, the face
inside shall stay the edited one. A frame starts from its neighbour's result, which is nearly right already, and stops
as soon as its border is good enough. It is done at a lower exit, for a fraction of the cost: what it moves there is
added to the edited picture, and what is finer is faded from one to the other. Well inside, the edited picture itself is
taken.
Source: stitching tuning, Tzaban et al. 2022, arXiv:2201.08361, which starts every frame anew and takes 100 steps.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from stitchedit.config import REFERENCE_PX, StitchConfig
from stitchedit.editing.stitching_border import interior, membrane, where_it_left
from stitchedit.image.arrays import require_picture, shrink, to_bytes
from stitchedit.inversion.crop_batches import Batches
from stitchedit.masks.stitching_masks import RingMasks
from stitchedit.models.generator import DrawsWindows, Generator, Window, draw, lowest_exit, part_of
from stitchedit.models.optimizer_state import adam_state, restore_adam
from stitchedit.models.recorded import Recorded
from stitchedit.parallel import side_by_side
from stitchedit.types import ByteArray, EditedLatents, FloatArray

State = dict[str, Tensor]
WINDOW_MARGIN = 32  # of the crop's side: far enough for the membrane to see no edge
WINDOW_PAYS = 0.85  # of the picture, up to which


@dataclass(frozen=True, slots=True)
class StitchedCrop:
    """One frame's result."""

    index: int  # which crop
    image: ByteArray  # [S, S, 3] RGB
    steps: int  # optimiser steps it took
    border_loss: float  # of the image itself, as `masked_l2`


Masks = Callable[[int, ByteArray], RingMasks]  # of the crop with this index, edited as this picture [S, S, 3]
# (index, the edited drawing [1, 3, S, S], how far inside [S, S], see `interior`) -> what is to be added to the drawing
Detail = Callable[[int, Tensor, FloatArray], Tensor]


class Chain:
    """A generator that goes from frame to frame, with its optimiser."""

    def __init__(self, generator: Generator, config: StitchConfig) -> None:
        self.generator = copy.deepcopy(generator)
        self.config = config
        self.named = []  # what is tuned
        for name, parameter in self.generator.named_parameters():
            if name.startswith("mapping") or generator.layer_px(name) <= config.held_px:
                parameter.requires_grad_(False)
            else:
                self.named.append((name, parameter))
        self.optimizer = torch.optim.Adam([p for _, p in self.named], lr=config.lr, fused=True)
        self.start = [p.detach().clone() for _, p in self.named]
        self.done = 0  # frames
        self._recorded: dict[int | None, Recorded] = {}  # by size

    def losses_and_picture(
        self,
        size: int | None,
        w: Tensor,
        source: Tensor,
        content: Tensor,
        border_mask: Tensor,
        content_mask: Tensor,
        offset: Tensor | None = None,
        window: Window | None = None,
    ) -> tuple[Tensor, Tensor]:
        """[3]: total, border and content loss of a frame, see `stitch_frame`; and its picture."""
        masked = LOSSES[self.config.norm]
        image = draw(self.generator, w, offset, resolution=size, window=window)
        border = masked(image, source, border_mask)
        inside = masked(image, content, content_mask)
        return torch.stack([border + self.config.content_weight * inside, border, inside]), image

    def recorded(self, size: int | None) -> Recorded:
        """The same with the gradients of the first loss, on a GPU."""
        if size not in self._recorded:
            work = partial(self.losses_and_picture, size)
            self._recorded[size] = Recorded(work, [p for _, p in self.named if p.requires_grad])
        return self._recorded[size]

    def pull_back(self) -> None:
        """Move a part of the way to the tuned generator, so that what one frame needed does not pile up.

        All of it, where each frame is to start afresh; the optimiser then forgets as well.
        """
        if self.config.fresh:
            self.optimizer.state.clear()
        part = 1.0 if self.config.fresh else self.config.pull_back
        with torch.no_grad():
            for (_, parameter), start in zip(self.named, self.start, strict=True):
                parameter.lerp_(start, part)

    def state(self) -> State:
        """Everything needed to go on after `done` frames, exactly."""
        state = {f"parameter.{n}": p.detach() for n, p in self.named}
        state |= adam_state(self.optimizer, self.named)
        state["done"] = torch.tensor([self.done])
        return state

    def resume(self, state: Mapping[str, Tensor]) -> None:
        with torch.no_grad():
            for name, parameter in self.named:
                parameter.copy_(state[f"parameter.{name}"])
        restore_adam(self.optimizer, self.named, state)
        self.done = int(state["done"].item())


def stitch_frame(
    chain: Chain,
    w: Tensor,
    source: Tensor,
    content: Tensor,
    border_mask: Tensor,
    content_mask: Tensor,
    *,
    offset: Tensor | None = None,
    size: int | None = None,
    window: Window | None = None,
    steps: int,
) -> tuple[Tensor, list[tuple[float, float, float]]]:
    """Tune the chain's generator on one frame.

    Convention: images [1, 3, S, S] RGB in [-1, 1], masks [1, 1, S, S] in [0, 1]; of a window, where one is given.

    Args:
        w: the edited code, [1, L, w_dim]; offset: what is added to its styles, [1, S].
        size: of the generator's exit; window: the part of its picture that all are of.
        source: what the border shall be; content: what the inside shall stay.
        steps: at most so many; fewer when the border loss falls below `config.border_threshold` before a step.
    Returns: the image after the last step, and the (total, border, content) losses of every forward pass.
    """
    config = chain.config
    curve = []
    for step in range(steps + 1):
        last = step == steps
        chain.optimizer.zero_grad()
        if w.is_cuda:
            given = (w, source, content, border_mask, content_mask)
            losses, image = chain.recorded(size)(*given, *(() if offset is None else (offset,)))
        else:
            with torch.set_grad_enabled(not last):
                losses, image = chain.losses_and_picture(
                    size, w, source, content, border_mask, content_mask, offset, window
                )
        loss, border, inside = losses.tolist()
        curve.append((loss, border, inside))
        if last or border < config.border_threshold:
            break
        if not w.is_cuda:
            losses[0].backward()  # type: ignore[no-untyped-call]
        chain.optimizer.step()
    return image.detach().clone(), curve


def stitch(
    chain: Chain,
    generator: Generator,
    edited: EditedLatents,
    batches: Batches,
    masks: Masks,
    *,
    size: int,
    detail: Detail | None = None,
    drawn: Callable[[int], Tensor] | None = None,
) -> Iterator[StitchedCrop]:
    """The edited clip, crop by crop, from crop `chain.done` on.

    Args:
        chain: starts as a copy of `generator`, the tuned one; is moved along.
        masks: gives a crop's border and content masks; may look at the edited picture.
        detail: what the generator lacks and gets added to its picture in the end (`editing.residual_transfer`). The
            border is then tuned to meet the source without it.
        drawn: the edited picture of a crop, [1, 3, S, S]; None: what `generator` draws of the codes.
    """
    width = chain.config.border_px * size / REFERENCE_PX
    prepare = _Clip(generator, chain.config, edited, batches, masks, size, width, detail, drawn).ready
    left = range(chain.done, len(batches))
    # Threads make ready what does not depend on the chain while that moves: one, where that is on the processor too.
    # On a GPU the first frame comes alone: its steps are recorded, and nothing else may allocate meanwhile.
    ahead = side_by_side(prepare, left, 1)
    if generator.w_avg.is_cuda:
        ahead = itertools.chain(map(prepare, left[:1]), side_by_side(prepare, left[1:]))
    for index, ready in zip(left, ahead, strict=True):
        steps = chain.config.first_steps if index == 0 else chain.config.steps
        image, curve = meet(chain, ready.meeting, steps)
        chain.done = index + 1
        chain.pull_back()
        if chain.config.interior:
            # Far from the border the edited picture needs no stitching, and stitching costs it sharpness.
            image = torch.lerp(image, ready.meeting.content, ready.meeting.inside)
        image = (image + ready.added)[0]
        if chain.config.membrane:
            there, here = (picture.permute(1, 2, 0).cpu().numpy() for picture in (ready.source[0], image))
            smooth = membrane(there - here, there, ready.ring.content, ready.meeting.inside.cpu().numpy(), width)
            image = image + torch.from_numpy(smooth).permute(2, 0, 1).to(image.device)
        yield StitchedCrop(index, to_bytes(image), len(curve) - 1, curve[-1][1])


@dataclass(frozen=True, slots=True)
class _Ready:
    """What stitching needs of a crop."""

    meeting: Meeting
    source: Tensor  # [1, 3, S, S], with what `where_it_left` adds
    ring: RingMasks
    added: Tensor  # [1, 3, S, S], the detail


@dataclass(frozen=True, slots=True)
class _Clip:
    """The arguments of `stitch` that are not of the chain."""

    generator: Generator
    config: StitchConfig
    edited: EditedLatents
    batches: Batches
    masks: Masks
    size: int
    width: float  # of the ring, pixels
    detail: Detail | None
    drawn: Callable[[int], Tensor] | None

    def ready(self, index: int) -> _Ready:
        """All of a crop that does not depend on what was stitched before."""
        device, moved = self.generator.w_avg.device, self.edited.offset(index)
        w = torch.from_numpy(self.edited.ws[index : index + 1]).to(device)
        offset = None if moved is None else torch.from_numpy(moved).to(device)
        with torch.no_grad():
            picture = self.drawn(index).clone() if self.drawn else draw(self.generator, w, offset, resolution=self.size)
            content = require_picture(picture)
        ring = self.masks(index, to_bytes(content[0]))
        inside = interior(ring.content, self.width, ring.edge)
        source = self.batches.images([index], self.size)
        if ring.left is not None and ring.left.any():
            source = source + where_it_left(source, content, ring, self.width)
        added = self.detail(index, content, inside) if self.detail else torch.zeros_like(content)
        meeting = prepare_meeting(self.generator, self.config, w, source - added, content, ring, inside, offset)
        return _Ready(meeting, source, ring, added)


@dataclass(frozen=True, slots=True)
class Meeting:
    """A frame whose border is to meet the source, as the exit shows it where that is done."""

    w: Tensor  # the edited code, [1, L, w_dim]
    offset: Tensor | None  # what is added to its styles, [1, S]
    content: Tensor  # the edited drawing, [1, 3, S, S]
    apart: Tensor  # [1, 3, S, S], the source less that
    inside: Tensor  # [S, S], see `interior`
    window: Window | None  # of the exit, what the losses look at; None: all of it
    own: Tensor  # what the tuned generator draws of the code, [1, 3, h, w] of the window
    gap: Tensor  # [1, 3, E, E], `apart` at the exit's size
    masks: tuple[Tensor, Tensor]  # border and content, [1, 1, h, w] of the window


def prepare_meeting(
    generator: Generator,
    config: StitchConfig,
    w: Tensor,
    source: Tensor,
    content: Tensor,
    ring: RingMasks,
    inside: FloatArray,
    offset: Tensor | None = None,
) -> Meeting:
    """All of a meeting that does not depend on the chain.

    Args:
        w: the edited code, [1, L, w_dim]; offset: what is added to its styles, [1, S]; content: what the tuned
            `generator` draws of them, [1, 3, S, S]; source: what its border shall be.
        inside: [S, S], see `interior`.
    """
    size, apart = content.shape[-1], source - content
    at = stitching_exit(generator, config, size)
    gap = shrink(apart, at)
    whole = (torch.from_numpy(mask)[None, None].to(content) for mask in (ring.border, ring.content))
    border, within = (shrink(mask, at) for mask in whole)
    parts = isinstance(generator, DrawsWindows) and not content.is_cuda  # there a pass is recorded as a whole
    window = acting_window(border, within) if parts else None
    if at == size:
        own = part_of(content, window)
    else:
        with torch.no_grad():
            own = draw(generator, w, offset, resolution=at, window=window)
    masks = part_of(border, window), part_of(within, window)
    return Meeting(w, offset, content, apart, torch.from_numpy(inside).to(content.device), window, own, gap, masks)


def meet(chain: Chain, meeting: Meeting, steps: int) -> tuple[Tensor, list[tuple[float, float, float]]]:
    """The content tuned to meet the source at its border, [1, 3, S, S], and the losses of `stitch_frame`.

    Beyond the window that the losses look at, where nothing of the edit is shown, it is the source.

    Args: steps: at most so many.
    """
    content, own, gap, window = meeting.content, meeting.own, meeting.gap, meeting.window
    at, size = gap.shape[-1], content.shape[-1]
    target = own + part_of(gap, window)
    part, curve = stitch_frame(
        chain, meeting.w, target, own, *meeting.masks, offset=meeting.offset, size=at, window=window, steps=steps
    )
    moved = gap.clone()
    part_of(moved, window).copy_(part - own)
    if at == size:
        return content + moved, curve
    finer = meeting.apart - _enlarged(gap, size)
    return content + _enlarged(moved, size) + (1 - meeting.inside) * finer, curve


def stitching_exit(generator: Generator, config: StitchConfig, size: int) -> int:
    """The lowest exit of at least `config.size` pixels, at most the crop's."""
    return lowest_exit(generator, min(config.size, size))


def _enlarged(picture: Tensor, size: int) -> Tensor:
    return F.interpolate(picture, size=(size, size), mode="bicubic", align_corners=False)


def acting_window(border: Tensor, content: Tensor) -> Window | None:
    """The part of the picture that the losses look at, and a little around it; None, where that is nearly all.

    Args: border, content: masks [1, 1, S, S].
    """
    seen = (border + content)[0, 0].cpu().numpy() > 0
    size, window = len(seen), []
    for axis in (1, 0):  # rows, then columns
        (places,) = np.nonzero(seen.any(axis))
        low, high = (int(places[0]), int(places[-1]) + 1) if len(places) else (0, size)
        window += [max(0, low - size // WINDOW_MARGIN) // 2 * 2, min(size, (high + size // WINDOW_MARGIN + 1) // 2 * 2)]
    top, bottom, left, right = window
    return (top, left, bottom, right) if (bottom - top) * (right - left) < WINDOW_PAYS * size**2 else None


def masked_l2(image: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """Squared error over the pixels a mask selects: summed over channels, divided by the mask's sum.

    So it is three times the mean over channels. The mask multiplies before squaring, which matters for soft masks.
    Source: stitching tuning border loss, Tzaban et al. 2022, arXiv:2201.08361, as its code computes it.
    """
    return ((image - target) * mask).square().sum() / mask.sum()


def masked_l1(image: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """Absolute error, otherwise as `masked_l2`."""
    return ((image - target) * mask).abs().sum() / mask.sum()


LOSSES = {"l2": masked_l2, "l1": masked_l1}
