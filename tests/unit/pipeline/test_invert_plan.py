"""What a plan foretells of an inversion."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from stitchedit.config import InvertConfig
from stitchedit.pipeline import invert_plan
from stitchedit.pipeline.invert_plan import TUNE_OVERHEAD, InvertPlan


def plan(exits: tuple[int, ...], width: int) -> InvertPlan:
    source: Any = SimpleNamespace(info=SimpleNamespace(width=width, height=100), count=lambda: 12)
    generator: Any = SimpleNamespace(exits=exits)
    no: Any = None
    return InvertPlan(InvertConfig(), source, no, no, generator, "", no, "", (), ())


@pytest.mark.parametrize(("exits", "size"), [((64,), 64), ((256, 512), 256), ((256, 512, 1024), 256)])
def test_all_steps_count_where_the_coarse_exit_is_the_last(
    exits: tuple[int, ...], size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(invert_plan, "seconds_a_pass", lambda generator, px: px / size)
    found = plan(exits, 200)
    assert found.largest_crop == size
    assert found.seconds() == pytest.approx(TUNE_OVERHEAD * found.steps["tune"])


def test_the_coarse_part_is_cheaper(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(invert_plan, "seconds_a_pass", lambda generator, px: px / 512)
    found, tune = plan((256, 512), 512), InvertConfig().tune
    share = 0.5 * tune.coarse_part + (1 - tune.coarse_part)
    assert found.seconds() == pytest.approx(TUNE_OVERHEAD * found.steps["tune"] * share)
