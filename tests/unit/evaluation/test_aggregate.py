"""Figures from measurements whose answers are known; what cannot be had is counted and named."""

from __future__ import annotations

import numpy as np
import pytest

from stitchedit.evaluation.aggregate import EXPRESSION, UNITS, Measured, gap_lines, make_figures
from stitchedit.evaluation.face_readings import Readings
from stitchedit.evaluation.report import Figure, Gap, frame_ranges, shown
from stitchedit.metrics import METRICS, Flicker
from stitchedit.types import AskedChange

COUNT = 30
TIME = np.arange(COUNT) / 25


def readings(seed: int = 0, **values: np.ndarray) -> Readings:
    rng = np.random.default_rng(seed)
    moving = {name: np.sin(3 * TIME + k).astype(np.float32) for k, name in enumerate(UNITS)}
    return Readings(
        rng.normal(100, 1, (COUNT, 68, 2)).astype(np.float32),
        (np.ones((COUNT, 8)) + 0.01 * rng.normal(size=(COUNT, 8))).astype(np.float32),
        moving | {name: np.asarray(v, np.float32) for name, v in values.items()},
    )


def measured(**changes: object) -> Measured:
    flicker = Flicker()
    flicker.output, flicker.source = [np.nan] + [3.0] * (COUNT - 1), [np.nan] + [2.0] * (COUNT - 1)
    rows = {
        name: np.full(COUNT, 0.5, np.float32)
        for name in METRICS
        if name.startswith(("inversion", "border", "seam", "colour", "identity", "outside", "encoded"))
    }
    facts = {
        "frames": np.arange(10, 10 + COUNT),
        "rate": 25.0,
        "starts": np.array([0]),
        "directions": ("age",),
        "source": readings(age=np.full(COUNT, 30)),
        "edit": readings(age=np.full(COUNT, 50)),
        "flicker": flicker,
        "rows": rows,
        "asked_changes": (AskedChange("age", "age", "years", np.full(COUNT, 20, np.float32)),),
        "retention": {"0 to 2 px": 0.9, "2 to 8 px": 0.8, "8 to 32 px": np.nan},
    }
    return Measured(**{**facts, **changes})  # type: ignore[arg-type]


def by_name(made: list[Figure]) -> dict[str, Figure]:
    return {figure.name: figure for figure in made}


def test_every_metric_has_its_figure_and_an_even_edit_has_no_gap() -> None:
    figures, attributes, curves = make_figures(measured())
    assert [f.name for f in figures] == [n for n in METRICS.own if METRICS[n].group != "truth"]
    found = by_name(figures)
    assert found["flicker"].value == pytest.approx(1.5)
    assert found["flicker_excess"].value == pytest.approx(1)
    assert found["edit_spread"].value == 0
    assert found["tg_id"].value == pytest.approx(1)
    age = next(a for a in attributes if a.name == "age")
    assert (age.asked, age.change) == (True, 20)
    assert found["side_effect"].value == pytest.approx(0)
    gaps = {f.name: str(f.gap) for f in figures if f.gap is not None}
    assert set(gaps) == {"attribute_jitter"}, "the source's age does not move at all"
    assert set(curves["age"]) == {"source", "edit"}


def test_what_was_delivered_is_told_by_each_ruler_and_of_what_was_asked_frame_by_frame() -> None:
    rise = np.linspace(0, 20, COUNT, dtype=np.float32)
    three = {"age": 30 + 0.5 * rise, "age_rated": 40 + rise, "age_v1": 50 + 1.2 * rise}
    facts = measured(
        source=readings(age=np.full(COUNT, 30), age_rated=np.full(COUNT, 40), age_v1=np.full(COUNT, 50)),
        edit=readings(**three),
        asked_changes=(AskedChange("age", "age", "years", rise),),
    )
    figure = by_name(make_figures(facts)[0])["edit_delivered"]
    assert figure.value == pytest.approx(0.9)
    expected = {"asked age, years": 20, "by age": 10, "by age_rated": 20, "by age_v1": 24}
    assert figure.beside == pytest.approx(expected, rel=1e-3)
    unasked = by_name(make_figures(measured(asked_changes=()))[0])["edit_delivered"]
    assert "by how much" in str(unasked.gap)


def test_the_band_that_keeps_least_stands_for_all() -> None:
    figure = by_name(make_figures(measured())[0])["edit_retention"]
    assert figure.value == 0.8
    assert figure.beside == {"0 to 2 px": 0.9, "2 to 8 px": 0.8}
    none = by_name(make_figures(measured(retention={}, why={"edit_retention": "no project holds it"}))[0])
    assert str(none["edit_retention"].gap) == "no project holds it"


def test_side_effects_are_counted_in_standard_deviations_and_smiles_are_no_side_effect_of_smile() -> None:
    wider = {"mouth_width": np.sin(3 * TIME) + 5, "gaze": np.sin(3 * TIME) + 0.05}
    same = {"mouth_width": np.sin(3 * TIME), "gaze": np.sin(3 * TIME)}
    facts = {"source": readings(**same), "edit": readings(**wider)}
    smile, _, _ = make_figures(measured(directions=("smile",), **facts))
    assert list(by_name(smile)["side_effect"].beside) == ["change of gaze"]
    age, _, _ = make_figures(measured(directions=("age",), **facts))
    assert list(by_name(age)["side_effect"].beside) == ["change of mouth_width"]


def test_frames_without_a_face_are_counted_and_named() -> None:
    edit = readings(age=np.full(COUNT, 50))
    for array in (edit.landmarks, edit.embeddings, *edit.values.values()):
        array[[2, 3, 4, 9]] = np.nan
    distance = np.full(COUNT, 0.2, np.float32)
    distance[[2, 3, 4, 9]] = np.nan
    facts = measured(edit=edit)
    facts.rows["identity_distance"] = distance
    figures, _, _ = make_figures(facts)
    found = by_name(figures)
    for name in ("identity_distance", "tl_id", "tg_id", "jitter", "expression_correlation"):
        gap = found[name].gap
        assert gap is not None
        assert gap.frames == (12, 13, 14, 19)
    assert found["tg_id"].value == pytest.approx(1)
    lines = gap_lines(facts, figures, [0, 1, 2, 50])
    assert lines[0] == "4 frames without a face pass through, not measured: 0-2, 50"
    assert any(line.startswith("identity_distance, tl_id, tg_id") and "12-14, 19" in line for line in lines)


def test_without_predictors_their_figures_are_gaps_that_say_how_to_fetch_them() -> None:
    why = {
        name: "weights are not here: run `stitchedit weights fetch measuring`"
        for name in ("age", "age_rated", "age_v1", "gender")
    }
    blind = [readings() for _ in range(2)]
    for r in blind:
        for name in why:
            del r.values[name]  # type: ignore[attr-defined]
    facts = measured(source=blind[0], edit=blind[1], why=why)
    figures, _, _ = make_figures(facts)
    found = by_name(figures)
    for name in ("edit_spread", "attribute_jitter", "side_effect"):
        assert "weights fetch measuring" in str(found[name].gap)
    assert np.isfinite(found["expression_correlation"].value), "the other curves are there"
    assert any("age, age_rated, age_v1, gender" in line for line in gap_lines(facts, figures, []))


def test_curves_that_hardly_move_do_not_count_among_those_that_can_be_read() -> None:
    noise = np.random.default_rng(5).normal(size=(2, COUNT))
    again = readings(gaze_up=readings().values["gaze_up"] + 2 * noise[0])  # reads as badly after H.264
    duller = readings(gaze_up=noise[1], smile=np.cos(3 * TIME))
    figures, _, _ = make_figures(measured(edit=duller, ceiling=again))
    figure = by_name(figures)["expression_correlation"]
    beside = figure.beside
    assert beside["gaze_up"] < 0.9
    assert beside["smile"] < 0.9
    assert beside["their ceiling"] == pytest.approx(1), "smile can be read, and so counts as it is"
    assert beside["readable curves"] == pytest.approx((4 + beside["smile"]) / 5)
    assert figure.value == pytest.approx((4 + beside["smile"] + beside["gaze_up"]) / 6)
    assert beside["ceiling"] < 1
    nothing = readings(**{name: noise[0] for name in EXPRESSION})
    figures, _, _ = make_figures(measured(ceiling=nothing))
    assert "readable curves" not in by_name(figures)["expression_correlation"].beside


def test_an_edit_of_which_nothing_is_known() -> None:
    figures, attributes, _ = make_figures(measured(directions=()))
    assert "not known" in str(by_name(figures)["edit_spread"].gap)
    assert not any(a.asked for a in attributes)


def test_the_truth_stands_beside_doing_nothing() -> None:
    facts = measured(truth=readings(age=np.full(COUNT, 60)))
    facts.rows |= {n: np.full(COUNT, 0.3, np.float32) for n in ("truth_perceptual", "truth_psnr", "nearer_to_truth")}
    facts.beside["truth_perceptual"] = ("doing nothing", np.full(COUNT, 0.6, np.float32))
    facts.whole["nearer_to_truth"] = 0.5
    figures, _, curves = make_figures(facts)
    found = by_name(figures)
    assert found["truth_attribute"].value == pytest.approx(1 / 3), "10 of 30 years are missing"
    assert found["truth_perceptual"].beside == {"doing nothing": pytest.approx(0.6)}
    assert found["nearer_to_truth"].value == 0.5
    assert found["nearer_to_truth"].reached
    assert set(curves["truth_perceptual"]) == {"edit", "doing nothing"}
    assert set(curves["age"]) == {"source", "edit", "truth"}


def test_the_worst_frame_follows_which_way_is_better() -> None:
    facts = measured()
    facts.rows["inversion_psnr"] = np.linspace(30, 40, COUNT).astype(np.float32)
    facts.rows["seam_gradient"] = np.array([1.0] * 4 + [0.5] + [1.2] * (COUNT - 5), np.float32)
    facts.rows["identity_distance"] = np.linspace(0.1, 0.3, COUNT).astype(np.float32)
    found = by_name(make_figures(facts)[0])
    assert found["inversion_psnr"].worst == (30, 10)
    assert found["seam_gradient"].worst == (0.5, 14)
    assert found["identity_distance"].worst == (pytest.approx(0.3), 39)


def test_words() -> None:
    assert frame_ranges([4, 2, 3, 9]) == "2-4, 9"
    assert str(Gap("dark", (4,))) == "1 frame left out (4): dark"
    assert shown(float("nan")) == "-"
    assert shown(0.123456) == "0.1235"
