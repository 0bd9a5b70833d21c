"""Kill a film's job again and again, workers and whoever gave the command, and compare what it gives.

    PYTHONPATH=tests python tests/e2e/killed_films.py FOLDER KILLS SEED

Prints JSON: the moments, and what differed from a film that was made in one process and left alone.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import films
import numpy as np
from films import packets, write_film

from stitchedit.film.given import Given
from stitchedit.film.join import Output
from stitchedit.film.make import Choice
from stitchedit.film.run import Until, Where, film

SETTINGS = replace(films.SETTINGS, encode_steps=6)


def make(folder: Path, name: str, workers: int, **where: Any) -> Path:
    """Make the film of `prepare` in a folder of this name; gives the video."""
    clip, output = folder / "clip.mp4", folder / f"{name}.mp4"
    choice = Choice(("all",), ((str(folder / "push.npy"), 2.0),))
    place = Where(Given(clip), folder / name, workers=workers, **where)
    film(place, choice, SETTINGS, Output(output, metadata_only=True), Until())
    return output


def prepare(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    write_film(folder / "clip.mp4")
    np.save(folder / "push.npy", np.random.default_rng(0).normal(size=64).astype(np.float32))


def children(pid: int) -> list[int]:
    """The processes that a process started, where the system tells (Linux)."""
    with suppress(OSError):
        return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def main(folder: Path, kills: int, seed: int) -> dict[str, Any]:
    rng = random.Random(seed)
    prepare(folder)
    start = time.monotonic()
    expected = packets(make(folder, "alone", 0))
    seconds, moments, differences = time.monotonic() - start, [], []
    command = [sys.executable, __file__, str(folder), "victim"]
    output = folder / "victim.mp4"
    while True:
        job = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        if len(moments) < kills:
            with suppress(subprocess.TimeoutExpired):
                job.wait(rng.uniform(0, 0.8 * seconds))
            whom = rng.choice(["worker", "driver"])
            victims = [pid for pid in children(job.pid)] if whom == "worker" else [job.pid]
            if job.poll() is None and victims:
                done = list((folder / "victim").glob("tasks/*/*.toml"))
                with suppress(ProcessLookupError):
                    os.kill(rng.choice(victims), signal.SIGKILL)
                moments.append(f"{whom} after {len(done)} tasks")
                if output.exists() and packets(output) != expected:
                    differences.append(f"half a video, {moments[-1]}")
            if whom == "driver":
                job.wait()
                continue
        code = job.wait()
        if code:
            differences.append(f"it ended with {code}")
            break
        if packets(output) != expected:
            differences.append("the packets")
        if len(moments) >= kills:
            break
        output.unlink()
        subprocess.run(["rm", "-r", str(folder / "victim")], check=True)
    return {"seconds_alone": round(seconds, 1), "moments": moments, "differences": differences}


if __name__ == "__main__":
    if sys.argv[2] == "victim":
        make(Path(sys.argv[1]), "victim", 2)
    else:
        print(json.dumps(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])), indent=1))  # noqa: T201
