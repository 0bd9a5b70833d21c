"""scripts/gpu_check, with the processor standing in."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

CHECK = Path(__file__).parents[2] / "scripts" / "gpu_check.py"


def check(out: Path, *options: str) -> tuple[int, dict[str, dict[str, object]]]:
    command = [sys.executable, str(CHECK), "--device", "cpu", "--small", "--out", str(out), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    parts = json.loads(out.with_suffix(".json").read_text())["parts"]
    return done.returncode, {part["name"]: part for part in parts}


def test_what_cannot_be_tried_is_named_with_the_reason(tmp_path: Path) -> None:
    code, parts = check(tmp_path / "gpu.md", "--parts", "ops-float16")
    assert code == 1
    assert parts["ops-float16"]["status"] == "skipped"
    page = (tmp_path / "gpu.md").read_text()
    assert "half precision is not measured on the processor" in page
    assert "the processor stands in" in page


def test_what_there_is_no_time_for_is_named(tmp_path: Path) -> None:
    code, parts = check(tmp_path / "gpu.md", "--parts", "build", "tests", "--seconds", "0")
    assert code == 1
    assert [part["status"] for part in parts.values()] == ["skipped", "skipped"]
    assert "no time was left" in (tmp_path / "gpu.md").read_text()


@pytest.mark.slow
def test_ops_are_measured(tmp_path: Path) -> None:
    """Steps are not tried here: on a processor without half precision they take minutes."""
    code, parts = check(tmp_path / "gpu.md", "--parts", "ops-float32", "--seconds", "590")
    assert code == 0
    assert parts["ops-float32"]["rows"]
