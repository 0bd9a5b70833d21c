"""`stitchedit directions learn` and `report` as they are typed, on a tiny generator; and what they say to bad input."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from stitchedit.cli.main import app
from stitchedit.errors import StitcheditError
from stitchedit.learning.labelled_faces import FEWEST_EACH
from stitchedit.mobilestylegan import MobileStyleGAN
from stitchedit.models.generator import save_generator


@pytest.fixture(scope="module")
def generator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save_generator(MobileStyleGAN("tiny", 8, 8, 2, (16, 16, 16), {32: "styled"}), path, licence="none")
    return path


def run(*arguments: object) -> str:
    result = CliRunner().invoke(app, ["directions", *map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def refused(*arguments: object) -> StitcheditError:
    with pytest.raises(StitcheditError) as told:
        run(*arguments)
    assert "\n" not in str(told.value) + told.value.hint
    assert told.value.hint
    return told.value


@pytest.fixture(autouse=True)
def same_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STITCHEDIT_MALLOC", "off")


def test_a_table_of_seeds_becomes_a_direction(generator: Path, tmp_path: Path) -> None:
    labels = "\n".join(f"{seed},{seed % 5},{seed % 3}" for seed in range(30))
    (tmp_path / "labels.csv").write_text(f"seed,nose,age\n{labels}", encoding="utf-8")
    options = ("--labels", tmp_path / "labels.csv", "--label", "nose", "--hold", "age", "--generator", generator)
    (found,) = json.loads(run("learn", "nose", *options, "-o", tmp_path / "out", "--json"))
    assert found["made_for"] == "tiny"
    assert found["source"].endswith("30 labelled faces; held: age")
    assert {p.suffix for p in (tmp_path / "out").iterdir()} == {".toml", ".safetensors", ".png", ".json"}
    wrong = refused("report", tmp_path / "out" / "nose.toml", "-o", tmp_path)
    assert wrong.exit_code == 8
    assert "--force" in wrong.hint


def test_axes(generator: Path, tmp_path: Path) -> None:
    said = run("learn", "sefa", "--factorise", 1, "--layers", "0:2", "--generator", generator, "-o", tmp_path)
    assert "wrote:" in said
    assert (tmp_path / "sefa1.toml").is_file()
    assert refused("learn", "x", "--pca", 9, "--generator", generator, "-o", tmp_path).exit_code == 2


def test_bad_input(generator: Path, tmp_path: Path) -> None:
    table = tmp_path / "labels.csv"
    table.write_text("seed,label\n" + "\n".join(f"{seed},1" for seed in range(30)), encoding="utf-8")
    assert "1 in every row" in str(refused("learn", "x", "--labels", table))
    table.write_text("seed,label\n0,1\n1,2\n", encoding="utf-8")
    few = refused("learn", "x", "--labels", table)
    assert (few.exit_code, "at least 20" in few.hint) == (2, True)
    table.write_text("image,label\n" + "\n".join(f"{k}.png,{k}" for k in range(30)), encoding="utf-8")
    assert "30 pictures that are not there" in str(refused("learn", "x", "--labels", table))
    assert refused("learn", "x").exit_code == 2
    assert refused("learn", "x", "--pca", 2, "--labels", table).exit_code == 2
    assert refused("learn", "x", "--positive", tmp_path).exit_code == 2
    for side in ("a", "b"):
        (tmp_path / side).mkdir()
        for k in range(FEWEST_EACH):
            cv2.imwrite(str(tmp_path / side / f"{k}.png"), np.full((64, 64, 3), 99, np.uint8))
    sets = ("--positive", tmp_path / "a", "--negative", tmp_path / "b")
    assert "need an encoder" in str(refused("learn", "x", *sets, "--generator", generator))
    blank = refused("learn", "x", *sets, "-o", tmp_path / "out")
    assert (blank.exit_code, "0.png" in str(blank)) == (5, True)
    assert not (tmp_path / "out").exists()
    assert refused("learn", "../x", "--pca", 1).exit_code == 2
    assert refused("report", "nobody").exit_code == 8


def test_a_file_is_named_and_a_direction_exported(generator: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "nose.npy", np.arange(1, 9, dtype=np.float32))
    assert "a vector of shape [8]" in run("inspect", tmp_path / "nose.npy")
    assert json.loads(run("inspect", tmp_path / "nose.npy", "--json"))["kind"] == "Vector"
    options = ("--generator", generator, "-o", tmp_path / "out")
    told = run("export", tmp_path / "nose.npy", "--format", "interfacegan", *options)
    assert "strength 1 here is 14.28 there" in told
    np.testing.assert_allclose(np.load(tmp_path / "out" / "nose.interfacegan.npy") * 204**0.5, [np.arange(1, 9)])
    done = json.loads(run("export", "s:1:2", "--format", "stylespace", *options, "--json"))
    assert done["shape"] == [16 + 2 * (16 + 4 + 16) + 16]
    assert refused("export", "s:1:2", "--format", "e4e", *options).exit_code == 8
    assert refused("export", "age", "--format", "onnx", *options).exit_code in (2, 8)
    assert refused("inspect", tmp_path / "out").exit_code == 8
    assert "one SD of channel 112 of layer 5" in run("inspect", "s:5:112")
    assert "10 years older" in run("inspect", "age.folds")
    assert "part of an edit" in str(refused("export", "age.folds", "--format", "e4e", *options))
    assert "part of an edit" in str(refused("report", "age.folds", "--generator", generator))


def test_texts_are_refused_before_a_model_is_loaded(tmp_path: Path) -> None:
    np.save(tmp_path / "nose.npy", np.ones(8, np.float32))
    told = refused("text", "beard", tmp_path / "nose.npy", "--from", "face", "--to", "beard", "-o", tmp_path)
    assert "holds a vector" in str(told)


def test_an_attribute_needs_a_generator_of_faces(generator: Path, tmp_path: Path) -> None:
    options = ("--generator", generator, "-o", tmp_path / "out")
    told = refused("learn", "grin", "--attribute", "jawOpen", *options)
    assert "show a face in 0 of 12 pictures" in str(told)
    assert "unknown attribute" in str(refused("learn", "grin", "--attribute", "grin", *options))
    assert "not clear" in str(refused("learn", "grin", "--attribute", "smile", "--pca", 2, *options))
    assert not (tmp_path / "out").exists()
