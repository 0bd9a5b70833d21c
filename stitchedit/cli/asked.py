"""What a command line asks for, made of its options, and refused before torch is loaded where it cannot be had."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from stitchedit.errors import ConfigError

if TYPE_CHECKING:
    from stitchedit.editing.direction import Direction
    from stitchedit.strength import Strength


def require_own_file(output: Path | None, *endings: str) -> None:
    """Raises WouldReplace, when somebody else's file has the name that was given for a sheet or page.

    Args:
        endings: of its name; ConfigError for others, for what is written has one form.
    """
    from stitchedit.files.atomic import require_own

    if output is not None:
        if output.suffix.lower() not in endings:
            raise ConfigError(f"-o is {output}, what is written is {endings[0]}", f"name it {output.stem}{endings[0]}")
        require_own(output)


def take_source(project: Path | None, clip: Path, dry_run: bool) -> None:
    """Note the new place of a project's clip. Raises ConfigError, CannotOpen, ProjectError."""
    from stitchedit.files.locks import released_at_end
    from stitchedit.project.folder import newest_project, relocate, root_of
    from stitchedit.video.sequence_names import require_clip

    if dry_run:
        raise ConfigError(
            "--dry-run is given beside --source", "which notes the clip's new place: give it once without"
        )
    require_clip(clip)
    with released_at_end():
        relocate(newest_project(Path()) if project is None else root_of(project), clip)


def require_directions(names: Iterable[str]) -> None:
    """Raises UnknownDirection or DirectionError, for what is no direction; before torch is loaded."""
    from stitchedit.editing.direction_catalogue import find_direction

    for name in names:
        find_direction(name)


def require_edits(edits: Iterable[tuple[str, Strength]], force: bool) -> None:
    """Raises what `require_directions` raises; ConfigError, for a strength far out of its direction's range."""
    from stitchedit.editing.direction_catalogue import find_direction
    from stitchedit.editing.strength_range import refuse_far

    found = [(find_direction(name), strength) for name, strength in edits]
    if not force:
        refuse_far(found)


def asked_edits(
    directions: list[str] | None, strengths: list[str] | None, years: str | None
) -> tuple[tuple[str, Strength], ...]:
    """Directions with their strengths, `age` by its years first.

    Raises: ConfigError, for what `paired` refuses, and where years contradict what is given beside them.
    """
    from stitchedit.editing.direction_catalogue import years_a_strength
    from stitchedit.strength import parse_strength, scaled

    given = [parse_strength(text) for text in strengths or ()]
    if years is None:
        return paired(directions, given)
    older = ("age", scaled(parse_strength(years), 1 / years_a_strength()))
    if directions == ["age"] and not given:
        return (older,)  # named twice, told once
    if "age" in (directions or ()):
        raise ConfigError("--years and a --strength both say how much of 'age'", "leave --years or that pair out")
    if directions and not given:
        raise ConfigError(
            f"--years is given beside --direction {directions[0]}, which has no --strength",
            "it counts `age` alone: give a --strength for the other, or leave it out",
        )
    return (older, *(paired(directions, given) if directions or given else ()))


def by_text(
    edits: Sequence[tuple[str, Strength]], texts: tuple[str | None, str | None], beta: float, clip: str
) -> tuple[tuple[str | Direction, Strength], ...]:
    """The edits, StyleCLIP's table among them made a direction by two texts; it is read here.

    Raises: ConfigError, where one text is missing or nothing takes them; and what `text_direction` raises.
    """
    neutral, target = texts
    if neutral is None and target is None:
        return tuple(edits)
    if neutral is None or target is None:
        raise ConfigError("--from and --to go together", "give both, such as --from face --to 'face with a beard'")
    from stitchedit.editing.edit_files import ChannelRelevance, read_edit
    from stitchedit.editing.text_direction import text_direction

    tables = {name for name, _ in edits if _is_file(name) and isinstance(read_edit(name), ChannelRelevance)}
    if len(tables) != 1:
        told = "none of --direction is" if not tables else "several of --direction are"
        raise ConfigError(
            f"--from and --to are given, and {told} a StyleCLIP table (fs3.npy)", "name one table beside two texts"
        )
    made = text_direction(Path(next(iter(tables))), neutral, target, beta=beta, clip=clip)
    return tuple((made if name in tables else name, strength) for name, strength in edits)


def _is_file(name: str) -> bool:
    return Path(name).is_file() and Path(name).suffix != ".toml"


def refuse_same(edits: Sequence[tuple[str, Strength]], only: Sequence[tuple[int, ...]]) -> None:
    """Raises ConfigError, when a face is to get one direction twice: strengths would add up, to nothing perhaps.

    Args:
        only: for each edit the numbers of the faces that it is for, (): for all; or nothing.
    """
    from stitchedit.strength import strength_label

    whose = list(zip(edits, only or [()] * len(edits), strict=True))
    for place, ((name, strength), faces) in enumerate(whose):
        for (other, second), others in whose[place + 1 :]:
            if name == other and (not faces or not others or set(faces) & set(others)):
                raise ConfigError(
                    f"direction '{name}' is given twice, with {strength_label(strength)} and {strength_label(second)}",
                    "give it once, or each with an --only of its own",
                )


def paired(directions: list[str] | None, strengths: Sequence[Strength] | None) -> tuple[tuple[str, Strength], ...]:
    """Directions with their strengths. Raises ConfigError, when the numbers differ or a strength is no number."""
    if not directions:
        raise ConfigError("no direction given", "add --direction NAME --strength X; see `stitchedit directions list`")
    from stitchedit.strength import SIZES, TOO_MUCH

    strengths = strengths or [1.0] * len(directions)
    if len(strengths) != len(directions):
        raise ConfigError(
            f"{len(directions)} --direction but {len(strengths)} --strength", "give one strength for each direction"
        )
    for name, strength in zip(directions, strengths, strict=True):
        if isinstance(strength, float) and not abs(strength) < TOO_MUCH:  # true for NaN
            raise ConfigError(f"strength of '{name}' is {strength:g}", SIZES)
    return tuple(zip(directions, strengths, strict=True))
