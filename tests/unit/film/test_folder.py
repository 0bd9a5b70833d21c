"""Names in a film's folder: one a thing, the same on all machines."""

from pathlib import Path

from stitchedit.film import folder as names


def test_no_two_things_have_one_name() -> None:
    of_shot = (names.shot, names.faces, names.shot_project, names.edited)
    of_person = (names.reel, names.person_project, names.learned, names.strengths)
    every = [name(n) for n in (1, 12345) for name in (*of_shot, *of_person)]
    assert len(set(every)) == len(every)
    assert all(not Path(name).is_absolute() for name in every)
    assert names.default_folder(Path("a/clip.mp4")) == Path("a/clip.mp4.film")
    assert names.FilmFolder(Path("x")).at(names.record("tune/0007")) == Path("x/tasks/tune/0007.toml")
