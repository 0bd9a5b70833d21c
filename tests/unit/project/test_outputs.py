from pathlib import Path

import pytest

from stitchedit.errors import ProjectError
from stitchedit.project.outputs import (
    begin_output,
    find_output,
    note_output,
    outputs_of,
    recall,
    was_begun,
    why_replaced,
)
from stitchedit.project.records import Records

STITCH = {"tune": "abc", "steps": "8"}


def video(output: Path, blender: str = "multiband") -> dict[str, str]:
    return {"blender": blender, "output": str(output.resolve())}


def write(folder: Path, name: str, text: str, blender: str = "multiband") -> Records:
    """An edit that wrote a file, as `edit` does it."""
    records, output = Records.open_or_create(folder / "edit.toml"), folder / name
    if "stitch" not in records.data["stages"]:
        records.finish("stitch", STITCH)
    begin_output(records, output)
    output.write_text(text)
    records.finish("video", video(output, blender))
    note_output(records, output)
    return Records.read(records.path)


def test_every_file_that_an_edit_wrote_is_known_wherever_it_lies(tmp_path: Path) -> None:
    write(tmp_path, "first.mp4", "one")
    records = write(tmp_path, "second.mp4", "two", "feather")
    assert [output.path.name for output in outputs_of(records)] == ["first.mp4", "second.mp4"]
    moved = (tmp_path / "first.mp4").rename(tmp_path / "moved.mp4")
    found = find_output(records, moved)
    assert found is not None
    assert found.as_of(records).inputs("video")["blender"] == "multiband", "not that of the second"
    assert found.as_of(records).inputs("stitch") == STITCH
    moved.write_text("changed since")
    assert find_output(records, moved) is None
    assert find_output(records, tmp_path / "missing.mp4") is None


def test_a_file_written_over_is_on_record_once(tmp_path: Path) -> None:
    write(tmp_path, "out.mp4", "one")
    records = write(tmp_path, "out.mp4", "two", "feather")
    assert [output.as_of(records).inputs("video")["blender"] for output in outputs_of(records)] == ["feather"]


def test_why_a_file_may_not_be_replaced(tmp_path: Path) -> None:
    output, other = tmp_path / "out.mp4", tmp_path / "mine.mp4"
    other.write_text("a stranger's")
    records = write(tmp_path, "out.mp4", "one")
    now = {"stitch": STITCH, "video": video(output)}
    assert why_replaced(records, output, now) is None
    assert why_replaced(records, other, {}) == "it is no output of this edit"
    changed = why_replaced(records, output, now | {"video": video(output, "feather")})
    assert changed == "it holds this edit with other settings: blender was multiband, is feather"
    assert "steps was 8, is 2" in str(why_replaced(records, output, now | {"stitch": {"tune": "abc", "steps": "2"}}))


def test_what_is_there_is_taken_up_and_what_is_not_is_forgotten(tmp_path: Path) -> None:
    write(tmp_path, "first.mp4", "one")
    records = write(tmp_path, "second.mp4", "two", "feather")
    first = tmp_path / "first.mp4"
    recall(records, first, [first])
    assert records.why_redo("video", video(first), [first]) is None, "written before the second, and still there"
    first.write_text("a stranger's")
    recall(records, first, [first])
    assert records.why_redo("video", video(first), [first]) == "not done yet"
    first.unlink()
    recall(records, first, [first])
    assert records.why_redo("video", video(first), [first]) == "first.mp4 is missing"


def test_a_file_whose_run_was_killed_before_its_record_is_known(tmp_path: Path) -> None:
    records, output = Records.open_or_create(tmp_path / "edit.toml"), tmp_path / "out.mp4"
    begin_output(records, output)
    assert was_begun(Records.read(records.path), output)
    assert not was_begun(Records.read(records.path), tmp_path / "other.mp4")
    assert not was_begun(write(tmp_path, "out.mp4", "one"), output), "it came to its end"


def test_a_record_from_before_all_outputs_were_kept(tmp_path: Path) -> None:
    records = write(tmp_path, "out.mp4", "one")
    del records.data["outputs"]
    assert find_output(records, tmp_path / "out.mp4") is not None
    del records.data["stages"]["video"]["sha256"]
    assert find_output(records, tmp_path / "out.mp4") is not None, "by its name"


@pytest.mark.parametrize("outputs", [3, [3], [{"path": "x"}], [{"path": "x", "sha256": "y", "video": 3}]])
def test_damaged_records(tmp_path: Path, outputs: object) -> None:
    records = write(tmp_path, "out.mp4", "one")
    records.data["outputs"] = outputs
    with pytest.raises(ProjectError, match="damaged"):
        outputs_of(records)
