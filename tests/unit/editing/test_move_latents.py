"""Directions are found, checked, added up; every wrong use is one clear error."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stitchedit.editing.direction import Direction
from stitchedit.editing.direction_catalogue import find_direction, list_directions, read_direction
from stitchedit.editing.move_latents import edit, load_direction, load_step
from stitchedit.errors import (
    ConfigError,
    DirectionError,
    HashMismatch,
    OtherGenerator,
    UnknownDirection,
    WrongShape,
)
from stitchedit.types import Latents


@dataclass(frozen=True)
class Space:
    made_for: str = "ffhq-1024"
    num_ws: int = 16
    w_dim: int = 512


def _latents(rows: int = 1, frames: int = 3, dim: int = 512) -> Latents:
    return Latents(np.random.default_rng(0).normal(size=(frames, rows, dim)).astype(np.float32))


def _write(folder: Path, vector: np.ndarray, name: str = "nose", **changes: object) -> Path:
    np.save(folder / f"{name}.npy", vector)
    digest = hashlib.sha256((folder / f"{name}.npy").read_bytes()).hexdigest()
    entries: dict[str, object] = {
        "name": name,
        "space": "W",
        "file": f"{name}.npy",
        "sha256": digest,
        "unit": "none",
        "made_for": "ffhq-1024",
        "range": [-2, 2],
    } | changes
    lines = [f"{key} = {str(value) if isinstance(value, list) else repr(value)}" for key, value in entries.items()]
    path = folder / f"{name}.toml"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def test_the_directions_that_come_along() -> None:
    known = {direction.name: direction for direction in list_directions()}
    assert {"age", "smile", "identity"} <= set(known)
    for direction in known.values():
        assert direction.made_for == "ffhq-1024"
        assert direction.unit
        assert direction.source
        assert direction.licence
        assert direction.range is not None
        assert direction.range[0] <= 0 < direction.range[1]
        assert direction.sha256
        step = load_step(direction, _latents(), Space(), seed=1)
        assert step.shape == (1 if direction.space == "W" else 16, 512)
        assert 0.1 < np.linalg.norm(step, axis=1).max() < 40
    assert known["identity"].kind == "function"
    assert known["age"].as_json()["file"] == "age.npy"


def test_the_vector_files_are_plain_float32() -> None:
    for direction in list_directions():
        if direction.kind == "vector":
            vector = np.load(direction.file, allow_pickle=False)
            assert vector.dtype == np.float32
            assert vector.shape == ((len(direction.knots), 512) if direction.knots else (512,))


def test_a_w_vector_keeps_one_row_and_adds_up(tmp_path: Path) -> None:
    vector = np.arange(512, dtype=np.float32) / 512
    nose = _write(tmp_path, vector)
    latents = _latents()
    edited = edit(latents, [(str(nose), 2.0), (str(nose), -0.5)], Space())
    assert edited.ws.shape == (3, 1, 512)
    assert edited.ws.dtype == np.float32
    np.testing.assert_allclose(edited.ws, latents.ws + 1.5 * vector, atol=1e-5)
    assert edited.edits == ((str(nose), 2.0), (str(nose), -0.5))


def test_a_strength_for_each_frame_moves_each_frame_by_its_own_along_one_vector(tmp_path: Path) -> None:
    vector = np.arange(512, dtype=np.float32) / 512
    nose, some = _write(tmp_path, vector), _write(tmp_path, vector, name="some", layers=[4, 8])
    latents = _latents()
    strengths = np.array([0.0, 1.0, 2.5])
    edited = edit(latents, [(str(nose), strengths), (str(nose), 1.0)], Space())
    np.testing.assert_allclose(edited.ws, latents.ws + (1 + strengths)[:, None, None] * vector, atol=1e-5)
    np.testing.assert_array_equal(
        edit(latents, [(str(nose), np.full(3, 2.0))], Space()).ws, edit(latents, [(str(nose), 2.0)], Space()).ws
    )
    layered = edit(latents, [(str(some), strengths)], Space())
    assert layered.ws.shape == (3, 16, 512)
    np.testing.assert_array_equal(layered.ws[0], np.broadcast_to(latents.ws[0], (16, 512)))
    np.testing.assert_allclose(layered.ws[2, 5] - layered.ws[2, 3], 2.5 * vector, atol=1e-5)
    with pytest.raises(ConfigError):
        edit(latents, [(str(nose), np.array([0.0, np.nan, 1.0]))], Space())


def test_layers_and_w_plus_take_all_rows(tmp_path: Path) -> None:
    vector = np.ones(512, np.float32)
    some = _write(tmp_path, vector, layers=[4, 8])
    edited = edit(_latents(), [(str(some), 1.0)], Space())
    moved = edited.ws - _latents().ws
    np.testing.assert_allclose(moved[:, 4:8], 1, atol=1e-6)
    assert not moved[:, :4].any()
    assert not moved[:, 8:].any()
    assert edited.ws.shape == (3, 16, 512)
    plus = _write(tmp_path, np.random.default_rng(1).normal(size=(16, 512)).astype(np.float32), "plus", space="W+")
    assert edit(_latents(), [(str(plus), 1.0)], Space()).ws.shape == (3, 16, 512)
    assert edit(_latents(rows=16), [(str(_write(tmp_path, vector)), 1.0)], Space()).ws.shape == (3, 16, 512)


@cache
def known_at_zero() -> list[tuple[Direction, float]]:
    return [(load_direction(find_direction(name)), at) for name, at in (("age", 0.0), ("smile", -0.0), ("identity", 0))]


@given(seed=st.integers(0, 2**40), rows=st.sampled_from([1, 16]))
def test_strength_zero_changes_nothing(seed: int, rows: int) -> None:
    latents = Latents(np.random.default_rng(seed).normal(size=(2, rows, 512)).astype(np.float32))
    edited = edit(latents, known_at_zero(), Space(), seed=seed)
    np.testing.assert_array_equal(edited.ws, latents.ws)


def test_no_edit_is_the_clip_itself() -> None:
    np.testing.assert_array_equal(edit(_latents(), [], Space()).ws, _latents().ws)


@pytest.mark.parametrize("strength", [float("nan"), float("inf"), float("-inf")])
def test_strength_must_be_a_number(strength: float) -> None:
    with pytest.raises(ConfigError, match="age"):
        edit(_latents(), [("age", strength)], Space())


def test_unknown_names_come_with_the_nearest() -> None:
    with pytest.raises(UnknownDirection) as caught:
        find_direction("smlie")
    assert "smile" in caught.value.nearest
    assert "smile" in caught.value.hint
    with pytest.raises(UnknownDirection, match=r"nowhere\.npy"):
        find_direction("nowhere.npy")


def test_another_generator_is_refused_unless_forced() -> None:
    with pytest.raises(OtherGenerator, match="cats-256"):
        edit(_latents(), [("age", 1.0)], Space(made_for="cats-256"))
    assert edit(_latents(), [("age", 1.0)], Space(made_for="cats-256"), force=True).ws.shape == (3, 1, 512)


def test_rows_of_the_same_resolution_move_in_a_generator_of_another_size(tmp_path: Path) -> None:
    vector = np.random.default_rng(0).normal(size=(16, 512)).astype(np.float32)
    nose = _write(tmp_path, vector, space="W+", layers=[0, 16])
    larger, smaller = (edit(_latents(), [(str(nose), 1.0)], Space(num_ws=rows)).ws - _latents().ws for rows in (18, 14))
    np.testing.assert_allclose(larger[0, :16], vector, atol=1e-5)
    assert not larger[:, 16:].any()
    np.testing.assert_allclose(smaller[0], vector[:14], atol=1e-5)
    with pytest.raises(WrongShape):
        edit(_latents(), [(str(_write(tmp_path, vector, "bare", space="W+")), 1.0)], Space(num_ws=18))


def test_a_changed_file_is_refused(tmp_path: Path) -> None:
    nose = _write(tmp_path, np.ones(512, np.float32))
    np.save(tmp_path / "nose.npy", np.zeros(512, np.float32))
    with pytest.raises(HashMismatch):
        edit(_latents(), [(str(nose), 1.0)], Space())


def test_a_missing_vector_or_wrong_shape_is_refused(tmp_path: Path) -> None:
    nose = _write(tmp_path, np.ones(512, np.float32))
    (tmp_path / "nose.npy").unlink()
    with pytest.raises(DirectionError, match="cannot read"):
        edit(_latents(), [(str(nose), 1.0)], Space())
    narrow = _write(tmp_path, np.ones(300, np.float32))
    with pytest.raises(WrongShape, match="300"):
        edit(_latents(), [(str(narrow), 1.0)], Space())
    broken = _write(tmp_path, np.full(512, np.nan, np.float32), "broken")
    with pytest.raises(DirectionError, match="not finite"):
        edit(_latents(), [(str(broken), 1.0)], Space())


@pytest.mark.parametrize(
    "text", ["name = 3", "{", "name='a'\nspace='Z'\nfile='a.npy'\nunit=''\nmade_for=''", "name='a'\nlayers=5"]
)
def test_a_broken_toml_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DirectionError):
        read_direction(path)


def test_a_bare_vector_says_that_its_generator_is_unknown(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "theirs.npy"
    np.save(path, np.full((1, 512), 0.5, np.float64))
    with caplog.at_level(logging.INFO):
        edited = edit(_latents(), [(str(path), 2.0)], Space())
    assert "does not say which generator" in caplog.text
    np.testing.assert_allclose(edited.ws - _latents().ws, 1, atol=1e-6)


def test_identity_depends_on_the_seed_and_only_moves_as_a_whole() -> None:
    latents = _latents(frames=5)
    one = edit(latents, [("identity", 1.0)], Space(), seed=1).ws - latents.ws
    again = edit(latents, [("identity", 1.0)], Space(), seed=1).ws - latents.ws
    other = edit(latents, [("identity", 1.0)], Space(), seed=2).ws - latents.ws
    np.testing.assert_array_equal(one, again)
    assert np.abs(one - one[:1]).max() < 1e-5  # the same step for every frame
    assert np.linalg.norm(one[0] - other[0]) > 1


def test_identity_keeps_what_the_regressors_read() -> None:
    direction = find_direction("identity")
    step = load_step(direction, _latents(), Space(), seed=4)[0]
    with np.load(direction.file) as data:
        kept = data["keep"].astype(np.float64) @ (step - data["aside"])
    assert np.abs(kept).max() < 0.02  # in SD of each attribute; what is left is rounding


def test_a_vector_in_memory_moves_the_codes_without_any_file() -> None:
    step = np.random.default_rng(1).normal(size=512).astype(np.float32)
    mine = Direction(vector=step, layers=(4, 8))
    moved = edit(_latents(), [(mine, 2.0)], Space()).ws - _latents().ws
    np.testing.assert_allclose(moved[:, 4:8], np.broadcast_to(2 * step, (3, 4, 512)), atol=1e-5)
    assert not moved[:, :4].any()
    plus = Direction(vector=np.random.default_rng(2).normal(size=(1, 16, 512)))
    np.testing.assert_allclose(
        edit(_latents(), [(plus, 1.0)], Space()).ws - _latents().ws, plus.vector[[0, 0, 0]], atol=1e-5
    )
    with pytest.raises(WrongShape, match=mine.name):
        edit(_latents(dim=64), [(mine, 1.0)], Space(w_dim=64))
