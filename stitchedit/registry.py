"""What can be added to stitchedit, by name: blenders, encoders, generator families, landmark models, metrics and more.

Adding one of stitchedit's own is a function and a line in a table below. Another package adds one by an entry point of
the group `stitchedit.GROUP`, in its pyproject.toml:

    [project.entry-points."stitchedit.blenders"]
    hard = "my_package.blending:hard"

Names are known without importing what they stand for: `--help` and error messages list them and load neither torch nor
a plug-in. A plug-in is imported when its name is asked for, and one that is broken is then told in one line.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

from stitchedit.errors import ConfigError, StitcheditError

Value = TypeVar("Value")
Function = TypeVar("Function", bound=Callable[..., Any])


class Registry(Generic[Value]):
    """The things of one kind by name: stitchedit's own first, then those of other packages.

    Args:
        kind: what one of them is called in messages.
        group: entry points of `stitchedit.<group>` belong to it.
        own: stitchedit's own, or what gives them when they are first asked for; a text "module:attribute" is loaded
            when its name is asked for.
        holds: "module:class" of the things of a plug-in; empty: they are functions.
        error: what is raised for a name that cannot be had.
    """

    def __init__(
        self,
        kind: str,
        group: str,
        own: Mapping[str, Value | str] | Callable[[], Mapping[str, Value | str]],
        *,
        holds: str = "",
        error: type[StitcheditError] = ConfigError,
    ) -> None:
        self.kind, self.group = kind, f"stitchedit.{group}"
        self._given = own
        self._holds, self._error = holds, error

    @property
    def own(self) -> tuple[str, ...]:
        """The names of stitchedit's own."""
        return tuple(self._table)

    @functools.cached_property
    def _table(self) -> Mapping[str, Value | str]:
        return self._given() if callable(self._given) else self._given

    def __iter__(self) -> Iterator[str]:
        """All names, each once; nothing is imported."""
        return iter(self._names())

    def __contains__(self, name: object) -> bool:
        return name in self._names()

    def __len__(self) -> int:
        return len(self._names())

    def _names(self) -> dict[str, None]:
        return dict.fromkeys([*self._table, *(point.name for point in plug_ins(self.group))])

    def __getitem__(self, name: str) -> Value:
        """What a name stands for, imported if need be.

        Raises: `error`, for an unknown name, one that several packages bring, or a plug-in that cannot be loaded.
        """
        brought = [point for point in plug_ins(self.group) if point.name == name]
        bringers = [*(["stitchedit itself"] if name in self._table else []), *map(package_of, brought)]
        if len(bringers) > 1:
            raise self._error(
                f"{self.kind} '{name}' is brought by {' and by '.join(bringers)}",
                "uninstall one of them, or ask its author for another name",
            )
        if brought:
            return self._load(brought[0])
        if not bringers:
            raise self._error(f"unknown {self.kind} '{name}'", f"choose one of {', '.join(self)}")
        found = self._table[name]
        return cast(Value, _attribute(found) if isinstance(found, str) else found)

    def get(self, name: str) -> Value | None:
        """The same; None for an unknown name."""
        return self[name] if name in self._names() else None

    def origin(self, name: str) -> str:
        """The package that brings a plug-in, with its version; empty for stitchedit's own and unknown names."""
        return next((package_of(point) for point in plug_ins(self.group) if point.name == name), "")

    def guarded(self, name: str, function: Function) -> Function:
        """A function of the plug-in `name` whose failure is told in one line; a function of stitchedit as it is."""
        if not self.origin(name):
            return function

        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            try:
                return function(*args, **kwargs)
            except StitcheditError:
                raise
            except Exception as exc:
                raise self._error(f"{self._said(name)} failed: {_short(exc)}", "tell the package's author") from exc

        return cast(Function, call)

    def _load(self, point: EntryPoint) -> Value:
        try:
            value: Any = _data_file(point) if point.attr.endswith(".toml") else point.load()
        except (Exception, SystemExit) as exc:  # whatever somebody else's package raises
            why = f"{self._said(point.name)} cannot be loaded: {_short(exc)}"
            raise self._error(why, "install that package again, or leave it out") from exc
        fits = isinstance(value, _attribute(self._holds)) if self._holds else callable(value)
        if not fits:
            wanted = f"a {self._holds.rpartition(':')[2]}" if self._holds else "a function"
            why = (
                f"{self._said(point.name)} is no {wanted.removeprefix('a ')}: {point.value} is a {type(value).__name__}"
            )
            raise self._error(why, f"the entry point must name {wanted}; tell the package's author")
        return cast(Value, value if self._holds else self.guarded(point.name, value))

    def _said(self, name: str) -> str:
        return f"{self.kind} '{name}' of package {self.origin(name)}"


def plug_ins(group: str) -> list[EntryPoint]:
    """The entry points of a group, by name; a package that is found twice on the path counts once."""
    found = {(point.name, point.value, package_of(point)): point for point in _entry_points().select(group=group)}
    return [found[key] for key in sorted(found)]


def package_of(point: EntryPoint) -> str:
    """The name and version of the package that has an entry point."""
    return "unknown" if point.dist is None else f"{point.dist.name} {point.dist.version}"


def added(group: str) -> list[str]:
    """The names that plug-ins add to a group."""
    return list(dict.fromkeys(point.name for point in plug_ins(f"stitchedit.{group}")))


@functools.cache
def _entry_points() -> Any:
    """Of all installed packages: what takes some milliseconds is done once."""
    return entry_points()


def _attribute(place: str) -> Any:
    module, _, attribute = place.partition(":")
    return getattr(import_module(module), attribute)


def _data_file(point: EntryPoint) -> Path:
    """The file NAME.toml beside a module, where an entry point is `module:NAME.toml`. Raises FileNotFoundError."""
    spec = find_spec(point.module)
    path = Path(spec.origin).parent / point.attr if spec is not None and spec.origin else Path(point.attr)
    if not path.is_file():
        raise FileNotFoundError(f"there is no {point.attr} beside {point.module}")
    return path


def _short(exc: BaseException) -> str:
    return repr(exc)[:300]


# One truth for the names of each kind: name -> "module:attribute". The modules named say what each must do. The tables
# of metrics and of directions lie with them: stitchedit/metrics/__init__.py and the folder stitchedit/directions.

# (source, edited, alpha) -> (patch, alpha): `compositing.blenders.Blender`
BLENDERS: Registry[Any] = Registry(
    "blender",
    "blenders",
    {
        "feather": "stitchedit.compositing.blenders:feather",
        "poisson": "stitchedit.compositing.blenders:poisson",
        "multiband": "stitchedit.compositing.blenders:multiband",
        "none": "stitchedit.compositing.blenders:none",
    },
)

# (device, generator, space) -> (encoder, what its results depend on): `inversion.encoder_registry.MakeEncoder`
ENCODERS: Registry[Any] = Registry(
    "encoder",
    "encoders",
    {
        "default": "stitchedit.inversion.encoder_registry:best_of_own",
        "optimize": "stitchedit.inversion.encoder_registry:optimization",
        "network": "stitchedit.inversion.encoder_registry:bundled_network",
    },
)

# how a file of weights is known and built: `models.generator.GeneratorFamily`
GENERATORS: Registry[Any] = Registry(
    "generator family",
    "generators",
    {
        "mobilestylegan": "stitchedit.models.generator:MOBILESTYLEGAN",
        "stylegan2": "stitchedit.models.generator:STYLEGAN2",
        "stylegan3": "stitchedit.models.generator:STYLEGAN3",
    },
    holds="stitchedit.models.generator:GeneratorFamily",
)

# crop [S, S, 3] -> (mesh [468, 2] in crop sides, probability): `faces.mesh.LandmarkModel`
# and, where it has a `place`, the 68 landmarks that place the crops: `faces.landmark_choice.Placement`
LANDMARKS: Registry[Any] = Registry(
    "landmark model",
    "landmarks",
    {
        "dlib": "stitchedit.faces.mesh:crop_mesh",
        "mesh": "stitchedit.faces.landmark_choice:MESH",
        "fan": "stitchedit.faces.landmark_choice:FAN",
        "fan3d": "stitchedit.faces.landmark_choice:FAN3D",
    },
)

# (picture, landmarks [68, 2]) -> identity embedding [E]: `evaluation.face_readings.Embedder`
EMBEDDERS: Registry[Any] = Registry("identity embedding", "embedders", {"dlib": "stitchedit.faces.detectors:embed"})
