"""The time line: where a frame lies on it, and that what is set is seen."""

from __future__ import annotations

from dataclasses import replace

from stitchedit.studio.session import Session
from stitchedit.studio.timeline import WIDTH, Curve, draw_timeline, frame_at


def test_a_place_is_a_frame() -> None:
    assert [frame_at(x, 6) for x in (-5, 0, WIDTH / 2, WIDTH - 1, WIDTH + 5)] == [0, 0, 3, 5, 5]


def test_curves_keys_and_the_frame_are_drawn(session: Session) -> None:
    clip = session.clip
    assert clip is not None
    nothing = draw_timeline(clip, session.setting, [])
    level = draw_timeline(clip, session.setting, [Curve("push", [1.0] * 6, [])])
    keyed = draw_timeline(clip, session.setting, [Curve("push", [1.0] * 6, [2])])
    later = draw_timeline(clip, replace(session.setting, frame=4), [])
    assert nothing.shape == level.shape
    assert nothing.shape[1] == WIDTH
    pictures = [nothing, level, keyed, later]
    assert all((a != b).any() for k, a in enumerate(pictures) for b in pictures[:k])
