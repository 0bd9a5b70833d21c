from pathlib import Path

import numpy as np
import pytest

from stitchedit.errors import StageMissing
from stitchedit.faces.mesh import mean_landmarks
from stitchedit.masks.weight_maps import look_map
from stitchedit.pipeline.edit_plan import edit_name
from stitchedit.project.records import Records
from stitchedit.project.stage_runner import Stages
from stitchedit.provenance.manifest import notice
from stitchedit.types import FacePoints


def test_stages_run_once_and_a_redone_one_voids_those_after_it(tmp_path: Path) -> None:
    done: list[str] = []
    order = ("a", "b", "c")

    def run(value: str) -> dict[str, float]:
        stages = Stages(Records.open_or_create(tmp_path / "project.toml"), order)
        mark = stages.run("a", {"value": value}, [], lambda mark: done.append("a"))
        mark = stages.run("b", {"a": mark}, [], lambda mark: done.append("b"))
        stages.run("c", {"b": mark}, [], lambda mark: done.append("c"))
        return stages.seconds

    run("1")
    assert set(run("1").values()) == {0.0}
    assert done == ["a", "b", "c"]
    run("2")
    assert done == ["a", "b", "c"] * 2


def test_a_stage_that_dies_leaves_no_record_of_itself_or_later_ones(tmp_path: Path) -> None:
    path = tmp_path / "project.toml"
    stages = Stages(Records.open_or_create(path), ("a", "b"))
    stages.run("a", {"v": "1"}, [], lambda mark: None)
    stages.run("b", {"v": "1"}, [], lambda mark: None)

    def die(mark: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Stages(Records.read(path), ("a", "b")).run("a", {"v": "2"}, [], die)
    for stage in ("a", "b"):
        with pytest.raises(StageMissing):
            Records.read(path).fingerprint(stage)


def test_names_of_edits() -> None:
    assert edit_name([("age", 2.0)], 0) == "age+2"
    assert edit_name([("age", 2.0)], 1, ("mouth", "eyes")) == "age+2.mouth-eyes.seed1"
    assert edit_name([("age", 2.0)], 0, ("head",)) == "age+2", "its own region"
    assert edit_name([("age", 2.0)], 0, ("face",)) == "age+2.face"
    assert edit_name([("age", -1.5), ("some/where/push.npy", 1.0)], 3) == "age-1.5.push+1.seed3"


def test_every_output_says_that_it_was_edited() -> None:
    said = notice("age +2")
    assert "edited with stitchedit" in said["comment"]
    assert "compositeWithTrainedAlgorithmicMedia" in said["stitchedit"]


def test_losses_look_at_the_face_and_hardest_at_eyes_and_lips() -> None:
    from stitchedit.faces.mesh import mean_face

    look = look_map(FacePoints(mean_face()[0][None]))(0, 128)
    marks = (mean_landmarks() * 128).astype(int)
    assert look.dtype == np.float32
    assert look[2, 2] == pytest.approx(0.05)
    eye, nose = look[marks[37, 1], marks[37, 0]], look[marks[30, 1], marks[30, 0]]
    assert eye > 1.5 * nose > 1
