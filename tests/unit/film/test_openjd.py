"""The template of a plan's tasks, checked by the specification's own reader where it is installed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from films import PLAN

from stitchedit.film.graph import edit_tasks
from stitchedit.film.openjd import ranges, template, write_template


def test_a_step_a_stage_and_a_task_a_shot(tmp_path: Path) -> None:
    job = template(edit_tasks(PLAN, "sha"), "film", "/films/clip.mp4.film", 2)
    spaces = {s["name"]: s["parameterSpace"]["taskParameterDefinitions"][0]["range"] for s in job["steps"]}
    assert spaces == {"learn": "1,3", "solve": "1,3", "tune": "1-2", "edit": "1-2"}
    after = {s["name"]: [d["dependsOn"] for d in s.get("dependencies", [])] for s in job["steps"]}
    assert after == {"learn": [], "solve": ["learn"], "tune": ["learn"], "edit": ["solve", "tune"]}


@pytest.mark.slow
def test_openjd_takes_it(tmp_path: Path) -> None:
    pytest.importorskip("openjd.model")
    write_template(tmp_path / "film.json", template(edit_tasks(PLAN, "sha"), "film", "/films/clip.mp4.film", 2))
    command = [str(Path(sys.executable).with_name("openjd")), "check", str(tmp_path / "film.json")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_numbers_as_ranges() -> None:
    assert ranges([3, 1, 2, 7, 9, 10]) == "1-3,7,9-10"
    assert ranges([]) == ""
