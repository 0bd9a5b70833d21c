"""Who is who across shots, by embeddings that are made up."""

from __future__ import annotations

import numpy as np

from stitchedit.film.faces import ShotFace
from stitchedit.film.people import SAME_PERSON, doubts, find_people, mean_gap


def face(shot: int, who: int, number: int = 1, spread: float = 0.1, first: int = 0, toward: float = 0.0) -> ShotFace:
    """A face of somebody: two people are 0.8 apart, faces of one about `spread` from their mean."""
    random = np.random.default_rng((shot, who, number))
    identity = np.zeros(128)
    identity[who] = 0.8 / np.sqrt(2) * (1 - toward)
    identity[who + 1] += 0.8 / np.sqrt(2) * toward
    offset = random.normal(size=128)
    identity += spread * offset / np.linalg.norm(offset)
    return ShotFace(shot, number, identity.astype(np.float32), 10 * (who + 1), 90.0, first, first + 9)


def test_people_are_found_across_shots() -> None:
    faces = [face(shot, shot % 3) for shot in range(1, 31)]
    people = find_people(faces)
    assert [{f.shot % 3 for f in person.faces} for person in people] == [{2}, {1}, {0}], "the one seen most comes first"
    assert [person.number for person in people] == [1, 2, 3]
    assert doubts(people) == []


def test_two_who_are_seen_together_are_not_one() -> None:
    twins = [face(1, 0, 1), face(1, 0, 2), face(2, 0, 1), face(2, 0, 2)]
    people = find_people(twins)
    assert [len(person.faces) for person in people] == [2, 2]
    assert all(len(person.shots) == 2 for person in people)
    assert any("persons 1 and 2 cannot be told apart" in line and "shot 1" in line for line in doubts(people))


def test_one_who_leaves_and_comes_back_in_a_shot_may_be_one() -> None:
    assert len(find_people([face(1, 0, 1), face(1, 0, 2, first=20)])) == 1


def test_what_is_near_the_threshold_is_said() -> None:
    near = [face(shot, 0) for shot in range(1, 4)] + [face(shot, 0, toward=0.64) for shot in range(4, 7)]
    people = find_people(near)
    gap = mean_gap(near[:3], near[3:])
    assert abs(gap - SAME_PERSON) < 0.07
    assert any("may be" in line for line in doubts(people))


def test_nobody_and_one() -> None:
    assert find_people([]) == []
    assert [person.shots for person in find_people([face(3, 0)])] == [[3]]
