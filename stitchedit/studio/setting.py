"""What an artist has set for a clip: strengths, keyframes, regions. Kept in the project's `studio.toml`."""

from __future__ import annotations

import shlex
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import tomli_w

from stitchedit.config import REGIONS
from stitchedit.errors import ConfigError
from stitchedit.files.atomic import atomic
from stitchedit.strength import Strength, checked_number, keyframes, strength_option

NAME = "studio.toml"
MAX_BYTES = 1 << 20
SCHEMA = 1

Keys = Mapping[float, float]  # strength by frame, a whole number


@dataclass(frozen=True, slots=True)
class Setting:
    """An edit as it is on the page: each direction has a strength, or keyframes."""

    strengths: Mapping[str, float] = field(default_factory=dict)  # by direction: its name, or its file
    keys: Mapping[str, Keys] = field(default_factory=dict)  # of those that change over the clip
    regions: tuple[str, ...] = ()  # (): what the directions need
    files: tuple[str, ...] = ()  # vectors that were added
    frame: int = 0  # that is looked at

    def edits(self) -> tuple[tuple[str, Strength], ...]:
        """The directions that do anything, with what they are asked for."""
        names = [name for name in {**self.strengths, **self.keys} if self._does_anything(name)]
        return tuple((name, self._strength(name)) for name in names)

    def at(self, name: str, frame: int) -> float:
        """A direction's strength at a frame."""
        keys = self.keys.get(name)
        if not keys:
            return float(self.strengths.get(name, 0.0))
        return float(keyframes(keys).curve(np.array([frame]), Fraction(1))[0])

    def moved(self, name: str, strength: float, frame: int) -> Setting:
        """With a direction's slider moved: its strength or, where it has keyframes, that of a key at this frame."""
        value = checked_number(strength)
        if name in self.keys:
            return replace(self, keys={**self.keys, name: {**self.keys[name], frame: value}})
        return replace(self, strengths={**self.strengths, name: value})

    def with_key(self, frame: int) -> Setting:
        """With a key at this frame for every direction that does anything, of the strength that it has there."""
        keys = {name: {**self.keys.get(name, {}), frame: self.at(name, frame)} for name, _ in self.edits()}
        return replace(self, keys={**self.keys, **keys})

    def without_key(self, frame: int) -> Setting:
        """Without the keys at this frame; what loses its last one keeps the strength that it had there."""
        keys = {name: {at: value for at, value in own.items() if at != frame} for name, own in self.keys.items()}
        lost = {name: self.at(name, frame) for name, own in keys.items() if not own}
        kept = {name: own for name, own in keys.items() if own}
        return replace(self, keys=kept, strengths={**self.strengths, **lost})

    def command(self, project: Path) -> list[str]:
        """The words of the `edit` command that does the same. Raises ConfigError, where nothing is set."""
        edits = self.edits()
        if not edits:
            raise ConfigError("nothing is set", "move a slider first")
        pairs = [
            word for name, value in edits for word in ("--direction", name, f"--strength={strength_option(value)}")
        ]
        regions = [word for region in self.regions for word in ("--region", region)]
        return ["edit", str(project), *pairs, *regions]

    def line(self, project: Path) -> str:
        """The same to copy into a shell."""
        return shlex.join(["stitchedit", *self.command(project)])

    def save(self, project: Path) -> None:
        """Raises NotWritable, DiskFull."""
        data = {
            "schema": SCHEMA,
            "frame": self.frame,
            "regions": list(self.regions),
            "files": list(self.files),
            "strengths": dict(self.strengths),
            "keys": {name: {str(at): value for at, value in keys.items()} for name, keys in self.keys.items()},
        }
        with atomic(project / NAME) as temp:
            temp.write_text(tomli_w.dumps(data), encoding="utf-8", errors="surrogateescape")

    def _does_anything(self, name: str) -> bool:
        return any(self.keys[name].values()) if name in self.keys else bool(self.strengths.get(name))

    def _strength(self, name: str) -> Strength:
        return keyframes(self.keys[name]) if name in self.keys else float(self.strengths[name])


def load_setting(project: Path) -> Setting:
    """What was set when the page was last open; nothing, where that cannot be read."""
    path = project / NAME
    with suppress(OSError, ValueError, TypeError, LookupError, AttributeError, RecursionError, ConfigError):
        if path.stat().st_size <= MAX_BYTES:
            data = tomllib.loads(path.read_text(encoding="utf-8", errors="surrogateescape"))
            if data.pop("schema") == SCHEMA:
                return Setting(
                    {str(name): checked_number(value) for name, value in data["strengths"].items()},
                    {str(name): _keys(own) for name, own in data["keys"].items() if own},
                    tuple(region for region in REGIONS if region in data["regions"]),
                    tuple(str(file) for file in data["files"]),
                    max(0, int(data["frame"])),
                )
    return Setting()


def _keys(own: Mapping[str, float]) -> Keys:
    keys: Keys = {int(at): checked_number(value) for at, value in own.items()}
    keyframes(keys)
    return keys
