"""What a job that was killed, stopped or starved leaves behind, and how it goes on."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from itertools import islice
from pathlib import Path

import pytest

from stitchedit.video import open_video, write_video

TESTS = Path(__file__).parents[1]
TINY = TESTS / "golden" / "nv_r64_w64_m4.weights.safetensors"


@pytest.mark.slow
def test_killed_at_twenty_random_moments_it_gives_the_same_packets(tmp_path: Path) -> None:
    script = Path(__file__).with_name("killed_runs.py")
    seed = time.time_ns() % 1_000_000
    done = subprocess.run(
        [sys.executable, script, tmp_path / "runs", "20", str(seed)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert len(found["moments"]) == 20
    assert found["finished"] >= 1
    assert found["differences"] == [], f"seed {seed}: {found}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    source = open_video(TESTS / "data" / "demo.mp4")
    write_video(tmp_path / "clip.mp4", source, islice(source, 3))
    return tmp_path


def start(folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "stitchedit", "invert", "clip.mp4", "--generator", TINY, "--preset", "fast"]
    environment = {**os.environ, "COLUMNS": "200"}
    return subprocess.Popen(
        command,
        cwd=folder,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # tests in the background may have it ignored
    )


def until(process: subprocess.Popen[str], text: str) -> None:
    assert process.stderr is not None
    for line in process.stderr:
        if text in line:
            return
    raise AssertionError(f"it ended before it said {text!r}")


@pytest.mark.slow
@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_asked_to_stop_it_says_one_line_and_keeps_its_work(folder: Path, name: str, code: int) -> None:
    process = start(folder)
    until(process, "tune: ")
    process.send_signal(signal.Signals[name])
    assert process.stderr is not None
    said = process.stderr.read().splitlines()
    assert process.wait() == code
    ours = [line for line in said if "INFO" not in line]
    assert ours == [f"stopped ({name}); the same command goes on from here"]
    project = folder / "clip.mp4.stitch"
    assert (project / "latents.safetensors").is_file()
    assert not list(project.glob(".*.part"))
    process.stderr.close()
    again = start(folder)
    until(again, "encode: nothing changed, kept")
    again.kill()
    again.communicate()


@pytest.mark.slow
def test_two_processes_do_not_write_in_one_project(folder: Path) -> None:
    first = start(folder)
    until(first, "track: ")
    first.send_signal(signal.SIGSTOP)  # a busy machine may let it finish before the second one looks
    second = start(folder)
    said = second.communicate()[1]
    assert second.returncode == 3
    assert f"is in use by process {first.pid}" in said
    first.kill()
    first.communicate()


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("unshare") is None, reason="needs unshare(1)")
@pytest.mark.parametrize("kilobytes", [20, 1500])
def test_a_full_disk_is_one_line_and_leaves_no_half_file(folder: Path, tmp_path: Path, kilobytes: int) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    job = (
        "import sys; sys.path.insert(0, sys.argv[1]); from pathlib import Path; import killed_runs as runs\n"
        "from stitchedit.errors import DiskFull; from stitchedit.pipeline import invert_clip, invert_plan\n"
        "for module in (invert_clip, invert_plan):\n"
        "    module.require_disk_space = lambda *_: None  # which would say it before any work\n"
        "try:\n    invert_clip.invert(Path('clip.mp4'), Path('disk/p'), runs.INVERT)\n"
        "except DiskFull as exc:\n    print(exc, *[p.name for p in Path('disk').rglob('.*.part')])\n"
    )
    mount = f"mount -t tmpfs -o size={kilobytes}k none disk || exit 77; exec "
    command = mount + " ".join(['"$0"', "-c", '"$1"', '"$2"'])
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", command, sys.executable, job, str(TESTS / "e2e")],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 77 or "unshare" in done.stderr:
        pytest.skip("mounting is not allowed here")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("no space left while writing disk/p/")
    assert len(done.stdout.split()) == 6, "and nothing half written"
