"""A film that is made by killed processes is that of one process that was left alone, packet by packet."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest


@pytest.mark.slow
def test_killed_worker_and_driver_it_gives_the_same_packets(tmp_path: Path) -> None:
    script, seed = Path(__file__).with_name("killed_films.py"), time.time_ns() % 1_000_000
    done = subprocess.run(
        [sys.executable, script, tmp_path / "films", "3", str(seed)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert len(found["moments"]) == 3
    assert found["differences"] == [], f"seed {seed}: {found}"
