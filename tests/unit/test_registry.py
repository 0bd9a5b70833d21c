"""Things by name: stitchedit's own, those of plug-ins, and what is said of broken ones."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from stitchedit import registry
from stitchedit.errors import ConfigError, DirectionError, NoFace
from stitchedit.registry import Registry, added


def fails() -> None:
    raise ValueError("two\nlines")


def sees_no_face() -> None:
    raise NoFace("clip", 3)


Install = Callable[..., None]


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Install:
    """Installs packages: name of package -> {name: place}, in the group `stitchedit.things`."""
    module = ModuleType("brought_along")
    vars(module).update(fails=fails, sees_no_face=sees_no_face, number=7, path=Path("x.toml"))
    monkeypatch.setitem(sys.modules, "brought_along", module)

    def make(**packages: dict[str, str]) -> None:
        points = []
        for package, places in packages.items():
            for name, place in places.items():
                point = EntryPoint(name, place, "stitchedit.things")
                vars(point)["dist"] = SimpleNamespace(name=package, version="1.0")
                points.append(point)
        monkeypatch.setattr(registry, "_entry_points", lambda: EntryPoints(points))

    make()
    return make


def things(**options: Any) -> Registry[Any]:
    return Registry("thing", "things", {"own": "math:sqrt", "value": 3}, **options)


def test_own_things_are_loaded_when_asked_for(install: Install) -> None:
    own = things()
    assert (list(own), own.own, len(own)) == (["own", "value"], ("own", "value"), 2)
    assert own["own"](9) == 3
    assert own["value"] == 3
    assert own.get("value") == 3
    assert own.get("other") is None
    assert own.origin("own") == ""
    assert "other" not in own
    later = Registry[int]("thing", "things", lambda: {"a": 1})
    assert (list(later), later["a"]) == (["a"], 1)


def test_an_unknown_name_is_told_with_those_there_are(install: Install) -> None:
    install(package={"plug": "nowhere:thing"})
    with pytest.raises(ConfigError, match="unknown thing 'ownn'") as caught:
        things()["ownn"]
    assert caught.value.hint == "choose one of own, value, plug"


def test_names_of_plug_ins_are_known_without_importing_them(install: Install) -> None:
    install(package={"plug": "nowhere:thing"}, another={"a": "no.where:thing"})
    assert list(things()) == ["own", "value", "a", "plug"]
    assert things().origin("plug") == "package 1.0"
    assert added("things") == ["a", "plug"]
    assert added("others") == []


@pytest.mark.parametrize(
    ("place", "why"),
    [
        ("nowhere:thing", "cannot be loaded: ModuleNotFoundError"),
        ("brought_along:absent", "cannot be loaded: AttributeError"),
        ("brought_along:number", "is no function: brought_along:number is a int"),
        ("json:absent.toml", "cannot be loaded: FileNotFoundError"),
    ],
)
def test_a_broken_plug_in_is_one_line_and_only_where_it_is_asked_for(install: Install, place: str, why: str) -> None:
    install(package={"plug": place})
    assert things()["own"](4) == 2
    with pytest.raises(ConfigError, match="^thing 'plug' of package package 1.0 " + why) as caught:
        things()["plug"]
    assert "\n" not in str(caught.value) + caught.value.hint


def test_a_plug_in_must_be_of_the_kind(install: Install) -> None:
    install(package={"plug": "brought_along:path", "bad": "brought_along:number"})
    paths = things(holds="pathlib:Path", error=DirectionError)
    assert paths["plug"] == Path("x.toml")
    with pytest.raises(DirectionError, match=r"'bad' of package package 1.0 is no Path: brought_along:number is a int"):
        paths["bad"]


def test_a_failure_of_a_plug_in_is_one_line_but_errors_of_stitchedit_pass(install: Install) -> None:
    install(package={"plug": "brought_along:fails", "blind": "brought_along:sees_no_face"})
    with pytest.raises(ConfigError, match=r"thing 'plug' of package package 1.0 failed: ValueError\('two\\nlines'\)"):
        things()["plug"]()
    with pytest.raises(NoFace):
        things()["blind"]()
    assert things().guarded("own", fails) is fails


def test_a_name_is_brought_once(install: Install) -> None:
    install(first={"own": "brought_along:fails", "same": "brought_along:fails"}, second={"same": "brought_along:fails"})
    with pytest.raises(ConfigError, match=r"'own' is brought by stitchedit itself and by first 1.0"):
        things()["own"]
    with pytest.raises(ConfigError, match=r"'same' is brought by first 1.0 and by second 1.0"):
        things()["same"]
    assert list(things()) == ["own", "value", "same"]
    install(first={"same": "brought_along:fails"})
    assert callable(things()["same"])


def test_every_name_of_stitchedit_leads_somewhere() -> None:
    for table in (registry.BLENDERS, registry.ENCODERS, registry.GENERATORS, registry.LANDMARKS, registry.EMBEDDERS):
        for name in table.own:
            assert table[name] is not None
