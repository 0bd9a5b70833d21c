"""A package that is not ours adds one of each kind, and the command line and the library work with them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import ROOT, error, run

OWN = Path(__file__).parent
OLD = ROOT / "tests" / "data" / "project_3b83b58"
Environment = dict[str, object]


@pytest.fixture(scope="module")
def plugged(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """What a process needs to find the package, which is installed into a folder of its own."""
    folder = tmp_path_factory.mktemp("plugged")
    shutil.copytree(OWN, folder / "source", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info", "build"))
    options = ("--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check", "--quiet")
    command = [sys.executable, "-m", "pip", "install", *options, "--target", folder / "site", folder / "source"]
    subprocess.run(list(map(str, command)), check=True, capture_output=True)
    return {"PYTHONPATH": on_path(folder / "site")}


def on_path(folder: Path) -> str:
    return os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")]))


def python(code: str, env: Environment, cwd: Path = ROOT) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **{name: str(value) for name, value in env.items()}},
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def old_project(folder: Path) -> Path:
    return Path(shutil.copytree(OLD, folder / "old"))


def broken_package(site: Path, **places: str) -> None:
    """Installs a package whose module raises, with an entry point in the group of each name."""
    info = site / "broken-2.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 2.0\n")
    groups = "".join(f"[stitchedit.{group}]\n{place}\n" for group, place in places.items())
    (info / "entry_points.txt").write_text(groups)
    (site / "broken_package.py").write_text("raise RuntimeError('out of order')\n")


def test_help_and_errors_name_plug_ins_without_importing_them(plugged: Environment, tmp_path: Path) -> None:
    env = plugged | {"PYTHONPROFILEIMPORTTIME": "1"}  # lists on stderr what is imported
    texts = {}
    for command in ("invert", "edit", "evaluate"):
        done = run(command, "--help", cwd=tmp_path, env=env)
        assert "stitchedit_plugin" not in done.stderr
        assert "torch" not in done.stderr
        texts[command] = "".join(done.stdout.split())  # lines are broken at hyphens too
    assert "optimize,network,plug-mean,aname" in texts["invert"]
    assert "dlib,mesh,fan,fan3dorplug-average(aplug-in" in texts["invert"]
    assert "multiband,noneorplug-hard." in texts["edit"]
    assert "dliborplug-mean-colour." in texts["evaluate"]
    assert "measuredtoo:plug-darkening." in texts["evaluate"]
    assert "plug-push" in run("directions", "list", cwd=tmp_path, env=plugged).stdout


def test_a_generator_of_a_plug_in_is_loaded_kept_and_told(plugged: Environment, tmp_path: Path) -> None:
    (tmp_path / "shade.bin").write_bytes(b"plain0.25")
    code = """
import torch
from stitchedit.models.generator import read_generator, save_generator
from stitchedit.models.weights import load_generator
from pathlib import Path
found = load_generator("shade.bin")
assert found.architecture == "plug-plain" and found.config == {"shade": 0.25} and not found.training
save_generator(found, Path("kept.safetensors"), licence="CC0")
assert torch.equal(load_generator("kept.safetensors").colour, found.colour)
"""
    python(code, plugged, tmp_path)
    missing = """
from stitchedit.errors import UnknownCheckpoint
from stitchedit.models.weights import load_generator
try:
    load_generator("kept.safetensors")
except UnknownCheckpoint as exc:
    print(exc, exc.hint)
"""
    assert "unknown generator family 'plug-plain' choose one of" in python(missing, {}, tmp_path)


@pytest.mark.slow
def test_a_broken_plug_in_is_one_line_and_only_where_it_is_asked_for(tmp_path: Path) -> None:
    broken_package(
        tmp_path / "site",
        blenders="worn = broken_package:blend",
        landmarks="worn = broken_package:find",
        directions="worn = broken_package:worn.toml",
        metrics="worn = broken_package:METRIC",
        generators="worn = broken_package:FAMILY",
        encoders="optimize = broken_package:encode",
    )
    env: Environment = {"PYTHONPATH": on_path(tmp_path / "site"), "STITCHEDIT_HOME": OLD / "home"}
    old = old_project(tmp_path)
    asked = ("edit", "project", "--direction", "push.npy")
    told = error(run(*asked, "--blender", "worn", cwd=old, env=env, expect=2))
    assert "blender 'worn' of package broken 2.0 cannot be loaded: RuntimeError('out of order')" in told
    told = error(run("invert", "clip.mp4", "--landmarks", "worn", cwd=old, env=env, expect=2))
    assert "landmark model 'worn' of package broken 2.0 cannot be loaded" in told
    told = error(run("evaluate", "project", "--metric", "worn", cwd=old, env=env, expect=2))
    assert "metric 'worn' of package broken 2.0 cannot be loaded" in told
    told = error(run("edit", "project", "--direction", "worn", cwd=old, env=env, expect=8))
    assert "direction 'worn' of package broken 2.0 cannot be loaded" in told
    told = error(run("invert", "clip.mp4", "--encoder", "optimize", cwd=old, env=env, expect=2))
    assert "encoder 'optimize' is brought by stitchedit itself and by broken 2.0" in told
    listed = run("directions", "list", cwd=old, env=env)
    assert "age" in listed.stdout
    assert listed.stderr.count("\n") == 1, "the others are listed all the same"
    assert "worn" in listed.stderr
    (old / "strange.bin").write_bytes(bytes(64))
    told = run("invert", "clip.mp4", "--generator", "strange.bin", cwd=old, env=env, expect=6).stderr
    assert "cannot read weights from strange.bin" in told


@pytest.mark.slow
def test_a_clip_is_inverted_edited_and_evaluated_with_plug_ins(plugged: Environment, tmp_path: Path) -> None:
    env = plugged | {"STITCHEDIT_HOME": OLD / "home"}
    old = old_project(tmp_path)
    given = ("--generator", "tiny", "--preset", "fast", "--encoder", "plug-mean", "--landmarks", "plug-average")
    run("invert", "clip.mp4", "--project", "new", *given, cwd=old, env=env)
    code = """
import json
from pathlib import Path
from stitchedit.project.folder import Project
records = Project.open(Path("new")).records
print(json.dumps([records.inputs(stage) for stage in ("align", "encode")]))
"""
    align, encode = json.loads(python(code, env, old))
    assert align["landmarks"] == "plug-average"
    assert align["landmarks_of"] == encode["encoder"].removeprefix("mean of W of ") == "stitchedit-plugin 1.0"
    edit = ("edit", "new", "--direction", "plug-push", "--blender", "plug-hard", "-o", "out.mp4", "--json")
    edited = json.loads(run(*edit, cwd=old, env=env).stdout)
    assert edited["edits"][0]["direction"] == "plug-push"
    measure = ("evaluate", "out.mp4", "--project", "new", "--metric", "plug-darkening")
    measure = (*measure, "--embedding", "plug-mean-colour", "--no-ceiling", "--json")
    facts = json.loads(run(*measure, cwd=old, env=env).stdout)
    assert facts["embedding"] == "plug-mean-colour"
    figure = facts["figures"]["plug-darkening"]
    assert (figure["unit"], figure["better"], figure["target"]) == ("grey levels", "near", 0)
    assert figure["value"] is not None
    assert len(facts["curves"]["plug-darkening"]["edit"]) == 6
    assert "how much darker the face is" in (old / "out.evaluation.html").read_text()
    gone: Environment = {"STITCHEDIT_HOME": OLD / "home"}
    edit = ("edit", "new", "--direction", "push.npy", "--blender")
    told = error(run(*edit, "plug-hard", cwd=old, env=gone, expect=2))
    assert "unknown blender 'plug-hard'" in told
    told = error(run(*edit, "feather", cwd=old, env=gone, expect=2))
    assert "unknown landmark model 'plug-average'" in told, "that the project was inverted with"


@pytest.mark.slow
def test_contract_tests_take_plug_ins_in(plugged: Environment) -> None:
    kinds = ("blenders", "encoders", "generators", "landmarks", "metrics")
    files = [f"tests/contract/test_{kind}.py" for kind in kinds]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-v", "-p", "no:cacheprovider", *files, "-k", "plug"],
        env={**os.environ, **{name: str(value) for name, value in plugged.items()}},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    for file in files:
        assert f"{file}::" in done.stdout, "each takes its newcomer in"
