"""Edit faces in real video with a generator tuned on the clip's own frames.

    import stitchedit as se

The names below are the public API, `docs/library.md` a worked example; each is imported when it is first used, so that
`import stitchedit` does not wait for torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stitchedit.config import AlignConfig as AlignConfig
    from stitchedit.config import EditConfig as EditConfig
    from stitchedit.config import EncodeConfig as EncodeConfig
    from stitchedit.config import InvertConfig as InvertConfig
    from stitchedit.config import StitchConfig as StitchConfig
    from stitchedit.config import TrackConfig as TrackConfig
    from stitchedit.config import TuneConfig as TuneConfig
    from stitchedit.editing.direction import Change as Change
    from stitchedit.editing.direction import Direction as Direction
    from stitchedit.editing.direction_catalogue import list_directions as list_directions
    from stitchedit.errors import ConfigError as ConfigError
    from stitchedit.errors import StitcheditError as StitcheditError
    from stitchedit.evaluation.report import Evaluation as Evaluation
    from stitchedit.library import calibrate as calibrate
    from stitchedit.library import direction as direction
    from stitchedit.library import edit as edit
    from stitchedit.library import evaluate as evaluate
    from stitchedit.library import export_layers as export_layers
    from stitchedit.library import find_faces as find_faces
    from stitchedit.library import invert as invert
    from stitchedit.library import open_inversion as open_inversion
    from stitchedit.library import preview as preview
    from stitchedit.models.generator import Generator as Generator
    from stitchedit.models.weights import load_generator as load_generator
    from stitchedit.pipeline.inversion import Inversion as Inversion
    from stitchedit.pipeline.presets import edit_preset as edit_preset
    from stitchedit.pipeline.presets import invert_preset as invert_preset
    from stitchedit.pipeline.preview_sheet import Sheet as Sheet
    from stitchedit.pipeline.summaries import EditSummary as EditSummary
    from stitchedit.project.folder import Project as Project

_HOME = {
    "AlignConfig": "config",
    "EncodeConfig": "config",
    "StitchConfig": "config",
    "TrackConfig": "config",
    "TuneConfig": "config",
    "Change": "editing.direction",
    "ConfigError": "errors",
    "Direction": "editing.direction",
    "EditConfig": "config",
    "EditSummary": "pipeline.summaries",
    "Evaluation": "evaluation.report",
    "Generator": "models.generator",
    "Inversion": "pipeline.inversion",
    "InvertConfig": "config",
    "Project": "project.folder",
    "Sheet": "pipeline.preview_sheet",
    "StitcheditError": "errors",
    "calibrate": "library",
    "direction": "library",
    "edit": "library",
    "edit_preset": "pipeline.presets",
    "evaluate": "library",
    "export_layers": "library",
    "find_faces": "library",
    "invert": "library",
    "invert_preset": "pipeline.presets",
    "list_directions": "editing.direction_catalogue",
    "load_generator": "models.weights",
    "open_inversion": "library",
    "preview": "library",
}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'stitchedit' has no attribute '{name}'")
    return getattr(import_module(f"stitchedit.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return [*__all__, *(name for name in globals() if name.startswith("__"))]
