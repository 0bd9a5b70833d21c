"""Several faces of one clip: who gets which edit, what is tracked and kept, and what one pass puts back."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from stitchedit.config import EditConfig, InvertConfig
from stitchedit.errors import ConfigError, InUse, NotAProject
from stitchedit.pipeline import multi_face
from stitchedit.pipeline.face_edit import edits_of_faces
from stitchedit.pipeline.multi_face import follow_faces, open_faces
from stitchedit.pipeline.options import edit_only, whose_face
from stitchedit.project.folder import Project
from stitchedit.types import ByteArray, Tracks
from stitchedit.video import VideoSource, open_video, paste, write_video

CLIP = Path(__file__).parents[2] / "data" / "demo.mp4"
FRAMES = 3


def twins(folder: Path) -> Path:
    """A clip in which the face of the demo, on the left, has a smaller mirror image on the right."""
    source = open_video(CLIP)

    def frames() -> Iterator[object]:
        for frame in islice(source, FRAMES):
            rgb = frame.rgb()
            face = rgb[20:340, 150:490]
            both = np.full_like(rgb, 100)
            both[20:340, :340] = face
            both[40:296, 350:622] = _smaller(face[:, ::-1])
            yield paste(frame, both.astype(np.float32), np.ones(rgb.shape[:2], np.float32), (0, 0, *frame.size))

    write_video(folder / "clip.mp4", source, frames())  # type: ignore[arg-type]
    return folder / "clip.mp4"


def _smaller(picture: ByteArray) -> ByteArray:
    import cv2

    return np.asarray(cv2.resize(picture, (272, 256), interpolation=cv2.INTER_AREA))


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> VideoSource:
    return open_video(twins(tmp_path_factory.mktemp("twins")))


def silent(stage: str, done: int, total: int, note: str = "") -> None:
    pass


def centres(tracks: Tracks) -> list[float]:
    return [float(points[:, 0].mean()) for points in tracks.landmarks]


def test_all_faces_are_tracked_in_one_reading_and_kept(
    clip: VideoSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    readings = []
    once = multi_face.iter_rgb
    monkeypatch.setattr(multi_face, "iter_rgb", lambda source: readings.append(1) or once(source))  # type: ignore[func-returns-value]

    def follow(*faces: str) -> list[multi_face.TrackedFace]:
        project = Project.create(tmp_path / "clip.mp4.stitch")
        return follow_faces(project, clip, whose_face(InvertConfig(), faces), silent)

    with caplog.at_level(logging.INFO):
        first, second = follow("1", "2")
    assert len(readings) == 1
    assert max(centres(first.tracks)) < 340 < min(centres(second.tracks))
    assert second.project.root == tmp_path / "clip.mp4.stitch" / "persons" / "2"
    assert second.project.source == clip.info.path, "known from in there too"
    assert first.fingerprint != second.fingerprint
    del first, second  # the projects are held as long as they are open
    everyone = follow("all")
    assert len(readings) == 2, "that there are two is not known before"
    assert [face.stages.seconds["track"] for face in everyone] == [0.0, 0.0], "they are those that were tracked"
    del everyone
    assert [face.stages.seconds["track"] for face in follow("all")] == [0.0, 0.0]
    assert len(readings) == 2, "now it is"
    assert len(open_faces(Project.open(tmp_path / "clip.mp4.stitch"))) == 2
    follow("largest")
    assert len(open_faces(Project.open(tmp_path / "clip.mp4.stitch"))) == 1, "asked for alone again"


def test_faces_that_are_not_there_or_one_person_twice_leave_nothing(clip: VideoSource, tmp_path: Path) -> None:
    root = tmp_path / "clip.mp4.stitch"
    for faces, words in (
        (("1", "3"), "there is no face 3: 2 faces were followed"),
        (("1", "130,150@0"), "mean the same person"),
    ):
        with pytest.raises(ConfigError, match=words):
            follow_faces(Project.create(root), clip, whose_face(InvertConfig(), faces), silent)
        assert not root.exists()
    follow_faces(Project.create(root), clip, InvertConfig(), silent)
    with pytest.raises(ConfigError, match="no face 3"):
        follow_faces(Project.create(root), clip, whose_face(InvertConfig(), ("1", "3")), silent)
    assert not (root / "persons").exists()
    assert Project.open(root).faces == 1


def test_what_is_broken_in_a_clip_is_kept_for_the_summary(clip: VideoSource, tmp_path: Path) -> None:
    import av

    whole, cut = tmp_path / "whole.mkv", tmp_path / "cut.mkv"
    with av.open(str(clip.info.path)) as source, av.open(str(whole), "w") as copy:
        stream = copy.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(source.streams.video[0]):
            if packet.dts is not None:
                packet.stream = stream
                copy.mux(packet)
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 9 // 10])
    project = Project.create(tmp_path / "cut.mkv.stitch")
    follow_faces(project, open_video(cut), InvertConfig(), silent)
    assert "cut short" in project.fact("notes", "damage")
    project = Project.create(tmp_path / "whole.mkv.stitch")
    follow_faces(project, open_video(whole), InvertConfig(), silent)
    assert project.fact("notes", "damage") == ""


def test_who_works_on_one_face_holds_the_whole_project(clip: VideoSource, tmp_path: Path) -> None:
    root = tmp_path / "clip.mp4.stitch"
    follow_faces(Project.create(root), clip, whose_face(InvertConfig(), ("1", "2")), silent)
    alone = Project.open(root / "persons" / "2")
    with pytest.raises(InUse):
        Project.create(root)
    del alone
    Project.create(root)


def test_choices_of_faces() -> None:
    def chosen(*faces: str) -> tuple[str, ...]:
        config = whose_face(InvertConfig(), faces)
        return (config.track.face, *config.others)

    assert chosen("2") == ("2",)
    assert chosen("1", " 3 ") == ("largest", "3")
    assert chosen("all") == ("largest", "all")
    for faces in (("all", "2"), ("2", "2"), ("1", "largest")):
        with pytest.raises(ConfigError):
            chosen(*faces)


def test_every_face_gets_its_edits(tmp_path: Path) -> None:
    projects = [Project.create(tmp_path / name) for name in ("a", "b", "c")]
    both = EditConfig(edits=(("age", 2.0), ("smile", 1.0)))

    def given(*only: str) -> dict[int, list[str]]:
        return {
            f.number: [direction.name for direction, _ in f.edits]
            for f in edits_of_faces(projects, edit_only(both, only))
        }

    assert given() == {1: ["age", "smile"], 2: ["age", "smile"], 3: ["age", "smile"]}
    assert given("2") == {2: ["age", "smile"]}
    assert given("1,3", "2") == {1: ["age"], 2: ["smile"], 3: ["age"]}
    assert given("all", "3") == {1: ["age"], 2: ["age"], 3: ["age", "smile"]}
    with pytest.raises(ConfigError, match="--only 4: 3 faces were inverted"):
        given("4")
    for only in (("0",), ("x",), ("",), ("1,",), ("1", "2", "3"), ("²",)):
        with pytest.raises(ConfigError):
            given(*only)


def test_a_project_that_names_faces_it_has_not(tmp_path: Path) -> None:
    project = Project.create(tmp_path / "clip.mp4.stitch")
    project.records.data["settings"] = {"faces": 3}
    with pytest.raises(NotAProject):
        open_faces(project)
    for count in (0, 10**9, "2", -1):
        project.records.data["settings"] = {"faces": count}
        with pytest.raises(Exception, match="is damaged: it names"):
            open_faces(project)
