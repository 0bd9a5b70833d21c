import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from stitchedit.errors import InUse, NotAProject, ProjectError
from stitchedit.files.locks import Lock, released_at_end
from stitchedit.project.folder import Project
from stitchedit.project.sanity import refuse_strays, remove_parts


def test_many_read_or_one_writes(tmp_path: Path) -> None:
    readers = [Lock(tmp_path, alone=False) for _ in range(3)]
    with pytest.raises(InUse, match=f"process {os.getpid()}"):
        Lock(tmp_path, alone=True)
    for reader in readers:
        reader.release()
    writer = Lock(tmp_path, alone=True)
    for alone in (True, False):
        with pytest.raises(InUse):
            Lock(tmp_path, alone=alone)
    writer.release()
    writer.release()
    Lock(tmp_path, alone=True)
    assert not list(tmp_path.iterdir())


def test_a_lock_dies_with_its_process(tmp_path: Path) -> None:
    code = (
        "import sys, os, signal; from pathlib import Path; from stitchedit.files.locks import Lock\n"
        "lock = Lock(Path(sys.argv[1]), alone=True); print('held', flush=True); signal.pause()"
    )
    with subprocess.Popen([sys.executable, "-c", code, tmp_path], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(InUse, match=f"process {other.pid}"):
            Lock(tmp_path, alone=False)
        other.kill()
    Lock(tmp_path, alone=True)


def test_only_folders_are_locked(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for name in ("file", "missing"):
        with pytest.raises(NotAProject):
            Lock(tmp_path / name, alone=False)


def test_an_open_project_is_held_and_an_edit_by_one_at_a_time(tmp_path: Path) -> None:
    root = tmp_path / "clip.mp4.stitch"
    writing = Project.create(root)
    writing.records.save()
    with pytest.raises(InUse):
        Project.open(root)
    del writing
    one, two = Project.open(root), Project.open(root)
    with pytest.raises(InUse):
        Project.create(root)
    folder = one.take_edit("age+2")
    assert two.take_edit("smile+1") != folder
    with pytest.raises(InUse):
        two.take_edit("age+2")


def test_what_leads_out_of_a_project_is_refused(tmp_path: Path) -> None:
    root, outside = tmp_path / "clip.mp4.stitch", tmp_path / "outside"
    outside.mkdir()
    (outside / "keep.png").touch()
    Project.create(root).records.save()
    (root / "edits" / "age+2").mkdir(parents=True)
    Project.open(root)
    for place, make in {
        "crops": lambda p: p.symlink_to(outside),
        "tracks.npz": lambda p: p.symlink_to(outside / "keep.png"),
        "edits/age+2/stitched": lambda p: p.symlink_to(outside),
        "latents.safetensors": os.mkfifo,
    }.items():
        make(root / place)
        for way in (Project.open, Project.create):
            with pytest.raises(ProjectError, match=Path(place).name):
                way(root)
        (root / place).unlink()
    refuse_strays(root)
    assert [p.name for p in outside.iterdir()] == ["keep.png"]


def test_half_files_of_killed_runs_go(tmp_path: Path) -> None:
    root = tmp_path / "clip.mp4.stitch"
    (root / "crops").mkdir(parents=True)
    for name in (".tracks.npz.123.part", "crops/.000001.png.123.part", "crops/000001.png"):
        (root / name).touch()
    Project.create(root)
    assert sorted(p.name for p in root.rglob("*")) == ["000001.png", "crops"]
    remove_parts(root / "missing")


def test_what_was_locked_in_a_call_is_free_after_it_even_when_somebody_keeps_it(tmp_path: Path) -> None:
    def fail() -> None:
        with released_at_end():
            lock = Lock(tmp_path, alone=True)
            raise ValueError(str(lock))

    with pytest.raises(ValueError, match="Lock") as kept:
        fail()
    assert kept.tb is not None, "it has the frame, and so the lock"
    Lock(tmp_path, alone=True).release()
    outer = Lock(tmp_path, alone=False)
    with released_at_end():
        pass
    with pytest.raises(InUse):
        Lock(tmp_path, alone=True)
    outer.release()


def test_who_has_patience_gets_a_lock_that_is_let_go(tmp_path: Path) -> None:
    held = Lock(tmp_path, alone=True)
    threading.Timer(0.1, held.release).start()
    Lock(tmp_path, alone=True, patience=20).release()
    held = Lock(tmp_path, alone=True)
    with pytest.raises(InUse):
        Lock(tmp_path, alone=True, patience=0.05)
    held.release()
