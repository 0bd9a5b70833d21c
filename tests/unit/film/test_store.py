"""A film's folder at an address, and on a disk."""

from __future__ import annotations

from pathlib import Path

import pytest
from films import folder

from stitchedit.errors import ConfigError
from stitchedit.film.folder import FilmFolder
from stitchedit.film.store import Store, is_address, opened


def test_what_is_put_at_an_address_is_taken_from_there(tmp_path: Path) -> None:
    address = f"memory://films/{tmp_path.name}"
    here = Store(address, folder(tmp_path / "a", ["shots/0001.mkv", "shots/0001.faces/1/tracks.npz", "people.toml"]))
    here.local.at("people.toml").write_text("who")
    here.push(["shots/0001.mkv", "shots/0001.faces", "people.toml"])
    assert here.has(["shots/0001.mkv", "shots/0001.faces/1/tracks.npz"])
    with opened(address) as there:
        there.pull(["shots/0001.faces", "people.toml", "no/such/file"])
        assert there.local.at("shots/0001.faces/1/tracks.npz").is_file()
        assert there.local.at("people.toml").read_text() == "who"
        assert not there.local.at("shots/0001.mkv").exists(), "only what is asked for"
        place = there.local.root
    assert not place.exists()


def test_a_folder_is_replaced_whole(tmp_path: Path) -> None:
    address = f"memory://films/{tmp_path.name}"
    Store(address, folder(tmp_path / "a", ["f/old", "f/kept"])).push(["f"])
    Store(address, folder(tmp_path / "b", ["f/new", "f/kept", "f/.x.part"])).push(["f"])
    taken = Store(address, FilmFolder(tmp_path / "c"))
    taken.pull(["f"])
    assert sorted(path.name for path in (tmp_path / "c" / "f").iterdir()) == ["kept", "new"]


def test_a_file_there_is_known_by_its_bytes(tmp_path: Path) -> None:
    store = Store(f"memory://films/{tmp_path.name}", folder(tmp_path / "a", ["film.toml"]))
    assert not store.same("film.toml"), "there is none yet"
    store.push(["film.toml"])
    assert store.same("film.toml")
    store.local.at("film.toml").write_text("another film")
    assert not store.same("film.toml")


def test_on_a_disk_it_is_worked_on_in_place(tmp_path: Path) -> None:
    with opened(str(tmp_path)) as store:
        assert store.local.root == tmp_path
        store.pull(["a"])
        store.push(["a"])
        assert not store.has(["a"])


def test_an_address_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    assert is_address("s3://bucket/film")
    assert not is_address("/films/a:b")
    with pytest.raises(ConfigError, match="nosuch://x cannot be used"):
        Store("nosuch://x", FilmFolder(tmp_path)).pull(["a"])
