"""The real command line as tests call it, and what they call it with."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
CLIP = ROOT / "tests" / "data" / "demo.mp4"
TINY = ROOT / "tests" / "golden" / "nv_r64_w64_m4.weights.safetensors"


def run(
    *arguments: object, cwd: Path, expect: int = 0, env: dict[str, object] | None = None
) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, as a user starts it."""
    result = subprocess.run(
        [sys.executable, "-m", "stitchedit", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**os.environ, "COLUMNS": "200", **{name: str(value) for name, value in (env or {}).items()}},
        timeout=500,
        check=False,
    )
    assert result.returncode == expect, result.stdout + result.stderr
    assert "Traceback" not in result.stderr
    return result


def error(result: subprocess.CompletedProcess[str]) -> str:
    """The error line; there is one, and at most one hint after it."""
    lines = [line for line in result.stderr.splitlines() if line.startswith(("error:", "hint:"))]
    assert [line.split(":")[0] for line in lines] in (["error"], ["error", "hint"])
    return lines[0]
