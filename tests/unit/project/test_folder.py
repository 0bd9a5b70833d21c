import os
import shutil
from dataclasses import replace
from pathlib import Path

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stitchedit.config import InvertConfig, TrackConfig
from stitchedit.errors import NotAProject, NotWritable, ProjectError, SchemaTooNew, StageMissing, StitcheditError
from stitchedit.files.atomic import atomic, make_folder
from stitchedit.project.folder import Project, default_root, newest_project, open_project, relocate, root_of
from stitchedit.project.records import SCHEMA, Records, fingerprint_of, inputs_of
from stitchedit.video.clip_hash import pictures_sha256
from stitchedit.video.transfer_curves import PQ

CLIP = Path(__file__).parents[2] / "data" / "demo.mp4"


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


@pytest.fixture
def known(tmp_path: Path) -> Path:
    """The project of a clip, as `invert` leaves it; the clip put into another container lies beside it."""
    shutil.copyfile(CLIP, tmp_path / "clip.mp4")
    with av.open(CLIP) as old, av.open(tmp_path / "other.mkv", "w") as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        for packet in old.demux(old.streams.video[0]):
            if packet.dts is not None:
                packet.stream = stream
                new.mux(packet)
    root = default_root(tmp_path / "clip.mp4")
    project = Project.create(root)
    project.take_source(tmp_path / "clip.mp4", preset="fast", generator="default")
    project.note_pictures(pictures_sha256(tmp_path / "clip.mp4"))
    return root


def test_a_remuxed_clip_is_the_same_clip(known: Path) -> None:
    other = known.with_name("other.mkv")
    project = Project.open(known)
    assert project.is_clip(other)
    del project
    project = Project.create(known)
    sha = project.fact("source", "sha256")
    assert project.take_source(other, preset="fast", generator="default") == sha, "so that no stage is done again"
    assert (project.source, project.is_clip(other), project.is_clip(known.with_name("clip.mp4"))) == (other, True, True)


def test_a_clip_that_was_moved_is_taken_from_its_new_place(known: Path) -> None:
    moved = known.with_name("clip.mp4").rename(known.with_name("moved.mp4"))
    with pytest.raises(ProjectError, match="is not there any more") as told:
        Project.open(known).require_source()
    assert "--source" in told.value.hint
    told = None  # type: ignore[assignment]  # the traceback holds the project open
    relocate(known, moved)
    assert Project.open(known).require_source() == moved
    relocate(known, known.with_name("other.mkv"))
    assert Project.open(known).source.name == "other.mkv"
    (known.with_name("text.mp4")).write_text("another one")
    with pytest.raises(StitcheditError):
        relocate(known, known.with_name("text.mp4"))


def test_a_project_is_named_by_its_clip_too(known: Path) -> None:
    assert open_project(known.with_name("clip.mp4")).root == known
    with pytest.raises(NotAProject, match=r"other\.mkv\.stitch"):
        open_project(known.with_name("other.mkv"))


def test_names_that_are_no_utf8_are_kept_byte_for_byte(tmp_path: Path) -> None:
    clip = tmp_path / os.fsdecode(b"caf\xe9.mp4")
    shutil.copyfile(CLIP, clip)
    project = Project.create(default_root(clip))
    project.take_source(clip, preset="fast", generator="default")
    project.records.finish("track", {"like": clip.name})
    del project
    opened = Project.open(default_root(clip))
    assert opened.require_source() == clip
    assert opened.records.why_redo("track", {"like": clip.name}, []) is None
    assert b'"../caf\xe9.mp4"' in opened.records.path.read_bytes()


def test_long_names_have_room_for_the_parts_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / ("\u00e9" * 125 + ".png")
    with atomic(path) as temp:
        temp.write_text("whole")
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_a_project_is_named_by_its_clip_or_by_what_is_in_it(tmp_path: Path) -> None:
    project, clip = tmp_path / "a.mp4.stitch", tmp_path / "a.mp4"
    (project / "crops").mkdir(parents=True)
    (project / "project.toml").touch()
    clip.touch()
    for named in (project, clip, project / "project.toml", project / "crops"):
        assert root_of(named) == project
    for named in (tmp_path / "b.mp4", tmp_path):
        assert root_of(named) == named, "which the error names"


def test_a_project_keeps_how_its_clip_looks_and_sees_that_this_has_changed(tmp_path: Path) -> None:
    shutil.copy(CLIP, tmp_path / "clip.mp4")
    project = Project.create(tmp_path / "clip.mp4.stitch")
    kept = {"preset": "fast", "generator": "default"}
    project.take_source(tmp_path / "clip.mp4", **kept, view=PQ)
    again = Project(project.root, Records.read(project.records.path))
    source = again.open_clip()
    assert source.view is not None
    assert source.view.name == "PQ"
    assert again.records.data["source"]["chart"]
    for chart in ("1.000 2.000", None):
        again.records.data["source"]["chart"] = chart
        with pytest.raises(ProjectError):
            again.open_clip()
    project.take_source(tmp_path / "clip.mp4", **kept)
    assert project.open_clip().view is None, "as all were before there was a choice"
