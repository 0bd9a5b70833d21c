"""A frame of the clip as the generator draws it while it is being tuned: to be looked at, the tuning is the same."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from stitchedit.image.arrays import to_bytes
from stitchedit.image.contact_sheet import contact_sheet
from stitchedit.inversion.pivotal_tuning import Watch
from stitchedit.models.generator import Generator, lowest_exit
from stitchedit.types import ByteArray, Crops

VIEW_PX = 256  # of the exit that is drawn, where the generator has it, and of a picture's side
EVERY = 4.0  # seconds between two pictures
PART = 0.05  # of the time, at most, that may go into drawing

Show = Callable[[ByteArray], object]  # takes uint8 RGB [H, W, 3]


def tuning_view(generator: Generator, crops: Crops, show: Show, *, every: float = EVERY) -> Watch:
    """What `tune` may call after each step: shows the middle crop beside how it is drawn now, with the steps done.

    Args:
        show: called with such a pair, at the first step and then every few seconds.
        every: seconds between two pictures; longer where drawing takes long.
    """
    index, following = len(crops.frames) // 2, 0.0
    size = lowest_exit(generator, min(VIEW_PX, crops.size))

    def watch(step: int, codes: Sequence[Tensor]) -> None:
        nonlocal following
        begun = time.monotonic()
        if begun < following:
            return
        with torch.no_grad():
            drawn = to_bytes(generator.synthesis(codes[index][None], resolution=size)[0])
        columns = ["source", f"after {step} {'step' if step == 1 else 'steps'}"]
        show(contact_sheet([[crops.images[index], drawn]], columns, [f"frame {crops.frames[index]}"], VIEW_PX))
        now = time.monotonic()
        following = now + max(every, (now - begun) / PART)

    return watch
