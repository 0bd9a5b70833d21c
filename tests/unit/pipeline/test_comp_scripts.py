"""The scripts for compositors: Nuke's and Fusion's are read and their graphs walked, Blender's is rendered."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import OpenEXR
import opentimelineio
import pytest

from stitchedit.pipeline.comp_scripts import Shot, layer_file, scripts_of
from stitchedit.types import FloatArray
from stitchedit.video.layer_files import write_layers

SHOT = Shot("age+2", 16, 12, 1001, 1003, Fraction(24000, 1001), Fraction(1), "../clip.mp4")
Pictures = dict[str, FloatArray]


def pictures(frame: int) -> Pictures:
    random = np.random.default_rng(frame)
    source, delta = random.random((12, 16, 3), np.float32), random.standard_normal((12, 16, 3)).astype(np.float32)
    return {"source": source, "delta": delta, "edited": source + delta}


def nuke_nodes(text: str) -> list[tuple[str, dict[str, str]]]:
    """(class, knobs) of a script's nodes, and its stack commands as ("set" or "push", {"name": ...}), in order."""
    found = []
    for line, body in re.findall(r"^(\w[^\n{]*)(?:\{\n(.*?)^\})?", text, re.M | re.S):
        words = line.split()
        if words[0] in ("set", "push"):
            found.append((words[0], {"name": words[1].removeprefix("$")}))
        elif body:
            found.append((words[0], dict(knob.strip().split(" ", 1) for knob in body.strip().splitlines())))
    return found


def nuke_picture(text: str, layers: Pictures, gain: float) -> FloatArray:
    """What a script's Write gets: nodes take their inputs from a stack, B on top."""
    stack: list[Any] = []
    named: dict[str, Any] = {}
    for kind, knobs in nuke_nodes(text):
        if kind == "Read":
            assert knobs["raw"] == "true"
            stack.append(layers)
        elif kind == "set":
            named[knobs["name"]] = stack[-1]
        elif kind == "push":
            stack.append(named[knobs["name"]])
        elif kind == "Shuffle":
            stack.append(stack.pop()[knobs["in"]])
        elif kind == "Multiply":
            assert (knobs["name"], knobs["value"], knobs["channels"]) == ("Gain", "1", "rgb")
            stack.append(stack.pop() * np.float32(gain))
        elif kind == "Merge2":
            assert (knobs["operation"], knobs["inputs"]) == ("plus", "2")
            b, a = stack.pop(), stack.pop()
            stack.append(b + a)
        elif kind == "Write":
            assert (knobs["raw"], knobs["file_type"]) == ("true", "exr")
            done: FloatArray = stack.pop()
            assert not stack
            return done
    raise AssertionError("nothing is written")


def lua_table(text: str) -> Any:
    """A Lua table constructor, `Name { ... }` or `{ ... }`, as (name, dict); what has no key is under its number."""
    tokens = re.findall(r'"(?:[^"\\]|\\.)*"|[\w.+-]+|[{}\[\]=,]', text)
    at = 0

    def value() -> Any:
        nonlocal at
        token = tokens[at]
        if token != "{" and tokens[at + 1] != "{":
            at += 1
            return token.strip('"')
        name = "" if token == "{" else token
        at += 1 if token == "{" else 2
        table: dict[Any, Any] = {"": name}
        while tokens[at] != "}":
            key: Any = len(table)
            if tokens[at] == "[":
                key, at = tokens[at + 1].strip('"'), at + 4
            elif tokens[at + 1] == "=":
                key, at = tokens[at], at + 2
            table[key] = value()
            at += tokens[at] == ","
        at += 1
        return table

    table = value()
    assert at == len(tokens), "and no more"
    return table


def fusion_picture(tools: dict[str, Any], name: str, layers: Pictures, gain: float) -> FloatArray:
    """What a tool gives, by walking back through its inputs."""
    tool = tools[name]
    inputs = tool["Inputs"]

    def source(knob: str) -> FloatArray:
        assert inputs[knob]["Source"] == "Output"
        return fusion_picture(tools, inputs[knob]["SourceOp"], layers, gain)

    if tool[""] == "Loader":
        channels = [inputs[f"Clip1.OpenEXRFormat.{c}Name"]["Value"][1] for c in ("Red", "Green", "Blue")]
        layer = channels[0].removesuffix(".R")
        assert channels == [f"{layer}.{letter}" for letter in "RGB"]
        return layers[layer]
    if tool[""] == "BrightnessContrast":
        assert (name, inputs["Gain"]["Value"]) == ("Gain", "1")
        return source("Input") * np.float32(gain)
    if tool[""] == "ChannelBoolean":
        assert inputs["Operation"]["Value"] == "1", "Fusion's number for Add"
        return source("Background") + source("Foreground")
    assert tool[""] == "Saver"
    return source("Input")


@pytest.mark.parametrize("gain", [1.0, 0.7])
def test_nukes_graph_adds_the_gained_delta_to_the_source(gain: float) -> None:
    layers = pictures(1)
    made = nuke_picture(scripts_of(SHOT)["shot.nk"], layers, gain)
    np.testing.assert_allclose(made, layers["source"] + np.float32(gain) * layers["delta"], rtol=0, atol=0)
    for layer in ("source", "delta"):
        assert f"add_layer {{{layer} {layer}.red {layer}.green {layer}.blue}}" in scripts_of(SHOT)["shot.nk"]
    read = dict(nuke_nodes(scripts_of(SHOT)["shot.nk"]))["Read"]
    assert (read["first"], read["last"]) == ("1001", "1003")
    assert read["file"] == r'"\[file dirname \[value root.name]]/layers.%04d.exr"'


@pytest.mark.parametrize("gain", [1.0, 0.7])
def test_fusions_graph_does_so_too(gain: float) -> None:
    comp = lua_table(scripts_of(SHOT)["shot.comp"])
    assert comp[""] == "Composition"
    layers = pictures(1)
    made = fusion_picture(comp["Tools"], "Comp", layers, gain)
    np.testing.assert_array_equal(made, layers["source"] + np.float32(gain) * layers["delta"])
    clip = comp["Tools"]["Source"]["Clips"][1]
    assert (clip["Filename"], clip["Length"], clip["StartFrame"]) == ("Comp:layers.1001.exr", "3", "1001")
    assert [comp["RenderRange"][k] for k in (1, 2)] == ["1001", "1003"]


def test_the_time_line_is_one_that_opentimelineio_reads() -> None:
    line = opentimelineio.adapters.read_from_string(scripts_of(SHOT)["shot.otio"], "otio_json")
    below, above = (next(iter(track)) for track in line.tracks)
    rate = float(SHOT.rate)
    assert below.media_reference.target_url == "../clip.mp4"
    assert above.source_range.duration == opentimelineio.opentime.RationalTime(3, rate) == below.source_range.duration
    pictures = above.media_reference
    assert pictures.number_of_images_in_sequence() == 3
    assert [pictures.target_url_for_image_number(k) for k in range(3)] == [
        f"./{layer_file(1001 + k)}" for k in range(3)
    ]


@pytest.mark.skipif(importlib.util.find_spec("bpy") is None, reason="pip install bpy: 370 MB, and Python 3.11")
def test_blender_renders_the_edited_picture(tmp_path: Path) -> None:
    for number in (1001, 1002, 1003):
        with (tmp_path / layer_file(number)).open("wb") as file:
            write_layers(pictures(number), SHOT.rate, {}, SHOT.aspect, file)
    script = tmp_path / "shot_blender.py"
    script.write_text(scripts_of(SHOT)["shot_blender.py"])
    subprocess.run([sys.executable, script, "--render"], check=True, capture_output=True, timeout=300)
    assert (tmp_path / "shot.blend").exists()
    for number in (1001, 1002, 1003):
        made = OpenEXR.File(str(tmp_path / f"comp.{number}.exr")).channels()["RGB"].pixels
        np.testing.assert_array_equal(made, pictures(number)["edited"])
