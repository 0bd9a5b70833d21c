"""Kill a small job again and again at random moments, let it go on each time, and compare what it gives.

    python tests/e2e/killed_runs.py FOLDER KILLS SEED

Prints JSON: the moments, and what differed from a job that was left alone (nothing, if all is well). Every life of the
job is a fork of this process, which has the libraries loaded already. Half of the deaths come after a random time, the
others at a random call that changes a file or a folder, just before it or just after it, where the harm would be.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch

from stitchedit.config import EditConfig, EncodeConfig, InvertConfig, StitchConfig, TuneConfig
from stitchedit.pipeline import edit_clip, face_edit, invert_clip
from stitchedit.project.folder import Project
from stitchedit.video import open_video, write_video

TESTS = Path(__file__).parents[1]
TINY = TESTS / "golden" / "nv_r64_w64_m4.weights.safetensors"
FRAMES = 6
CALLS = ("fsync", "replace", "unlink", "mkdir", "rmdir", "link")
INVERT = InvertConfig(
    generator=str(TINY),
    encoder="optimize",
    encode=EncodeConfig(steps=6, most_steps=6),
    tune=TuneConfig(steps=20, full_frames=1, most_steps=20, checkpoint_every=3),
)


def prepare(folder: Path) -> None:
    folder.mkdir(parents=True)
    source = open_video(TESTS / "data" / "demo.mp4")
    write_video(folder / "clip.mp4", source, islice(source, FRAMES))
    np.save(folder / "push.npy", np.random.default_rng(0).normal(size=64).astype(np.float32))


def job(folder: Path) -> None:
    """The whole job, of which all that is finished is kept."""
    face_edit.CHAIN_SAVED_EVERY = 2
    invert_clip.invert(folder / "clip.mp4", None, INVERT)
    edits = ((str(folder / "push.npy"), 1.5),)
    config = EditConfig(edits=edits, stitch=StitchConfig(steps=2, first_steps=4, border_threshold=0))
    edit_clip.edit(Project.open(folder / "clip.mp4.stitch"), config, folder / "out.mp4")


def life(folder: Path, prologue: Callable[[], None] = lambda: None) -> int:
    """The process of a job that starts with `prologue`."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        prologue()
        job(folder)
        code = 0
    finally:
        os._exit(code)


def ended(child: int) -> bool:
    """Whether it came to its end, rather than be killed. Raises RuntimeError, when it failed by itself."""
    status = os.waitpid(child, 0)[1]
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        return False
    if status:
        raise RuntimeError(f"a job failed with status {status}")
    return True


def dying_at_call(number: int, after: bool) -> Callable[[], None]:
    """Makes the process kill itself at its call number `number` that changes something on disk."""

    def prologue() -> None:
        count = 0

        def deadly(real: Callable[..., Any]) -> Callable[..., Any]:
            def call(*arguments: Any, **options: Any) -> Any:
                nonlocal count
                count += 1
                if count == number and not after:
                    os.kill(os.getpid(), signal.SIGKILL)
                result = real(*arguments, **options)
                if count == number:
                    os.kill(os.getpid(), signal.SIGKILL)
                return result

            return call

        for name in CALLS:
            setattr(os, name, deadly(getattr(os, name)))

    return prologue


def packets(path: Path) -> list[tuple[object, ...]]:
    """Every packet of a video: stream, times, and the hash of its content."""
    with av.open(path) as container:
        return [
            (p.stream_index, p.pts, p.dts, p.duration, hashlib.sha256(bytes(memoryview(p))).hexdigest())
            for p in container.demux()
            if p.size
        ]


def results(folder: Path) -> dict[str, str]:
    """Hashes of what a finished job leaves, by name; the records keep times of the clock, the log too."""
    found = {"out.mp4": hashlib.sha256(repr(packets(folder / "out.mp4")).encode()).hexdigest()}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix not in (".toml", ".mp4", ".log"):
            found[str(path.relative_to(folder))] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def main(folder: Path, kills: int, seed: int) -> dict[str, Any]:
    torch.set_num_threads(1)  # before the first fork: a pool of threads would not survive it
    rng = random.Random(seed)
    alone, victim = folder / "alone", folder / "victim"
    prepare(alone)
    start = time.monotonic()
    if not ended(life(alone)):
        raise RuntimeError("something else killed the job")
    seconds, expected = time.monotonic() - start, results(alone)
    moments, differences, finished = [], [], 0
    while len(moments) < kills or victim.exists():
        if not victim.exists():
            prepare(victim)
        if len(moments) >= kills:
            child, moment = life(victim), "left alone"
        elif rng.random() < 0.5:
            wait = rng.uniform(0, 0.8 * seconds)
            child, moment = life(victim), f"after {wait:.2f} s"
            time.sleep(wait)
            os.kill(child, signal.SIGKILL)
        else:
            number, after = rng.randint(1, 60), rng.random() < 0.5
            child = life(victim, dying_at_call(number, after))
            moment = f"{'after' if after else 'before'} file call {number}"
        if not ended(child):
            left = sorted(str(p.relative_to(victim)) for p in (victim / "clip.mp4.stitch").glob("*"))
            moments.append(f"{moment}: {', '.join(Path(p).name for p in left) or 'nothing there yet'}")
            if (victim / "out.mp4").exists() and packets(victim / "out.mp4") != packets(alone / "out.mp4"):
                differences.append(f"half a video, killed {moment}")
            continue
        got = results(victim)
        differences += [name for name in sorted({*got, *expected}) if got.get(name) != expected.get(name)]
        finished += 1
        shutil.rmtree(victim)
    return {"seconds_alone": round(seconds, 2), "moments": moments, "finished": finished, "differences": differences}


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])), indent=1))  # noqa: T201
