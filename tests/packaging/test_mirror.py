"""The tests mirror the source: `stitchedit/a/b.py` is tested by `tests/unit/a/test_b.py`."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = {
    "": ROOT / "stitchedit",
    "stylegan2": ROOT / "third_party" / "stylegan2",
    "stylegan3": ROOT / "third_party" / "stylegan3",
    "mobilestylegan": ROOT / "third_party" / "mobilestylegan",
    "cuda_ops": ROOT / "cuda_ops",
}

# Tests that are of no module by their name, and of what instead.
OF_NO_MODULE = {
    "cuda_ops/bias_act": "of csrc/bias_act.cu",
    "cuda_ops/upfirdn2d": "of csrc/upfirdn2d.cu",
    "gpu_check": "of scripts/gpu_check.py",
    "metrics/metrics": "of the package as a whole: figures on clips whose answers are known",
    "stylegan2/hostile": "of all readers of checkpoints, on files that mean harm",
    "video/kept_or_told": "of reader and writer together: what an output keeps of each kind of stream, entry and tag",
    "video/sequence_files": "of reader and writer of numbered pictures together",
}

# Modules without a unit test of their own. Take out what gets one; add nothing.
WITHOUT_TEST = {
    "cli/doctor",
    "cuda_ops/autograd",
    "cuda_ops/reference",
    "cuda_ops/spec",
    "editing/identity_change",
    "errors",
    "evaluation/cache",
    "evaluation/frame_passes",
    "evaluation/report",
    "evaluation/stream_integrity",
    "faces/photo",
    "files/hashing",
    "files/image_folder",
    "image/signed_distance",
    "image/similarity",
    "inversion/encoder_initialization",
    "inversion/encoder_registry",
    "learning/attribute_regressors",
    "learning/direction_report",
    "masks/stitching_masks",
    "masks/weight_maps",
    "metrics/identity",
    "metrics/image",
    "metrics/temporal",
    "mobilestylegan/layers",
    "models/bundled_weights",
    "models/network_files",
    "models/weights_catalogue",
    "models/weights_store",
    "pipeline/edit_plan",
    "pipeline/face_edit",
    "pipeline/head_map_cache",
    "pipeline/import_stit",
    "pipeline/invert_clip",
    "pipeline/preview_sheet",
    "pipeline/summaries",
    "progress",
    "project/cleanup",
    "project/log_file",
    "project/records",
    "project/sanity",
    "project/stage_runner",
    "provenance/certificates",
    "stylegan2/conv",
    "stylegan2/encoder_layout",
    "stylegan2/export",
    "stylegan2/files",
    "stylegan2/layers",
    "stylegan2/layout",
    "stylegan2/nvidia",
    "stylegan2/others",
    "stylegan2/rosinality",
    "stylegan2/standins",
    "stylegan2/synthesis",
    "stylegan2/tensorflow",
    "types",
    "video/base",
    "video/decoder",
    "video/image_codecs",
    "video/image_metadata",
    "video/opening",
    "video/sequence_reader",
    "video/sequence_writer",
    "video/stream_copy",
    "video/writers",
}


def modules() -> set[str]:
    """Such as `faces/mesh`; a leading underscore is left out, `__init__` too."""
    found = set()
    for name, folder in SOURCES.items():
        for path in folder.rglob("*.py"):
            linked = any(parent.is_symlink() for parent in path.parents if parent.is_relative_to(folder))
            if path.stem != "__init__" and not linked and "__pycache__" not in path.parts:
                found.add(str(Path(name) / path.relative_to(folder).with_name(path.stem.strip("_"))))
    return found


def covered() -> set[str]:
    """What the tests are of, by their names."""
    unit = ROOT / "tests" / "unit"
    return {str(path.relative_to(unit).with_name(path.stem.removeprefix("test_"))) for path in unit.rglob("test_*.py")}


def test_every_test_is_of_a_module() -> None:
    stray = covered() - modules() - {f"scripts/{path.stem}" for path in (ROOT / "scripts").glob("*.py")}
    assert stray - set(OF_NO_MODULE) == set(), "name it after the module that it tests, or say why not"
    assert set(OF_NO_MODULE) - stray == set(), "these are gone or are of a module now: take them off the list"


def test_modules_without_a_test_of_their_own_get_fewer() -> None:
    missing = modules() - covered()
    assert missing - WITHOUT_TEST == set(), "write tests/unit/.../test_NAME.py for these"
    assert WITHOUT_TEST - missing == set(), "these are gone or have a test now: take them off the list"
