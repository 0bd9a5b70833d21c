"""The nodes for ComfyUI, by its protocol and without it: the example workflow is run on a small project."""

from __future__ import annotations

import json
import math
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from command_line import ROOT
from prepared import prepared_project

import stitchedit as se

FOLDER = ROOT / "integrations" / "comfyui"
sys.path.append(str(FOLDER))
from stitchedit_comfyui import NODE_CLASS_MAPPINGS, NODE_DISPLAY_NAME_MAPPINGS  # noqa: E402

TYPES = {"STRING": str, "INT": int, "FLOAT": float, "BOOLEAN": bool, "IMAGE": torch.Tensor, "MASK": torch.Tensor}
OWN = {"STITCHEDIT_CLIP": se.Inversion, "STITCHEDIT_EDIT": se.Change}


class PreviewImage:
    """In place of ComfyUI's own."""

    RETURN_TYPES, FUNCTION, OUTPUT_NODE = (), "look", True

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {"required": {"images": ("IMAGE",)}}

    def look(self, images: torch.Tensor) -> dict[str, Any]:
        return {"ui": {"images": []}}


NODES = {**NODE_CLASS_MAPPINGS, "PreviewImage": PreviewImage}


def run(workflow: dict[str, Any], node: str, done: dict[str, Any]) -> Any:
    """A node's results, after those that it takes from, as ComfyUI has it done; what it takes and gives is checked."""
    if node in done:
        return done[node]
    kind = NODES[workflow[node]["class_type"]]
    declared = kind.INPUT_TYPES()
    known = {**declared["required"], **declared.get("optional", {})}
    given = {}
    for name, value in workflow[node]["inputs"].items():
        is_link = isinstance(value, list)
        given[name] = run(workflow, value[0], done)[value[1]] if is_link else value
        wanted = known[name][0]
        if isinstance(wanted, list):
            assert given[name] in wanted, name
        else:
            assert isinstance(given[name], (TYPES | OWN)[wanted]), name
    assert set(declared["required"]) <= set(given)
    if hasattr(kind, "VALIDATE_INPUTS"):
        assert kind.VALIDATE_INPUTS(given["path"]) is True
    answer = getattr(kind(), kind.FUNCTION)(**given)
    results = answer.get("result", ()) if isinstance(answer, dict) else answer
    assert len(results) == len(kind.RETURN_TYPES)
    for result, wanted in zip(results, kind.RETURN_TYPES, strict=True):
        assert isinstance(result, (TYPES | OWN)[wanted])
    done[node] = results
    return results


def test_every_node_is_declared_as_comfyui_wants_it() -> None:
    assert set(NODE_CLASS_MAPPINGS) == set(NODE_DISPLAY_NAME_MAPPINGS)
    assert all(name.startswith("Stitchedit") for name in NODE_CLASS_MAPPINGS)
    for kind in NODE_CLASS_MAPPINGS.values():
        assert callable(getattr(kind, kind.FUNCTION))
        assert kind.CATEGORY == "stitchedit"
        assert len(kind.RETURN_TYPES) == len(kind.RETURN_NAMES)
        assert kind.DESCRIPTION
        declared = kind.INPUT_TYPES()
        assert set(declared) <= {"required", "optional"}
        for entry in [*declared["required"].values(), *declared.get("optional", {}).values()]:
            assert isinstance(entry, tuple)
    invert = NODE_CLASS_MAPPINGS["StitcheditInvert"]
    assert invert.VALIDATE_INPUTS("/nowhere.mp4") == "there is no clip /nowhere.mp4"


def test_the_example_names_inputs_that_are_there() -> None:
    workflow = json.loads((FOLDER / "age.json").read_text())
    assert {node["class_type"] for node in workflow.values()} == set(NODES)
    for node in workflow.values():
        declared = NODES[node["class_type"]].INPUT_TYPES()
        known = {**declared["required"], **declared.get("optional", {})}
        assert set(declared["required"]) <= set(node["inputs"]) <= set(known)
        for name, value in node["inputs"].items():
            if isinstance(value, list):
                source = NODES[workflow[value[0]]["class_type"]]
                assert source.RETURN_TYPES[value[1]] == known[name][0]


@pytest.mark.slow
def test_the_example_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a vector that fits the small generator in place of its directions, and the kept project."""
    place = prepared_project(tmp_path)
    monkeypatch.setenv("STITCHEDIT_HOME", str(place / "home"))
    workflow = json.loads((FOLDER / "age.json").read_text())
    workflow["1"]["inputs"] |= {"path": str(place / "clip.mp4"), "preset": "fast", "generator": "tiny", "device": "cpu"}
    vector = {"file": str(place / "push.npy")}
    workflow["2"]["inputs"] |= vector | {"strength": "0:0,5:1.5"}
    workflow["3"]["inputs"] |= vector
    fast = se.invert_preset("fast")
    monkeypatch.setattr("stitchedit.library.invert_preset", lambda name: replace(fast, seed=1))
    figures = {"flicker": SimpleNamespace(value=1.25), "identity_distance": SimpleNamespace(value=None)}
    measured: list[str] = []
    found = SimpleNamespace(figures=figures)  # measuring itself takes longer than all the rest
    monkeypatch.setattr(se, "evaluate", lambda video, **_: measured.append(video) or found, raising=False)
    before = NODES["StitcheditInvert"].IS_CHANGED(str(place / "clip.mp4"))
    done: dict[str, Any] = {}
    for node in workflow:
        run(workflow, node, done)
    assert before == NODES["StitcheditInvert"].IS_CHANGED(str(place / "clip.mp4")), "nothing was inverted again"
    images, mask = done["4"]
    assert (images.shape, images.dtype) == ((4, 240, 240, 3), torch.float32)
    assert 0 <= float(images.min()) < 0.5 < float(images.max()) <= 1
    assert mask.shape == (4, 240, 240)
    assert 0.02 < float(mask.mean()) < 0.9
    edited, _, video = done["5"]
    assert edited.shape == (6, 240, 240, 3)
    assert Path(video).is_file()
    text, distance, flicker = done["6"]
    assert measured == [video]
    assert json.loads(text) == {"flicker": 1.25, "identity_distance": None}
    assert (flicker, math.isnan(distance)) == (1.25, True)
