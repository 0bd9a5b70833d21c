"""Nodes by ComfyUI's protocol: INPUT_TYPES, RETURN_TYPES, FUNCTION. What they do is the library's.

Convention: IMAGE is float32 [B, H, W, 3] in 0..1, MASK float32 [B, H, W] in 0..1, 1 where the edit may change all.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch

import stitchedit as se
from stitchedit.config import DEVICES, PRESETS, REGIONS
from stitchedit.editing.direction_catalogue import own_regions
from stitchedit.project.folder import default_root, root_of
from stitchedit.strength import parse_strength
from stitchedit.video import open_video

CLIP, EDIT = "STITCHEDIT_CLIP", "STITCHEDIT_EDIT"
CATEGORY = "stitchedit"
OWN = "as the directions need"
MOST = 100_000  # frames, of a clip


class Invert:
    """A clip, inverted: what is there already is kept."""

    RETURN_TYPES, RETURN_NAMES, FUNCTION, CATEGORY = (CLIP,), ("clip",), "invert", CATEGORY
    DESCRIPTION = "Find the face of a clip and tune a generator on it, into a project folder beside the clip."

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        text = {"default": ""}
        return {
            "required": {"path": ("STRING", text), "preset": (list(PRESETS), {"default": "balanced"})},
            "optional": {
                "project": ("STRING", text),
                "face": ("STRING", {"default": "largest"}),
                "generator": ("STRING", {"default": "default"}),
                "device": (list(DEVICES), {"default": "auto"}),
            },
        }

    @classmethod
    def VALIDATE_INPUTS(cls, path: str) -> bool | str:
        return Path(path).exists() or f"there is no clip {path or 'named'}"

    @classmethod
    def IS_CHANGED(cls, path: str, **_: Any) -> str:
        """Another value where the clip or what was tuned on it is another one."""
        places = [Path(path), root_of(Path(path)) / "generator.safetensors"]
        return repr([(place.stat().st_mtime_ns, place.stat().st_size) for place in places if place.exists()])

    def invert(
        self,
        path: str,
        preset: str,
        project: str = "",
        face: str = "largest",
        generator: str = "default",
        device: str = "auto",
    ) -> tuple[se.Inversion]:
        place = Path(project) if project else default_root(Path(path))
        settings = {"preset": preset, "face": face, "generator": generator, "device": device}
        return (se.invert(path, place, progress=_progress(), **settings),)


class Direction:
    """A direction with its strength, added to others."""

    RETURN_TYPES, RETURN_NAMES, FUNCTION, CATEGORY = (EDIT,), ("edit",), "add", CATEGORY
    DESCRIPTION = "A direction, or a vector file, with a number or keyframes (0:0,48:2 frames, 0s:0,1.5s:2 seconds)."

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        names = [direction.name for direction in se.list_directions()]
        return {
            "required": {"direction": (names, {"default": "age"}), "strength": ("STRING", {"default": "1"})},
            "optional": {"file": ("STRING", {"default": ""}), "before": (EDIT,)},
        }

    def add(self, direction: str, strength: str, file: str = "", before: se.Change | None = None) -> tuple[se.Change]:
        change = se.Change(((se.direction(file or direction), parse_strength(strength)),))
        return (change if before is None else before + change,)


class Draw:
    """Frames with an edit, each by itself."""

    RETURN_TYPES, RETURN_NAMES, FUNCTION, CATEGORY = ("IMAGE", "MASK"), ("images", "mask"), "draw", CATEGORY
    DESCRIPTION = "Frames with the edit, in seconds: pasted, but neither stitched nor averaged over time."

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {"required": {"clip": (CLIP,), "edit": (EDIT,), **_range()}, "optional": _region()}

    def draw(
        self, clip: se.Inversion, edit: se.Change, first: int, count: int, region: str = OWN
    ) -> tuple[torch.Tensor, torch.Tensor]:
        regions, frames = _regions(edit, region), _frames(clip, first, count)
        drawn = [clip.draw(frame, edit, regions=regions) for frame in frames]
        return _images(drawn), _masks(clip, frames, regions)


class Edit:
    """The whole edit, as a video."""

    RETURN_TYPES, RETURN_NAMES = ("IMAGE", "MASK", "STRING"), ("images", "mask", "video")
    FUNCTION, CATEGORY, OUTPUT_NODE = "edit", CATEGORY, True
    DESCRIPTION = "Change the face and write the video, with its sound; gives some of its frames and where it is."

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        more = {"output": ("STRING", {"default": ""}), "calibrated": ("BOOLEAN", {"default": True})}
        return {"required": {"clip": (CLIP,), "edit": (EDIT,), **_range()}, "optional": _region() | more}

    def edit(
        self,
        clip: se.Inversion,
        edit: se.Change,
        first: int,
        count: int,
        region: str = OWN,
        output: str = "",
        calibrated: bool = True,
    ) -> dict[str, Any]:
        regions, frames = _regions(edit, region), _frames(clip, first, count)
        settings = {"regions": regions, "calibrated": calibrated, "overwrite": bool(output)}
        done = se.edit(clip, edit, output or None, progress=_progress(), **settings)
        wanted = set(frames)
        shown = [frame.rgb() for frame in open_video(done.output) if frame.index in wanted]
        result = _images(shown), _masks(clip, frames, regions), str(done.output)
        return {"ui": {"text": [str(done.output)]}, "result": result}


class Evaluate:
    """The figures of an edited clip."""

    RETURN_TYPES, RETURN_NAMES = ("STRING", "FLOAT", "FLOAT"), ("figures", "identity_distance", "flicker")
    FUNCTION, CATEGORY, OUTPUT_NODE = "evaluate", CATEGORY, True
    DESCRIPTION = "Measure an edited clip against its source."
    NUMBERS: ClassVar[tuple[str, ...]] = ("identity_distance", "flicker")

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {"required": {"video": ("STRING", {"default": "", "forceInput": True})}}

    def evaluate(self, video: str) -> dict[str, Any]:
        found = se.evaluate(video, ceiling=False, progress=_progress())
        figures = {name: figure.value for name, figure in found.figures.items()}
        text = json.dumps(figures, indent=1)
        numbers = (float("nan") if figures.get(name) is None else float(figures[name]) for name in self.NUMBERS)
        return {"ui": {"text": [text]}, "result": (text, *numbers)}


def _range() -> dict[str, Any]:
    frame = {"min": 0, "max": MOST}
    return {"first": ("INT", {"default": 0, **frame}), "count": ("INT", {"default": 16, **frame, "min": 1})}


def _region() -> dict[str, Any]:
    return {"region": ([OWN, *REGIONS], {"default": OWN})}


def _regions(edit: se.Change, region: str) -> tuple[str, ...]:
    return own_regions(direction for direction, _ in edit.parts) if region == OWN else (region,)


def _frames(clip: se.Inversion, first: int, count: int) -> range:
    """Raises ConfigError, where the clip has none of these."""
    total = len(clip.tracks.state)
    if first >= total:
        raise se.ConfigError(f"there is no frame {first}", f"the clip has frames 0 to {total - 1}")
    return range(first, min(first + count, total))


def _images(pictures: Iterable[np.ndarray]) -> torch.Tensor:
    return torch.from_numpy(np.stack(list(pictures))).float().div_(255)


def _masks(clip: se.Inversion, frames: Iterable[int], regions: tuple[str, ...]) -> torch.Tensor:
    return torch.from_numpy(np.stack([clip.mask(frame, regions) for frame in frames]))


def _progress() -> Callable[..., None]:
    """ComfyUI's own bar, which also ends a job that was cancelled there; nothing, outside of it."""
    try:
        from comfy.model_management import throw_exception_if_processing_interrupted as raise_if_cancelled
        from comfy.utils import ProgressBar
    except ImportError:
        return lambda stage, done, total, note="": None
    bars: dict[str, Any] = {}

    def show(stage: str, done: int, total: int, note: str = "") -> None:
        raise_if_cancelled()
        bars.setdefault(stage, ProgressBar(total)).update_absolute(done, total)

    return show
