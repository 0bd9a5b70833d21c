from itertools import islice
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from stitchedit.cli import main as command_line
from stitchedit.errors import CannotEncode, NotAProject, NotWritable, ProjectError, TooLittleRoom
from stitchedit.faces.alignment import crop
from stitchedit.files import disk_space
from stitchedit.files.disk_space import folder_bytes, pictures_bytes, require_disk_space
from stitchedit.files.image_folder import PictureFolder
from stitchedit.project.cleanup import clean, restore_crops
from stitchedit.project.folder import Project
from stitchedit.types import Crops
from stitchedit.video import open_video, try_output, try_writing, usual_suffix, write_video

CLIP = Path(__file__).parents[2] / "data" / "demo.mp4"
SIZE = 96


def test_too_little_room_is_said_before_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Path] = []

    def usage(path: Path) -> SimpleNamespace:
        asked.append(path)
        return SimpleNamespace(free=1000)

    monkeypatch.setattr(disk_space.shutil, "disk_usage", usage)
    require_disk_space(tmp_path / "not" / "there" / "yet", 1000)
    assert asked == [tmp_path]
    with pytest.raises(TooLittleRoom) as found:
        require_disk_space(tmp_path, 1001)
    assert found.value.exit_code == 9


def test_what_is_no_disk_is_not_told_to_be_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if Path("/proc/self").is_dir():
        require_disk_space(Path("/proc/project"), 1000)  # writing there will tell
    monkeypatch.setattr(disk_space.os, "statvfs", lambda _: SimpleNamespace(f_flag=disk_space.os.ST_RDONLY, f_blocks=9))
    with pytest.raises(NotWritable, match="its file system is read-only"):
        require_disk_space(tmp_path, 1000)


@pytest.fixture
def project(tmp_path: Path) -> tuple[Project, Crops]:
    """Two of the first four frames, with their crops, an edit's pictures and a finished tuning."""
    made = Project.create(tmp_path / "demo.mp4.stitch")
    pictures = PictureFolder(made.crops, 2, SIZE)
    stitched = PictureFolder(made.edit_folder("age+2") / "stitched", 2, SIZE)
    quads = np.array([[[250, 80], [250, 280], [450, 280], [450, 80]]] * 2, np.float32)
    for folder in (made.crops, stitched.folder):
        folder.mkdir(parents=True)
    (made.crops / "crops.npz").write_bytes(b"kept")
    made.checkpoint.write_bytes(b"left over")
    for frame in islice(open_video(CLIP), 4):
        if frame.index in (1, 3):
            pictures.save(frame.index // 2, crop(frame.rgb(), quads[frame.index // 2], SIZE))
            stitched.save(frame.index // 2, np.zeros((SIZE, SIZE, 3), np.uint8))
    made.records.finish("tune", {})
    return made, Crops(np.array([1, 3]), quads, pictures, SIZE)


def test_crops_come_back_bit_for_bit(project: tuple[Project, Crops]) -> None:
    made, crops = project
    before = [pictures.read_bytes() for pictures in sorted(made.crops.glob("*.png"))]
    everything = folder_bytes(made.root)
    freed = clean(made)
    assert freed == everything - folder_bytes(made.root) > sum(map(len, before))
    left = sorted(p.name for p in made.root.rglob("*") if p.is_file())
    assert left == ["crops.npz", "project.toml"]
    assert clean(made) == 0
    restore_crops(made, open_video(CLIP), crops)
    assert [pictures.read_bytes() for pictures in sorted(made.crops.glob("*.png"))] == before
    (made.crops / "000000.png").write_bytes(b"not looked at while all are there")
    restore_crops(made, open_video(CLIP), crops)
    assert (made.crops / "000000.png").read_bytes() == b"not looked at while all are there"


def test_an_unfinished_tuning_keeps_its_checkpoint(project: tuple[Project, Crops]) -> None:
    made, _ = project
    made.records.forget("tune")
    clean(made)
    assert made.checkpoint.exists()


def test_a_clip_that_lacks_frames(project: tuple[Project, Crops], tmp_path: Path) -> None:
    made, crops = project
    clean(made)
    source = open_video(CLIP)
    write_video(tmp_path / "short.mp4", source, islice(source, 2))
    with pytest.raises(ProjectError, match="lacks frames"):
        restore_crops(made, open_video(tmp_path / "short.mp4"), crops)


def test_the_estimate_is_near_what_pictures_take(project: tuple[Project, Crops]) -> None:
    made, crops = project
    real = sum(path.stat().st_size for path in made.crops.glob("*.png"))
    assert 0.5 * real < pictures_bytes(2, crops.size) < 4 * real


def test_the_command_says_what_it_freed(
    project: tuple[Project, Crops], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    made, _ = project
    root = made.root
    made._locks.clear()
    command_line.clean(root)
    assert "freed 0.0 MB" in capsys.readouterr().out
    with pytest.raises(NotAProject):
        command_line.clean(tmp_path)
    assert not (tmp_path / "project.toml").exists()


def test_what_cannot_be_written_is_known_at_once(tmp_path: Path) -> None:
    source = open_video(CLIP)
    try_writing(tmp_path / "out.mp4", source)
    try_writing(tmp_path / "out.mkv", source, lossless=True)
    with pytest.raises(CannotEncode):
        try_writing(tmp_path / "out.wmv", source)
    with pytest.raises(NotWritable):
        try_writing(tmp_path / "no" / "out.mp4", source)
    assert try_output(tmp_path / "no" / "out.mp4", source) == try_writing(tmp_path / "out.mp4", source)
    with pytest.raises(CannotEncode, match=f"{tmp_path}/no/out.wmv"):
        try_output(tmp_path / "no" / "out.wmv", source)
    assert not list(tmp_path.iterdir())
    names = ("a.MOV", "a.mp4", "a.webm", "a.gif", "a")
    assert [usual_suffix(Path(name)) for name in names] == [".MOV", ".mp4", ".webm", ".gif", ".mkv"]
