"""Colour spaces by name: how the samples of a file look, and back.

A face is worked on as it looks on a display, on sRGB's curve. What a file's samples are is said by a name: `PQ`, `HLG`
and `Cineon` are known here; all others come from OpenColorIO 2, out of the configuration that `$OCIO` names or, without
that, the ACES studio configuration that comes with the library. No rendering for a display (tone mapping) is applied:
light above white stays above white, so that the way back is exact.
"""

from __future__ import annotations

import difflib
import os
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from stitchedit.errors import ConfigError, ProjectError
from stitchedit.types import FloatArray
from stitchedit.video.base import View
from stitchedit.video.linear_light import light, shown
from stitchedit.video.transfer_curves import CINEON, HLG, PQ

NONE = "none"  # samples are looked at as they are; EXR as light of its own primaries
OWN: dict[str, View] = {view.name: view for view in (PQ, HLG, CINEON)}
_BY_TRANSFER = {16: "PQ", 18: "HLG"}  # code points of ITU-T H.273
# One and the same whatever the version of the library: "latest" would change what a project's crops show.
_BUILT_IN = "ocio://studio-config-v2.1.0_aces-v1.3_ocio-v2.3"
_LINEAR = "Linear Rec.709 (sRGB)"
_SHORT = {  # what people say for what the configuration calls them
    "LogC3": "ARRI LogC3 (EI800)",
    "LogC4": "ARRI LogC4",
    "S-Log3": "S-Log3 S-Gamut3.Cine",
    "V-Log": "V-Log V-Gamut",
    "REDLog3G10": "Log3G10 REDWideGamutRGB",
    "Log3G10": "Log3G10 REDWideGamutRGB",
    "linear Rec.709": _LINEAR,
}
_CHART = np.array(  # by which a configuration that has changed is seen
    [[0.18] * 3, [0.5] * 3, [0.9] * 3, [0.6, 0.3, 0.1], [0.1, 0.5, 0.2], [0.2, 0.1, 0.7]], np.float32
)
_SAME = 0.05  # of 255, by which the chart may differ: other versions of the library round otherwise


def by_transfer(transfer: int) -> str | None:
    """The space that a video's own tag means; None, where it is looked at as it is. H.273's code points."""
    return _BY_TRANSFER.get(transfer)


def find_view(name: str) -> View | None:
    """How samples of a colour space look; None for "none".

    Raises: ConfigError, for an unknown name, with the nearest ones; where OpenColorIO is wanted and not installed, or
        `$OCIO` names no configuration.
    """
    own = {known.lower(): view for known, view in OWN.items()}
    if name.lower() == NONE:
        return None
    return own.get(name.lower()) or _of_config(name, os.environ.get("OCIO") or _BUILT_IN)


def chart_of(view: View) -> str:
    """What a view makes of a few colours, as text: for a record, to be compared by `require_same`."""
    return " ".join(f"{value:.3f}" for value in view.shown(_CHART[None]).ravel())


def require_same(view: View, chart: str, where: str) -> None:
    """Raises ProjectError, where a view shows other colours than were noted, or what was noted is no chart."""
    try:
        noted = np.array([float(part) for part in chart.split()])
        same = noted.shape == (_CHART.size,) and bool(np.abs(view.shown(_CHART[None]).ravel() - noted).max() <= _SAME)
    except ValueError:
        same = False
    if not same:
        raise ProjectError(
            f"colour space '{view.name}' is another than when {where} was made",
            "set $OCIO as it was then, or run `stitchedit invert` on the clip again",
        )


@dataclass(frozen=True, slots=True)
class OcioView:
    """The `View` of a space of an OpenColorIO configuration."""

    name: str
    to_linear: Any  # CPUProcessor: to linear light of sRGB's primaries
    from_linear: Any

    def shown(self, values: FloatArray) -> FloatArray:
        return shown(_applied(self.to_linear, values))

    def stored(self, codes: FloatArray) -> FloatArray:
        return _applied(self.from_linear, light(codes))


def _applied(processor: Any, values: FloatArray) -> FloatArray:
    made = np.array(values, np.float32, order="C", copy=True)
    if made.size:
        processor.applyRGB(made)
    return made


@lru_cache(maxsize=8)
def _of_config(name: str, where: str) -> OcioView:
    ocio = _library(name)
    config = _config(ocio, where)
    known = {each.lower(): each for each in config.getColorSpaceNames()}
    wanted = next((n for n in (name, _shorts().get(name.lower(), name)) if config.getColorSpace(n) is not None), None)
    if wanted is None:
        raise _unknown(name, where, [*OWN, *_SHORT, *known.values()])
    if config.getColorSpace(wanted).isData():
        raise ConfigError(f"colour space '{name}' is for data, not for pictures", f"give {NONE} or another space")
    try:
        there = ocio.Config.GetProcessorToBuiltinColorSpace(config, wanted, _LINEAR)
        back = ocio.Config.GetProcessorFromBuiltinColorSpace(_LINEAR, config, wanted)
        # Without losses: the quick forms of logarithm and power are 1e-4 off.
        form = ocio.BIT_DEPTH_F32, ocio.BIT_DEPTH_F32, ocio.OPTIMIZATION_LOSSLESS
        return OcioView(name, there.getOptimizedCPUProcessor(*form), back.getOptimizedCPUProcessor(*form))
    except (ocio.Exception, ocio.ExceptionMissingFile) as exc:  # of a table that the configuration names
        why = str(exc).splitlines()[0]
        raise ConfigError(
            f"colour space '{name}' cannot be used both ways: {why}",
            "choose another, or give the configuration the role aces_interchange",
        ) from exc


def _library(name: str) -> Any:
    try:
        import PyOpenColorIO
    except ImportError as exc:
        raise ConfigError(
            f"colour space '{name}' needs OpenColorIO, which is not installed",
            f"pip install 'stitchedit[colour]'; without it there are {', '.join(OWN)}",
        ) from exc
    return PyOpenColorIO


@lru_cache(maxsize=4)
def _config(ocio: Any, where: str) -> Any:
    try:
        return ocio.Config.CreateFromFile(where)
    except (ocio.Exception, ocio.ExceptionMissingFile) as exc:
        why = str(exc).splitlines()[0]
        raise ConfigError(f"$OCIO is {where}, which cannot be read: {why}", "correct or unset it") from exc


def _shorts() -> dict[str, str]:
    return {short.lower(): name for short, name in _SHORT.items()}


def _unknown(name: str, where: str, known: list[str]) -> ConfigError:
    lower = {each.lower(): each for each in known}
    near = [lower[each] for each in difflib.get_close_matches(name.lower(), lower, 4, 0.4)]
    near += [each for each in known if name.lower() in each.lower() and each not in near]
    config = "the built-in ACES configuration" if where == _BUILT_IN else f"$OCIO ({where})"
    told = ", ".join(near[:6]) if near else ", ".join(known)
    return ConfigError(f"{config} has no colour space '{name}'", f"{'nearest' if near else 'known'} are {told}")
