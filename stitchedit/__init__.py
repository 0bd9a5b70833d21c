"""Edit faces in real video with a generator tuned on the clip's own frames.

The names below are the public API; each is imported when it is first used, so that `import stitchedit` does not wait
for torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stitchedit.config import EditConfig as EditConfig
    from stitchedit.config import InvertConfig as InvertConfig
    from stitchedit.config import edit_preset as edit_preset
    from stitchedit.config import invert_preset as invert_preset
    from stitchedit.editing.direction import find_direction as find_direction
    from stitchedit.editing.direction import list_directions as list_directions
    from stitchedit.errors import StitcheditError as StitcheditError
    from stitchedit.models.generator import Generator as Generator
    from stitchedit.models.weights import load_generator as load_generator
    from stitchedit.project.folder import Project as Project

_HOME = {
    "EditConfig": "config",
    "Generator": "generator",
    "InvertConfig": "config",
    "Project": "project",
    "StitcheditError": "errors",
    "edit_preset": "config",
    "find_direction": "direction",
    "invert_preset": "config",
    "list_directions": "direction",
    "load_generator": "weights",
}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'stitchedit' has no attribute '{name}'")
    return getattr(import_module(f"stitchedit.{_HOME[name]}"), name)
