"""`people.toml`: who is in the film, under which names, and who is edited how. Written once, then the user's.

[[person]]
number = 1
name = "Anna"              # yours to give; --who takes it
same_as = 0                # the number of a person that this one is, too
edits = [["age", "-2"]]    # directions with strengths or keyframes by seconds of the film: "0s:0,12.5s:-2"
regions = []               # head, face, mouth or eyes; empty: those of the directions
faces = [[3, 1], [7, 1]]   # shot and face of the shot: cut and paste what is wrong
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stitchedit.errors import ConfigError, ProjectError, StitcheditError
from stitchedit.film.toml_files import read_toml, tables_of, value_of, write_toml
from stitchedit.strength import Strength, parse_strength, strength_option

if TYPE_CHECKING:
    from stitchedit.film.people import Person

COMMENT = """Who is in the film: people.png shows them. Names are yours to give. A person without edits is left alone.
edits: [["age", "-2"]], or with keyframes by seconds of the film [["age", "0s:0,12.5s:-2"]].
same_as: the number of the person that this one is too. faces: [shot, face of the shot]; move what is wrong."""


@dataclass(frozen=True, slots=True)
class PersonRow:
    """A person as the table has it."""

    number: int
    name: str
    same_as: int  # 0: nobody else
    edits: tuple[tuple[str, str], ...]  # direction, strength as an option has it
    regions: tuple[str, ...]
    faces: tuple[tuple[int, int], ...]  # (shot, face of the shot)

    @property
    def label(self) -> str:
        return self.name or f"person {self.number}"

    def strengths(self) -> tuple[tuple[str, Strength], ...]:
        """Raises ConfigError."""
        return tuple((direction, parse_strength(text)) for direction, text in self.edits)


def table_of(people: Sequence[Person]) -> list[PersonRow]:
    """A new table, in which nobody is edited."""
    return [PersonRow(p.number, "", 0, (), (), tuple((f.shot, f.number) for f in p.faces)) for p in people]


def read_table(path: Path) -> list[PersonRow]:
    """Raises ProjectError, ConfigError."""
    rows = [
        person_row(entry, f"{path}, person {at}")
        for at, entry in enumerate(tables_of(read_toml(path), "person", str(path)), 1)
    ]
    numbers = [row.number for row in rows]
    if len(set(numbers)) < len(numbers):
        raise ProjectError(f"{path} names a person twice", "give each a number of its own")
    faces = [face for row in rows for face in row.faces]
    if len(set(faces)) < len(faces):
        twice = next(face for face in faces if faces.count(face) > 1)
        raise ProjectError(f"{path}: face {list(twice)} is of two persons", "leave it with one of them")
    for row in rows:
        if row.same_as and (row.same_as not in numbers or row.same_as == row.number):
            raise ProjectError(f"{path}: person {row.number} has same_as = {row.same_as}", "name another person there")
    return rows


def write_table(path: Path, rows: Sequence[PersonRow], facts: Mapping[int, str]) -> None:
    """`facts`: a line of each person that is for the reader alone."""
    entries: list[dict[str, Any]] = [
        {
            "number": row.number,
            "name": row.name,
            "seen": facts.get(row.number, ""),
            "same_as": row.same_as,
            "edits": [list(edit) for edit in row.edits],
            "regions": list(row.regions),
            "faces": [list(face) for face in row.faces],
        }
        for row in rows
    ]
    write_toml(path, {"person": entries}, COMMENT)


def joined(rows: Sequence[PersonRow]) -> list[PersonRow]:
    """The persons with the faces of those that are the same as they. Raises ProjectError, for a circle."""
    by_number = {row.number: row for row in rows}

    def final(row: PersonRow) -> int:
        seen = {row.number}
        while row.same_as:
            row = by_number[row.same_as]
            if row.number in seen:
                raise ProjectError(f"people.toml: person {row.number} is the same as itself", "set one same_as to 0")
            seen.add(row.number)
        return row.number

    faces: dict[int, list[tuple[int, int]]] = {}
    for row in rows:
        faces.setdefault(final(row), []).extend(row.faces)
    return [replace(row, faces=tuple(sorted(faces[row.number]))) for row in rows if not row.same_as]


def with_edits(
    rows: Sequence[PersonRow],
    chosen: Sequence[int],
    edits: Sequence[tuple[str, Strength]],
    regions: Sequence[str],
) -> list[PersonRow]:
    """The table in which these persons get these edits and nobody else any."""
    own = tuple((direction, strength_option(strength)) for direction, strength in edits)
    return [
        replace(row, edits=own if row.number in chosen else (), regions=tuple(regions) if row.number in chosen else ())
        for row in rows
    ]


def find_rows(rows: Sequence[PersonRow], who: Sequence[str]) -> list[int]:
    """The numbers of persons by number, name or "all". Raises ConfigError."""
    found: list[int] = []
    for text in who:
        named = [r.number for r in rows if text == "all" or (text in (str(r.number), r.name) and not r.same_as)]
        if not named:
            known = ", ".join(f"{r.number}{f' ({r.name})' if r.name else ''}" for r in rows if not r.same_as)
            raise ConfigError(f"--who '{text}' is nobody of the film", f"give a number or name of {known}, or all")
        found += named
    return sorted(set(found))


def person_row(entry: dict[str, Any], where: str) -> PersonRow:
    """A row of a table of TOML. Raises ProjectError, ConfigError."""
    edits, faces = value_of(entry, "edits", list, where, []), value_of(entry, "faces", list, where, [])
    if not all(isinstance(e, list) and len(e) == 2 and all(isinstance(part, str) for part in e) for e in edits):
        raise ProjectError(f"{where}: edits = {edits!r}", 'give [["age", "-2"]]')
    if not all(isinstance(f, list) and len(f) == 2 and all(type(n) is int for n in f) for f in faces):
        raise ProjectError(f"{where}: faces = {faces!r}", "give [[SHOT, FACE], ...]")
    regions = value_of(entry, "regions", list, where, [])
    row = PersonRow(
        value_of(entry, "number", int, where),
        value_of(entry, "name", str, where, ""),
        value_of(entry, "same_as", int, where, 0),
        tuple((str(direction), str(strength)) for direction, strength in edits),
        tuple(map(str, regions)),
        tuple((int(shot), int(face)) for shot, face in faces),
    )
    try:
        row.strengths()
    except StitcheditError as exc:
        raise ConfigError(f"{where}: {exc}", exc.hint) from exc
    return row
