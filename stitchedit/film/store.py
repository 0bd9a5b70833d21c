"""Where a film's folder lies: on a disk that all machines share, or at an address that fsspec knows (s3://, gs://).

On a shared disk tasks work in place. At an address a task takes what it reads into a folder of its own machine, works
there, and puts back what it wrote, its record last: whoever is killed between leaves no record, and the task is done
again. No result goes through the memory of whoever gave the command.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from stitchedit.errors import ConfigError, NotWritable
from stitchedit.files.atomic import disk_error
from stitchedit.film.folder import FilmFolder


def is_address(text: str) -> bool:
    """Whether it is no path but an address such as s3://bucket/film."""
    return "://" in text


@dataclass(frozen=True, slots=True)
class Store:
    """The film's folder at an address, and a local copy of some of it."""

    address: str  # a path, or with a protocol
    local: FilmFolder

    @property
    def remote(self) -> bool:
        return is_address(self.address)

    def pull(self, names: Iterable[str]) -> None:
        """Take files and folders here; what is not there is left out. Raises NotWritable, DiskFull."""
        if not self.remote:
            return
        fs, root = _filesystem(self.address)
        for name in names:
            place, target = f"{root}/{name}", self.local.at(name)
            with _told(self.address):
                if not fs.exists(place):
                    continue
                if fs.isdir(place):
                    for path in fs.find(place):
                        own = self.local.at(name) / path[len(place) :].lstrip("/")
                        own.parent.mkdir(parents=True, exist_ok=True)
                        fs.get_file(path, str(own))
                else:
                    target.parent.mkdir(parents=True, exist_ok=True)
                    fs.get_file(place, str(target))

    def push(self, names: Iterable[str]) -> None:
        """Put files and folders there, in this order, in place of what was there. Raises NotWritable."""
        if not self.remote:
            return
        fs, root = _filesystem(self.address)
        for name in names:
            own, place = self.local.at(name), f"{root}/{name}"
            with _told(self.address):
                if own.is_dir():
                    there = {path for path in fs.find(place)} if fs.exists(place) else set()
                    kept = {f"{place}/{path.relative_to(own).as_posix()}": path for path in _files(own)}
                    for path in sorted(there - kept.keys()):
                        fs.rm_file(path)
                    for target, path in kept.items():
                        fs.makedirs(target.rpartition("/")[0], exist_ok=True)
                        fs.put_file(str(path), target)
                elif own.is_file():
                    fs.makedirs(place.rpartition("/")[0], exist_ok=True)
                    fs.put_file(str(own), place)

    def has(self, names: Iterable[str]) -> bool:
        """Whether all of them are there."""
        if not self.remote:
            return all(self.local.at(name).exists() for name in names)
        fs, root = _filesystem(self.address)
        with _told(self.address):
            return all(fs.exists(f"{root}/{name}") for name in names)

    def same(self, name: str) -> bool:
        """Whether a file there is the one here, byte for byte."""
        if not self.remote:
            return True
        fs, root = _filesystem(self.address)
        with _told(self.address):
            there = fs.cat_file(f"{root}/{name}") if fs.exists(f"{root}/{name}") else None
            return there == self.local.at(name).read_bytes()


@contextmanager
def opened(address: str) -> Iterator[Store]:
    """The store for one task: in place, or with an empty local folder that is gone afterwards."""
    if not is_address(address):
        yield Store(address, FilmFolder(Path(address)))
        return
    with TemporaryDirectory(prefix="stitchedit-film-") as scratch:
        yield Store(address, FilmFolder(Path(scratch)))


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.endswith(".part"))


def _filesystem(address: str) -> tuple[Any, str]:
    """fsspec's file system of an address, and the path in it. Raises ConfigError."""
    import fsspec

    try:
        fs, path = fsspec.core.url_to_fs(address)
    except (ImportError, ValueError) as exc:
        known = "s3:// needs pip install 'stitchedit[s3]', gs:// gcsfs"
        raise ConfigError(f"{address} cannot be used: {exc}", known) from exc
    fs.invalidate_cache()
    return fs, path.rstrip("/")


@contextmanager
def _told(address: str) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        if exc.filename and Path(str(exc.filename)).is_absolute() and exc.errno in (28, 122):
            raise disk_error(Path(str(exc.filename)), exc) from exc
        raise NotWritable(address, str(exc) or type(exc).__name__) from exc
