"""Colour spaces by name: what they show, the way back, and what is said of wrong names."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import OpenEXR
import pytest

from stitchedit.errors import ConfigError, ProjectError
from stitchedit.video import CodedFrame, View, open_seen, open_video, paste
from stitchedit.video.colourspaces import by_transfer, chart_of, find_view, require_same
from stitchedit.video.linear_light import light, shown
from stitchedit.video.yuv import to_bytes

pytest.importorskip("PyOpenColorIO", reason="pip install 'stitchedit[colour]'")

GRAY = {  # where 18 % gray lies, by their makers' papers
    "ACEScg": 0.18,
    "ACES2065-1": 0.18,
    "linear Rec.709": 0.18,
    "LogC3": 0.391,
    "LogC4": 0.2784,
    "S-Log3": 420 / 1023,
    "V-Log": 0.423,
    "REDLog3G10": 1 / 3,
    "Cineon": 468.5 / 1023,
}
SPACES = [*GRAY, "PQ", "HLG"]


def view_of(name: str) -> View:
    found = find_view(name)
    assert found is not None
    return found


@pytest.mark.parametrize("name", GRAY)
def test_gray_is_where_the_makers_say(name: str) -> None:
    seen = view_of(name).shown(np.full((1, 1, 3), GRAY[name], np.float32))
    np.testing.assert_allclose(light(seen), 0.18, rtol=0.01)


@pytest.mark.parametrize("name", SPACES)
def test_colours_of_the_display_go_there_and_back_to_a_thousandth_of_light(name: str) -> None:
    view = view_of(name)
    colours = np.random.default_rng(0).uniform(0, 1, (64, 64, 3)).astype(np.float32)
    for scale in (1.0, 4.0):  # below white, and up to two stops above
        back = light(view.shown(view.stored(shown(scale * colours))))
        np.testing.assert_allclose(back, scale * colours, atol=1e-3 * scale)


@pytest.mark.parametrize("name", SPACES)
def test_a_paste_changes_what_it_covers_and_nothing_else(name: str, random_frame: Callable[..., CodedFrame]) -> None:
    frame = replace(random_frame("yuv444p10le", 40, 30), view=view_of(name))
    alpha = np.zeros((12, 10), np.float32)
    alpha[2:10, 2:8] = np.linspace(0.1, 1, 48).reshape(8, 6)
    patch = np.random.default_rng(1).uniform(40, 220, (12, 10, 3)).astype(np.float32)
    made = paste(frame, np.where(alpha[..., None] > 0, patch, np.nan), alpha, (35, 22, 45, 34))  # leaves the picture
    untouched = np.ones((30, 40), bool)
    untouched[22:, 35:] = alpha[:8, :5] == 0
    for role, plane in made.planes.items():
        np.testing.assert_array_equal(plane[untouched], frame.planes[role][untouched])
    inside = made.rgb_float()[29, 39]
    wanted = frame.rgb_float()[29, 39] + alpha[7, 4] * (patch[7, 4] - frame.rgb_float()[29, 39])
    step = view_of(name).shown(view_of(name).stored(wanted[None, None]) + 1 / 1023)[0, 0] - wanted
    assert np.all(np.abs(inside - wanted) <= 2 * np.abs(step) + 0.5), "to the samples' own steps"


def test_exr_of_a_named_space_is_worked_on_as_it_looks(tmp_path: Path) -> None:
    """Of samples in half that an edit does not cover each bit stays, and so does light above white that it leaves."""
    values = np.random.default_rng(0).uniform(0, 1, (20, 24, 3)).astype(np.float16)
    values[5, 6] = 12.5
    OpenEXR.File({"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}, {"RGB": values}).write(
        str(tmp_path / "a.0001.exr")
    )
    view = view_of("ACEScg")
    frame = next(iter(open_video(tmp_path, view=view)))
    own = frame.rgb_float((4, 4, 10, 10))
    np.testing.assert_allclose(own, view.shown(values[4:10, 4:10].astype(np.float32)), rtol=1e-6)
    assert own.max() > 600
    half = np.full((6, 6), 0.5, np.float32)
    patch = own.copy()
    patch[0, 0] += 20
    made = paste(frame, patch, half, (4, 4, 10, 10)).values()
    outside = np.ones((20, 24), bool)
    outside[4:10, 4:10] = False
    np.testing.assert_array_equal(made[outside], values[outside].astype(np.float32))
    np.testing.assert_allclose(made[5, 6], 12.5, rtol=1e-3)
    np.testing.assert_allclose(view.shown(made[4, 4][None, None])[0, 0], own[0, 0] + 10, atol=0.2)


def test_a_video_says_itself_that_it_is_pq_or_hlg(ffmpeg: Callable[..., bytes], tmp_path: Path) -> None:
    for trc, name in (("smpte2084", "PQ"), ("arib-std-b67", "HLG"), ("bt709", None)):
        tags = f"setparams=color_primaries=bt2020:color_trc={trc}:colorspace=bt2020nc"
        made = ("-f", "lavfi", "-i", "color=gray:s=64x48:d=0.1", "-vf", tags, "-c:v", "libx264")
        ffmpeg(*made, "-pix_fmt", "yuv420p10le", tmp_path / "a.mp4")
        source = open_seen(tmp_path / "a.mp4")
        assert (None if source.view is None else source.view.name) == name
        assert open_seen(tmp_path / "a.mp4", colourspace="none").view is None
        seen, codes = (next(iter(clip)).rgb() for clip in (source, open_video(tmp_path / "a.mp4")))
        assert np.array_equal(seen, codes) == (name is None)
        if source.view is not None:
            values = next(iter(source)).values()
            np.testing.assert_array_equal(seen, to_bytes(source.view.shown(values)))
    assert by_transfer(1) is None


@pytest.mark.parametrize(
    ("wrong", "near"),
    [("ACESgc", "ACEScg"), ("logc5", "LogC4"), ("Slog3", "S-Log3"), ("Venice", "S-Log3 Venice S-Gamut3"), ("x!", "PQ")],
)
def test_an_unknown_name_is_told_with_the_nearest(wrong: str, near: str) -> None:
    with pytest.raises(ConfigError, match=f"has no colour space '{wrong}'") as told:
        find_view(wrong)
    assert near in told.value.hint


def test_data_is_no_picture() -> None:
    assert find_view("none") is None
    with pytest.raises(ConfigError, match="for data"):
        find_view("Raw")


def test_the_users_configuration_is_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("OCIO", str(tmp_path / "none.ocio"))
    with pytest.raises(ConfigError, match=r"\$OCIO is .*none.ocio, which cannot be read"):
        find_view("ACEScg")
    space = "colorspaces:\n- !<ColorSpace> {name: film}\n- !<ColorSpace> {name: raw, isdata: true}\n"
    view = "displays: {d: [!<View> {name: v, colorspace: raw}]}\n"
    (tmp_path / "own.ocio").write_text(f"ocio_profile_version: 2\nroles: {{default: raw}}\n{view}{space}")
    monkeypatch.setenv("OCIO", str(tmp_path / "own.ocio"))
    with pytest.raises(ConfigError, match="'film' cannot be used both ways") as told:
        find_view("film")
    assert "aces_interchange" in told.value.hint
    monkeypatch.setenv("OCIO", "ocio://cg-config-v1.0.0_aces-v1.3_ocio-v2.1")
    assert view_of("ACEScg").name == "ACEScg"
    with pytest.raises(ConfigError, match=r"\$OCIO \(ocio:.*has no colour space 'LogC4'"):
        find_view("LogC4")


def test_without_the_library_its_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PyOpenColorIO", None)
    monkeypatch.setenv("OCIO", "another so that nothing is kept")
    with pytest.raises(ConfigError, match="needs OpenColorIO") as told:
        find_view("ACEScg")
    assert "stitchedit[colour]" in told.value.hint
    assert view_of("pq").name == "PQ", "which needs none"


def test_a_configuration_that_has_changed_is_seen() -> None:
    chart = chart_of(view_of("LogC3"))
    require_same(view_of("LogC3"), chart, "the project")
    for other in (chart_of(view_of("LogC4")), "", "nonsense"):
        with pytest.raises(ProjectError, match="'LogC3' is another than when the project was made"):
            require_same(view_of("LogC3"), other, "the project")


def test_a_rate_is_no_view(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--fps"):
        open_seen(tmp_path / "a.mp4", Fraction(24))
