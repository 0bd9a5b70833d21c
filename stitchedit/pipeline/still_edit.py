"""Single frames of an edit, each by itself: what previews, sliders and the solver of strengths look at."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

from stitchedit.compositing.blenders import BLENDERS, Blender
from stitchedit.compositing.feathering import fade_widths
from stitchedit.compositing.paste import compose, shape_alpha
from stitchedit.config import EditConfig
from stitchedit.editing.edits import Edits, joint_fidelity, own_look
from stitchedit.image.arrays import require_picture, resize, to_bytes
from stitchedit.masks.region_shape import Shape
from stitchedit.masks.regions import still_shape
from stitchedit.parallel import side_by_side
from stitchedit.pipeline.source_detail import softened, source_detail
from stitchedit.types import ByteArray, EditedLatents, FloatArray
from stitchedit.video import Frame, paste

if TYPE_CHECKING:
    from stitchedit.pipeline.inversion import Inversion

_TINT, _TINTED = (40, 220, 120), 0.4  # RGB, and how much of it is seen


@dataclass(frozen=True, slots=True)
class StillEdit:
    """Draws single frames of an edit, each by itself: pasted, but neither stitched nor averaged over time."""

    tuned: Inversion  # keeps what does not depend on the edit
    inverted: Inversion  # with its generator as the edit wants it
    detail: Callable[[int, Tensor, FloatArray | None], Tensor]
    regions: tuple[str, ...]  # as `config.united` gives them
    blender: Blender

    def shape(self, index: int) -> Shape:
        """What may change of the crop with this index; the same for every edit."""
        crops, points = self.tuned.crops, self.tuned.points.points

        def made() -> Shape:
            return still_shape(self.regions, self._own(index, crops.size), points[index])

        return self.tuned.warm("shape", (index, self.regions), made)

    def draw(
        self, frame: Frame, index: int, versions: Sequence[EditedLatents], size: int | None = None
    ) -> list[ByteArray]:
        """A frame of the source with several edits: uint8 RGB [H, W, 3] for each.

        Args:
            index: of the frame among the crops.
            versions: the codes of the whole clip, once for each edit.
            size: pixels at which the change is drawn, one of the generator's exits; None: those of the crops, as always
                for edits in StyleSpace, which may act in the finest layers alone.
        Raises: EmptyMask; ConfigError, where the generator draws no picture any more.
        """
        if size is None or any(codes.offsets is not None for codes in versions):
            size = self.tuned.crops.size
        own, quad, shape = self._own(index, size), self.tuned.crops.quads[index], self.shape(index)
        put = partial(compose, frame.rgb_float, frame.size, blender=self.blender, own=own, frame=frame.index)
        pictures = []
        for codes in versions:
            drawn = require_picture(self.inverted.synthesized(index, codes, size))
            crop = to_bytes((drawn + self.detail(index, drawn, None))[0])
            fade = fade_widths([own], [crop], [shape], [])[0]
            pictures.append(paste(frame, *put(crop, quad, shape, fade=fade)).rgb())
        return pictures

    def draw_all(
        self, frames: Iterable[tuple[Frame, int]], versions: Sequence[EditedLatents], size: int | None = None
    ) -> Iterator[tuple[Frame, list[ByteArray]]]:
        """`draw` of several frames with their indices, in turn; some at a time, on all cores. Raises as that does."""

        def drawn(pair: tuple[Frame, int]) -> tuple[Frame, list[ByteArray]]:
            return pair[0], self.draw(*pair, versions, size)

        on_gpu = self.tuned.generator.w_avg.device.type != "cpu"
        return side_by_side(drawn, frames, 1 if on_gpu else None)

    def _own(self, index: int, size: int) -> ByteArray:
        return self.tuned.warm("crop", (index, size), lambda: resize(self.tuned.crops.images[index], size))


def still_edit(inverted: Inversion, edits: Edits, regions: tuple[str, ...], fidelity: float | None = None) -> StillEdit:
    """What draws frames of these edits: the generator as far from its tuning as they want it, the source's detail."""
    wanted = joint_fidelity(edits) if fidelity is None else fidelity
    soft = inverted
    if wanted != 1:
        soft = inverted.warm("softened", wanted, lambda: softened(inverted, wanted), most=1)  # a generator is large
    detail = source_detail(inverted, wanted, own_look(edits))
    return StillEdit(inverted, soft, detail, regions, BLENDERS[EditConfig().blender])


def tinted(inverted: Inversion, frame: Frame, index: int, regions: tuple[str, ...]) -> ByteArray:
    """A frame with the part tinted that an edit of some regions may change: uint8 RGB [H, W, 3].

    Args:
        index: of the frame among the crops.
    """
    shape = still_edit(inverted, (), regions).shape(index)
    box, alpha = shape_alpha(shape, inverted.crops.quads[index], frame.size)
    if not alpha.any():
        return frame.rgb()
    patch = np.broadcast_to(np.array(_TINT, np.float32), (*alpha.shape, 3))
    return paste(frame, patch, _TINTED * alpha, box).rgb()
