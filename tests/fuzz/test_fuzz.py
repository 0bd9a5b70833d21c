"""3,300 broken files of strangers. `fuzz.py` says what a failure is; more cases are run by hand."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

CASES = {"checkpoint": 600, "stylegan3": 500, "vector": 400, "edit": 500, "toml": 400, "project": 200, "video": 400}
CASES |= {"pictures": 300}


@pytest.mark.slow
@pytest.mark.parametrize("kind", CASES)
def test_every_broken_file_is_read_or_refused_in_one_line(kind: str, tmp_path: Path) -> None:
    command = [sys.executable, str(Path(__file__).with_name("fuzz.py")), kind, str(CASES[kind]), "ci"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout)
    assert found["failures"] == []
    assert sum(found["endings"].values()) == CASES[kind]
    assert found["endings"].get("read", 0) < CASES[kind], "some must be refused"
    assert not list(tmp_path.iterdir())


def test_a_reader_that_does_harm_is_found_out(tmp_path: Path) -> None:
    """The watch sees what it is there for: none of the cases above could fail else."""
    code = (
        "import sys, os; from pathlib import Path; sys.path.insert(0, sys.argv[1]); import fuzz\n"
        "from stitchedit.errors import ProjectError\n"
        "watch, place = fuzz.Watch(), Path(sys.argv[2]); fuzz.SECONDS = 1\n"
        "def bug(case): raise KeyError('x')\n"
        "def writes(case): (case.parent / 'elsewhere').write_text('x')\n"
        "def starts(case): os.system('true')\n"
        "def runs(case): exec('1')\n"
        "def hangs(case):\n    while True: pass\n"
        "def fine(case): (case / 'inside').write_text('x'); raise ProjectError('no')\n"
        "class Kind: pass\n"
        "for harm in (bug, writes, starts, runs, hangs, fine):\n"
        "    Kind.use = staticmethod(harm); print(harm.__name__, *fuzz.outcome(Kind, place, watch))\n"
    )
    place = tmp_path / "case"
    place.mkdir()
    command = [sys.executable, "-c", code, str(Path(__file__).parent), str(place)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    said = [
        line
        for line in done.stdout.splitlines()
        if line.split(" ")[0] in ("bug", *["writes", "starts", "runs", "hangs", "fine"])
    ]
    assert said[0].startswith("bug BUG KeyError Traceback")
    assert said[1].startswith("writes read open ")
    assert said[2].startswith("starts read os.system ")
    assert said[3].startswith("runs read exec ")
    assert said[4].startswith("hangs hang Traceback")
    assert said[5].strip() == "fine ProjectError"
