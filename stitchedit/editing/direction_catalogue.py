"""Directions by name or file: those that come along, those of plug-ins, and what a TOML says. No torch."""

from __future__ import annotations

import difflib
import logging
import math
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

from stitchedit.config import PARTS, REGIONS, united
from stitchedit.editing.bent_step import checked_knots
from stitchedit.editing.direction import IN_MEMORY, CurvePoint, Direction, checked_channels, short_error
from stitchedit.editing.edit_names import file_label, parse_channel, parse_edit_part, parse_part
from stitchedit.errors import DirectionError, UnknownDirection
from stitchedit.registry import Registry
from stitchedit.types import NamedDirection

log = logging.getLogger(__name__)

MAX_TOML_BYTES = 1 << 20
MAX_POINTS = 1000  # of a curve


def list_directions() -> list[Direction]:
    """The directions that come with stitchedit, by name, and those of plug-ins; what is broken is told in the log."""
    found = [read_direction(DIRECTIONS[name]) for name in DIRECTIONS.own]
    for name in (n for n in DIRECTIONS if n not in DIRECTIONS.own):
        try:
            found.append(_known(name))
        except DirectionError as exc:
            log.warning("%s: %s", exc, exc.hint)
    return found


def own_folder() -> Path:
    """Where the directions that come with stitchedit lie."""
    return Path(str(resources.files("stitchedit"))) / "directions"


# The TOML of each: those of the folder `directions`, and those that an entry point names, `module:NAME.toml`.
DIRECTIONS: Registry[Path] = Registry(
    "direction",
    "directions",
    lambda: {path.stem: path for path in sorted(own_folder().glob("*.toml"))},
    holds="pathlib:Path",
    error=DirectionError,
)


def _known(name: str) -> Direction:
    found = read_direction(DIRECTIONS[name])
    if found.name != name:
        raise DirectionError(
            f"direction '{name}' of package {DIRECTIONS.origin(name)} calls itself '{found.name}'",
            "its entry point and its TOML must give the same name; tell the package's author",
        )
    return found


def find_direction(name: str | Path) -> Direction:
    """A direction by its name in `DIRECTIONS`, its `.toml`, a file of an edit (see `edit_files`), a channel of
    StyleSpace such as "s:6:501", or a component of a file such as "pca.pt#10:0:8".

    Raises: UnknownDirection, with the nearest names; DirectionError, when it is damaged.
    """
    if str(name) in DIRECTIONS:
        return replace(_known(str(name)), asked=str(name))
    if (named := parse_edit_part(str(name))) and named[0] in DIRECTIONS:
        return find_direction(named[0]).only(named[1])
    path = Path(name).expanduser()
    if not path.is_file():
        if part := parse_part(str(name)):
            return Direction(
                name=file_label(str(name)),
                file=part.file,
                layers=part.rows,
                component=part.component,
                unit=f"strength 1 is one SD along component {part.component}",
                source=str(part.file),
                asked=str(name),
            )
        if channel := parse_channel(str(name)):
            unit = f"strength 1 is one SD of channel {channel[1]} of layer {channel[0]}"
            return Direction(file_label(str(name)), channels=((*channel, 1.0),), unit=unit, asked=str(name))
        known = [*DIRECTIONS, *(f"{whole}.{part}" for whole in DIRECTIONS for part in PARTS if "." in str(name))]
        raise UnknownDirection(str(name), difflib.get_close_matches(str(name), known), list(DIRECTIONS))
    if path.suffix == ".toml":
        return replace(read_direction(path), asked=str(name))
    log.info("%s does not say which generator it was made for: the result may be anything", path)
    return Direction(name=path.stem, file=path, source=str(path), asked=str(name))


def years_a_strength() -> float:
    """How many years strength 1 of `age` is, by the age predictor."""
    return find_direction("age").amount


def own_regions(directions: Iterable[str | Path | NamedDirection]) -> tuple[str, ...]:
    """What these directions need to change, together: of REGIONS, the face where nothing is known of one."""
    needed = []
    for given in directions:
        try:
            known = find_direction(given) if isinstance(given, str | Path) else given
            needed.append(getattr(known, "region", "") or REGIONS[1])
        except DirectionError:  # said where the direction is read
            needed.append(REGIONS[1])
    return united(needed)


def read_direction(path: Path) -> Direction:
    """Read one `NAME.toml`. Raises DirectionError where it is not as the README of directions says."""
    try:
        if path.stat().st_size > MAX_TOML_BYTES:
            raise ValueError(f"more than {MAX_TOML_BYTES} bytes")
        direction = _parse(tomllib.loads(path.read_text(encoding="utf-8")), path)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError) as exc:
        raise DirectionError(
            f"{path} is no direction: {short_error(exc)}", "see stitchedit/directions/age.toml for one"
        ) from exc
    if direction.kind not in ("vector", "function") or direction.space not in ("W", "W+", "S"):
        raise DirectionError(
            f"{path} asks for kind '{direction.kind}' in space '{direction.space}'",
            "known are the kinds vector and function, the spaces W, W+ and S",
        )
    if direction.kind == "function" and path.parent != own_folder():
        raise DirectionError(f"{path} asks for a function", "only stitchedit's own directions do: give a vector")
    if direction.knots and (direction.space != "W" or direction.kind != "vector" or direction.layers):
        raise DirectionError(f"{path} has knots", "only a vector that moves all rows of W alike can bend")
    if direction.region not in ("", *REGIONS):
        raise DirectionError(f"{path} asks for the region '{direction.region}'", f"known are {', '.join(REGIONS)}")
    if not all(map(math.isfinite, _numbers(direction))) or not 0 <= direction.fidelity <= 1:
        raise DirectionError(f"{path} holds numbers out of their range", "fidelity is 0..1, the others are finite")
    return direction


def _parse(table: Mapping[str, Any], path: Path) -> Direction:
    channels = table.get("channels", ())
    name, statistics = (str(table[key]) if key in table else "" for key in ("file", "statistics"))
    if not name and not channels:
        raise KeyError("file")
    for beside in (name, statistics):
        if beside in (".", "..") or not set(beside).isdisjoint("/\\\0"):
            raise ValueError("its file must lie beside it")
    if name and channels:
        raise ValueError("it gives a file and channels: one of them alone")
    layers, span = table.get("layers"), table.get("range")
    points = table.get("curve", [])
    if len(points) > MAX_POINTS:
        raise ValueError(f"its curve has more than {MAX_POINTS} points")
    return Direction(
        name=str(table["name"]),
        file=path.parent / name if name else IN_MEMORY,
        channels=checked_channels(channels) if channels else (),
        statistics=str(path.parent / statistics) if statistics else "",
        component=int(table["component"]) if "component" in table else None,
        absolute=bool(table.get("absolute", False)),
        kind=str(table.get("kind", "vector")),
        space=str(table["space"]) if name else "S",
        layers=(int(layers[0]), int(layers[1])) if layers else None,
        knots=checked_knots(table.get("knots", ())),
        fidelity=float(table.get("fidelity", 1.0)),
        made_for=str(table["made_for"]),
        unit=str(table["unit"]),
        region=str(table.get("region", "")),
        range=(float(span[0]), float(span[1])) if span else None,
        sha256=str(table.get("sha256", "")),
        source=str(table.get("source", "")),
        licence=str(table.get("licence", "")),
        attribute=str(table.get("attribute", "")),
        amount=float(table.get("amount", 0.0)),
        measured_in=str(table.get("measured_in", "")),
        held_out_r=_optional(table, "held_out_r"),
        checked_on=str(table.get("checked_on", "")),
        identity_distance=_optional(table, "identity_distance"),
        outside_change=_optional(table, "outside_change"),
        outside_ratio=_optional(table, "outside_ratio"),
        effects={str(key): float(value) for key, value in table.get("effects", {}).items()},
        curve=tuple(_point(point) for point in points),
    )


def _point(table: Mapping[str, Any]) -> CurvePoint:
    measured = (_optional(table, key) for key in ("change", "identity_distance", "faces"))
    return CurvePoint(float(table["strength"]), *measured)


def _optional(table: Mapping[str, Any], key: str) -> float | None:
    return float(table[key]) if key in table else None


def _numbers(direction: Direction) -> list[float]:
    """All that must be finite."""
    points = [v for p in direction.curve for v in (p.strength, p.change, p.identity_distance, p.faces)]
    told = [
        direction.held_out_r,
        direction.identity_distance,
        direction.outside_change,
        direction.outside_ratio,
        *(direction.range or ()),
        *points,
    ]
    return [direction.fidelity, direction.amount, *direction.effects.values(), *(v for v in told if v is not None)]
