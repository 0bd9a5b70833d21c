#!/usr/bin/env python3
"""Print the cross-effects of the directions that come along, for docs/directions.md: direction by attribute, in SD."""

from __future__ import annotations

from stitchedit.editing.direction_catalogue import list_directions
from stitchedit.learning.direction_report import IDENTITY, SIDE_EFFECT, missed


def main() -> None:
    found = [direction for direction in list_directions() if direction.effects]
    names = list(dict.fromkeys(name for direction in found for name in direction.effects))
    print("| strength 1 of | " + " | ".join(names) + " | identity distance | outside | ratio |")
    print("|---" * (len(names) + 4) + "|")
    for direction in found:
        cells = []
        for name in names:
            value = direction.effects.get(name)
            text = "" if value is None else f"{value:+.2f}"
            asked = name == direction.attribute
            cells.append(f"**{text}**" if asked else f"{text} !" if value and abs(value) > SIDE_EFFECT else text)
        far = direction.identity_distance or 0.0
        late = " !" if any("identity" in line for line in missed(direction)) else ""
        rest = (direction.outside_change, direction.outside_ratio)
        told = " | ".join("" if value is None else f"{value:.2f}" for value in rest)
        print(f"| {direction.name} | " + " | ".join(cells) + f" | {far:.2f}{late} | {told} |")
    print(f"\n`!`: an aim is missed (side effects at most {SIDE_EFFECT} SD, identity distance at most {IDENTITY}).\n")
    for direction in found:
        said = ", ".join(missed(direction)) or "none"
        print(f"* `{direction.name}` ({direction.checked_on}): misses {said}.")


if __name__ == "__main__":
    main()
