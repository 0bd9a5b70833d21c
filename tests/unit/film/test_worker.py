"""A task by its name: what cannot be done is an outcome, not a traceback."""

from __future__ import annotations

import errno
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import pytest
from films import PLAN

from stitchedit.film import folder as names
from stitchedit.film import worker
from stitchedit.film.folder import FilmFolder
from stitchedit.film.graph import edit_tasks, fingerprints
from stitchedit.film.outcome import FAILED, KEPT
from stitchedit.film.plan import write_plan
from stitchedit.film.worker import MACHINE, do_task, full_name, machine_kind
from stitchedit.models import weights
from stitchedit.project.records import Records


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_plan(tmp_path / "plan.toml", replace(PLAN, stitchedit=metadata.version("stitchedit")))
    return tmp_path


def test_what_is_done_is_kept(root: Path) -> None:
    inputs = fingerprints(edit_tasks(PLAN, weights.sha256_of("default")))
    records = Records.open_or_create(root / names.record("solve/1"))
    records.path.parent.mkdir(parents=True)
    records.finish("solve", inputs["solve/1"])
    assert do_task(str(root), "solve/1").state == FAILED, "its result is not there"
    FilmFolder(root).at(names.strengths(1)).parent.mkdir(parents=True)
    FilmFolder(root).at(names.strengths(1)).touch()
    records.finish("solve", inputs["solve/1"])
    assert do_task(str(root), "solve/1").state == KEPT


def test_another_version_is_refused(root: Path) -> None:
    write_plan(root / "plan.toml", replace(PLAN, stitchedit="0.0.1"))
    outcome = do_task(str(root), "tune/0001")
    assert (outcome.state, outcome.exit_code) == (FAILED, 3)
    assert "the plan was made by 0.0.1" in outcome.said


def test_what_the_plan_has_not_is_said(root: Path) -> None:
    assert "has no task tune/0009" in do_task(str(root), "tune/9").said
    assert "cannot be read" in do_task(str(root / "nowhere"), "faces/0001").said
    (root / "plan.toml").write_text("schema = 1")
    assert do_task(str(root), "tune/0001").exit_code == 3


def test_a_disk_that_is_full_anywhere_is_said(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(root / "tasks"))

    monkeypatch.setattr(worker, "_logged", full)
    outcome = do_task(str(root), "solve/1")
    assert (outcome.state, outcome.exit_code) == (FAILED, 9)
    assert outcome.said.startswith(f"no space left while writing {root / 'tasks'}")


def test_a_kept_task_tells_the_machine_that_did_it(root: Path) -> None:
    inputs = fingerprints(edit_tasks(PLAN, weights.sha256_of("default")))
    records = Records.open_or_create(root / names.record("solve/1"))
    records.path.parent.mkdir(parents=True)
    records.finish("solve", inputs["solve/1"])
    records.note("solve", MACHINE, "torch 1.0, AVX, no GPU")
    FilmFolder(root).at(names.strengths(1)).parent.mkdir(parents=True)
    FilmFolder(root).at(names.strengths(1)).touch()
    assert do_task(str(root), "solve/1").machine == "torch 1.0, AVX, no GPU"


def test_names_may_come_without_zeros() -> None:
    assert [full_name(n) for n in ("tune/7", "edit/12345", "learn/2", "x")] == [
        "tune/0007",
        "edit/12345",
        "learn/2",
        "x",
    ]
    assert machine_kind().startswith("torch ")
