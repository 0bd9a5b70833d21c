import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stitchedit.config import InvertConfig, TrackConfig
from stitchedit.errors import NotAProject, NotWritable, ProjectError, SchemaTooNew, StageMissing
from stitchedit.files.atomic import atomic, make_folder
from stitchedit.project.folder import Project, default_root, newest_project
from stitchedit.project.records import SCHEMA, Records, fingerprint_of, inputs_of


def test_a_stage_is_skipped_only_while_its_inputs_and_results_are_the_same(tmp_path: Path) -> None:
    records, result = Records.open_or_create(tmp_path / "project.toml"), tmp_path / "tracks.npz"
    inputs = {"source": "abc", "gap_s": "0.25"}
    assert records.why_redo("track", inputs, [result]) == "not done yet"
    result.touch()
    records.finish("track", inputs)
    again = Records.read(tmp_path / "project.toml")
    assert again.why_redo("track", inputs, [result]) is None
    assert again.why_redo("track", inputs | {"gap_s": "0.5"}, [result]) == "gap_s was 0.25, is 0.5"
    assert again.why_redo("track", inputs | {"new": "1"}, [result]) == "new was absent, is 1"
    assert again.why_redo("track", {"source": "abc"}, [result]) == "gap_s was 0.25, is absent"
    result.unlink()
    assert again.why_redo("track", inputs, [result]) == "tracks.npz is missing"


def test_a_forgotten_stage_is_done_again(tmp_path: Path) -> None:
    records = Records.open_or_create(tmp_path / "project.toml")
    records.finish("track", {"a": "1"})
    records.forget("track")
    with pytest.raises(StageMissing):
        Records.read(tmp_path / "project.toml").fingerprint("track")


@given(st.dictionaries(st.text(min_size=1), st.text(), max_size=4))
def test_records_come_back_as_written(inputs: dict[str, str]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "project.toml"
        Records.open_or_create(path).finish("stage", inputs)
        again = Records.read(path)
        assert again.why_redo("stage", inputs, []) is None
        assert again.fingerprint("stage") == fingerprint_of(inputs)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("schema = 99999\n", SchemaTooNew),
        ("schema = 'one'\n", ProjectError),
        ("stages = 3\nschema = 1\n", ProjectError),
        ("not toml at all [", ProjectError),
        ("a = " + "[" * 5000, ProjectError),
        ("", ProjectError),
    ],
)
def test_a_strange_project_file_is_one_clear_error(tmp_path: Path, text: str, error: type[Exception]) -> None:
    (tmp_path / "project.toml").write_text(text)
    with pytest.raises(error):
        Project.open(tmp_path)


def test_no_project(tmp_path: Path) -> None:
    with pytest.raises(NotAProject):
        Project.open(tmp_path)
    with pytest.raises(NotAProject):
        newest_project(tmp_path)


def test_the_project_inverted_last_is_the_newest(tmp_path: Path) -> None:
    for index, name in enumerate(["b", "a", "c"]):
        project = Project.create(tmp_path / f"{name}.mp4.stitch")
        project.records.save()
        os.utime(project.records.path, ns=(index, index))
    assert newest_project(tmp_path).name == "c.mp4.stitch"


def test_the_clip_is_found_after_both_moved(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    (here / "clip.mp4").write_bytes(b"x")
    Project.create(default_root(here / "clip.mp4")).take_source(here / "clip.mp4", preset="fast", generator="default")
    here.rename(there)
    moved = Project.open(there / "clip.mp4.stitch")
    assert moved.source == there / "clip.mp4"
    assert moved.fact("settings", "preset") == "fast"


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), atomic(path) as temp:  # noqa: PT012
        temp.write_text("half")
        raise KeyboardInterrupt
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_places_that_take_no_files(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NotWritable):
        make_folder(tmp_path / "file")
    with pytest.raises(NotWritable):
        make_folder(tmp_path / "file" / "below")
    with pytest.raises(NotWritable):
        make_folder(Path("/proc/none"))


def test_inputs_name_every_setting() -> None:
    flat = inputs_of(InvertConfig())
    assert flat["track.gap_s"] == "0.25"
    assert flat["preset"] == "balanced"
    changed = inputs_of(InvertConfig(track=replace(TrackConfig(), gap_s=1.0)))
    assert {k for k in flat if flat[k] != changed[k]} == {"track.gap_s"}
    assert isinstance(SCHEMA, int)
