"""Builds the kernels of csrc/ with nvcc and ninja, once for each source, architecture and torch version.

The result lies in `cache_folder()` under a name made of all three, so that an update builds anew and nothing else does.
"""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from platformdirs import user_cache_path

from stitchedit.errors import OpsBuildError

SOURCES = Path(__file__).resolve().parent / "csrc"
FLAGS = ("-O3", "-std=c++17", "-Xcompiler", "-fPIC,-fvisibility=hidden")

_LAST_LINES = 12  # of the compiler, as told to the user


def cache_folder() -> Path:
    """Where built libraries are kept: stitchedit/cuda_ops in the user's cache folder (XDG_CACHE_HOME)."""
    return user_cache_path("stitchedit", appauthor=False) / "cuda_ops"


def find_nvcc() -> Path | None:
    """The CUDA compiler: of CUDA_HOME or CUDA_PATH, on the PATH, or in /usr/local/cuda."""
    homes = [os.environ[name] for name in ("CUDA_HOME", "CUDA_PATH") if os.environ.get(name)]
    for home in homes:
        if (Path(home) / "bin" / "nvcc").is_file():
            return Path(home) / "bin" / "nvcc"
    found = shutil.which("nvcc")
    if found:
        return Path(found)
    usual = Path("/usr/local/cuda/bin/nvcc")
    return usual if usual.is_file() else None


def find_ninja() -> Path | None:
    """The ninja of this Python environment, or the one on the PATH."""
    beside = Path(sys.executable).with_name("ninja")
    if beside.is_file():
        return beside
    found = shutil.which("ninja")
    return Path(found) if found else None


@functools.cache
def library(arch: str) -> Path:
    """The library for an architecture such as "sm_90", built now if it is not there yet.

    Raises: OpsBuildError, with the cause: no compiler, or its last lines.
    """
    path = cache_folder() / f"stitchedit_ops-{arch}-{_fingerprint(arch)}.so"
    if not path.is_file():
        build(arch, path)
    return path


def build(arch: str, path: Path) -> None:
    """Compile csrc/ for arch into the library path. Raises OpsBuildError."""
    nvcc, ninja = find_nvcc(), find_ninja()
    if nvcc is None:
        raise OpsBuildError("nvcc was not found (CUDA_HOME, PATH, /usr/local/cuda)")
    if ninja is None:
        raise OpsBuildError("ninja was not found")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Built aside and moved in whole: two processes may build at once, and one may be killed.
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".build-") as aside:
            folder = Path(aside)
            (folder / "build.ninja").write_text(_ninja_file(nvcc, arch))
            done = subprocess.run([str(ninja)], cwd=folder, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                lines = (done.stdout + done.stderr).strip().splitlines()
                raise OpsBuildError("\n".join([f"compiler for {arch} failed", *lines[-_LAST_LINES:]]))
            os.replace(folder / "ops.so", path)
    except OSError as exc:
        raise OpsBuildError(f"{path.parent}: {exc.strerror or exc}") from exc


def _fingerprint(arch: str) -> str:
    digest = hashlib.sha256()
    for source in sorted(SOURCES.iterdir()):
        digest.update(source.name.encode() + b"\0" + source.read_bytes() + b"\0")
    digest.update("\0".join((arch, torch.__version__, *FLAGS)).encode())
    return digest.hexdigest()[:16]


def _ninja_file(nvcc: Path, arch: str) -> str:
    code = f"-gencode arch={arch.replace('sm', 'compute')},code={arch}"
    lines = [
        "rule compile",
        f"  command = {_escape(nvcc)} {' '.join(FLAGS)} {code} -c $in -o $out",
        "rule link",
        f"  command = {_escape(nvcc)} {code} -shared $in -o $out",
    ]
    objects = []
    for source in sorted(SOURCES.glob("*.cu")):
        objects.append(f"{source.stem}.o")
        lines.append(f"build {objects[-1]}: compile {_escape(source)}")
    lines.append(f"build ops.so: link {' '.join(objects)}")
    return "\n".join(lines) + "\n"


def _escape(path: Path) -> str:
    return str(path).replace("$", "$$").replace(" ", "$ ").replace(":", "$:")
