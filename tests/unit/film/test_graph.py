"""The graph of a film's tasks: what each needs, and what makes it anew."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from films import PLAN

from stitchedit.film.clips import CLIP, Clip, Film
from stitchedit.film.graph import edit_tasks, face_tasks, fingerprints
from stitchedit.film.plan import PlannedShot
from stitchedit.film.shots import Shot


def inputs(plan: object = PLAN) -> dict[str, dict[str, str]]:
    return fingerprints(edit_tasks(plan, "sha"))  # type: ignore[arg-type]


def changed(plan: object) -> set[str]:
    before, after = inputs(), inputs(plan)
    return {name for name in {*before, *after} if before.get(name) != after.get(name)}


def test_a_task_comes_after_what_it_needs() -> None:
    tasks = edit_tasks(PLAN, "sha")
    place = {task.name: k for k, task in enumerate(tasks)}
    assert list(place) == [
        "learn/1", "solve/1", "learn/3", "solve/3", "tune/0001", "edit/0001", "tune/0002", "edit/0002",
    ]  # fmt: skip
    assert all(place[need] < place[task.name] for task in tasks for need in task.needs)
    by_name = {task.name: task for task in tasks}
    assert by_name["tune/0002"].needs == ("learn/1", "learn/3")
    assert set(by_name["edit/0001"].needs) == {"tune/0001", "solve/1"}
    assert by_name["edit/0002"].number == 2


def test_another_strength_makes_no_tuning_anew() -> None:
    people = (replace(PLAN.persons[0], edits=(("age", "-1"),)), PLAN.persons[1])
    assert changed(replace(PLAN, persons=people)) == {"solve/1", "solve/3", "edit/0001", "edit/0002"}


def test_a_shot_that_is_left_out_makes_its_people_anew_alone() -> None:
    shots = (PLAN.shots[0], replace(PLAN.shots[1], people=(0, 1)), *PLAN.shots[2:])
    done = changed(replace(PLAN, shots=shots))
    assert {"learn/3", "solve/3", "tune/0002", "edit/0002"} <= done
    assert not done & {"learn/1", "tune/0001", "edit/0001"}


def test_threads_and_generator_count() -> None:
    assert "learn/1" in changed(replace(PLAN, settings=replace(PLAN.settings, threads=1)))
    assert fingerprints(edit_tasks(PLAN, "other"))["learn/1"] != inputs()["learn/1"]


def test_everybody_is_looked_for_in_every_shot() -> None:
    clip = Clip(Path("/films/clip.mp4"), "ab", Fraction(24))
    film = Film(clip.path, CLIP, (clip,), (Shot(1, 0, 9), Shot(2, 10, 30)))
    assert [(task.name, task.frames) for task in face_tasks(film)] == [("faces/0001", 10), ("faces/0002", 21)]


def test_a_shot_without_anybody_has_no_task() -> None:
    nobody = tuple(PlannedShot(shot.shot, ()) for shot in PLAN.shots)
    assert edit_tasks(replace(PLAN, shots=nobody), "sha") == []


def test_a_clip_that_was_moved_makes_nothing_anew_and_layers_the_edits() -> None:
    moved = replace(PLAN, clips=(replace(PLAN.clips[0], path=Path("/elsewhere.mp4")),))
    assert changed(moved) == set()
    layers = replace(PLAN, settings=replace(PLAN.settings, layers=True))
    assert changed(layers) == {"edit/0001", "edit/0002"}
    (edit, *_) = [task for task in edit_tasks(layers, "sha") if task.stage == "edit"]
    assert edit.results == ("shots/0001.edited.mkv", "shots/0001.layers")
