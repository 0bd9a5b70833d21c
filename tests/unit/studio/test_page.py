"""The page's handlers, called as the browser has them called."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

gr = pytest.importorskip("gradio", reason="the extra `studio` is not installed")

from stitchedit.files.locks import Lock
from stitchedit.queue.folder import Queue
from stitchedit.studio import queue_panel
from stitchedit.studio.page import SLOTS, Editor, make_page, told
from stitchedit.studio.session import FACE, SOURCE, Session

SEEN = (FACE, SOURCE, False)


@pytest.fixture
def editor(session: Session) -> Any:
    with gr.Blocks(analytics_enabled=False):
        yield Editor(session, "clip.mp4")


def test_a_mistake_is_one_line_on_the_page(editor: Any) -> None:
    with pytest.raises(gr.Error, match=r"outside of the folders of this page\. start it with"):
        editor.opened("/etc/passwd")
    with pytest.raises(ZeroDivisionError):
        told(lambda: 1 / 0)()


def test_opening_answers_every_control(editor: Any, session: Session) -> None:
    answers = editor.opened("clip.mp4")
    assert len(answers) == len(editor.everything)
    (before, after), said, line = answers[:3]
    assert before.shape == after.shape
    assert said.startswith("frame 0")
    assert line.startswith("# nothing is set")
    assert answers[4]["maximum"] == 5
    assert len(editor.reloaded()) == len(answers), "a page that is loaded again shows what is open"


def test_sliders_and_keyframes_are_followed(editor: Any, session: Session) -> None:
    name = session.add_vector("push.npy").name
    slot = [d.name for d in session.dials].index(name)
    dragged = editor._dial_dragged(slot)(1.0, 2, *SEEN)
    assert (dragged[0][0] != dragged[0][1]).any()
    released = editor._dial_released(slot)(1.5, 2, *SEEN)
    editor._solved()
    assert editor._again(2, *SEEN)[1] == "frame 2, 0.08 s"
    assert released[2].endswith("--strength=1.5")
    read = editor._read(2)
    assert read.startswith("frame 2, 0.08 s  \nthis frame, identity distance 0.")
    assert "this frame" not in editor._dial_dragged(slot)(1.5, 2, *SEEN)[1], "not while it is dragged"
    keyed = editor._changed(lambda setting, frame: setting.with_key(frame))(2, *SEEN)
    assert keyed[2].endswith("--strength=2:1.5")
    editor._dial_dragged(slot)(0.0, 5, *SEEN)
    looked = editor._looked(3, *SEEN)
    assert looked[2].endswith("--strength=2:1.5,5:0")
    dial = looked[5 + slot]
    assert 0 < dial["value"] < 1.5
    assert len(looked) == 5 + SLOTS
    picked = editor._picked(3, *SEEN, gr.SelectData(None, {"index": [1199, 5], "value": None}))
    assert picked[4] == 5


def test_a_window_that_shows_another_clips_sliders_is_told(editor: Any, session: Session) -> None:
    for work in (editor._dial_dragged(SLOTS - 1), editor._dial_released(SLOTS - 1)):
        with pytest.raises(gr.Error, match="another window"):
            work(1.0, 2, *SEEN)


def test_a_clip_that_cannot_be_read_and_a_project_in_use_are_one_line(editor: Any, folder: Path) -> None:
    (folder / "broken.mp4").write_bytes(b"no video")
    with pytest.raises(gr.Error, match=r"broken\.mp4"):
        editor.opened("broken.mp4")
    lock = Lock(folder / "clip.mp4.stitch", alone=True)
    assert editor.opened("clip.mp4")[1].startswith("**Read only**")
    lock.release()
    assert editor.opened("clip.mp4")[1].startswith("frame 0")


def test_every_control_of_the_page_has_a_name_and_no_handler_is_public(session: Session, queue: Queue) -> None:
    page = make_page(session, queue, None)
    named = [c for c in page.blocks.values() if isinstance(c, gr.Slider | gr.Textbox | gr.Radio | gr.Dropdown)]
    assert len(named) > SLOTS
    assert all(control.label for control in named)
    offered = [button for control in page.blocks.values() for button in getattr(control, "buttons", None) or []]
    assert "share" not in offered, "nothing leads elsewhere"
    assert all(control.buttons == [] for control in page.blocks.values() if isinstance(control, gr.Gallery))
    assert {str(fn.api_visibility) for fn in page.fns.values()} == {"private"}


def test_a_start_that_is_not_inverted_opens_nothing(folder: Path, queue: Queue) -> None:
    (folder / "other.mp4").write_bytes((folder / "clip.mp4").read_bytes())
    session = Session([folder], "cpu")
    with gr.Blocks(analytics_enabled=False):
        editor = Editor(session, str(folder / "other.mp4"))
    assert len(editor.reloaded()) == len(editor.everything)
    assert session.clip is None


def test_inverting_and_rendering_are_jobs(
    session: Session, queue: Queue, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Queue] = []
    monkeypatch.setattr(queue_panel, "start_worker", started.append)
    page = make_page(session, queue, None)
    handlers = {getattr(fn.fn, "__name__", ""): fn.fn for fn in page.fns.values()}
    assert "job 1" in handlers["begin_inverting"]("clip.mp4", "fast", "largest")
    with pytest.raises(gr.Error, match="nothing is set"):
        handlers["rendered"]()
    session.move(session.add_vector("push.npy").name, 1.0, 0)
    assert handlers["rendered"]()[1] == 2
    with pytest.raises(gr.Error, match="outside of the folders"):
        handlers["begin_inverting"]("/etc/passwd", "fast", "largest")
    shown = handlers["show_faces"]("clip.mp4")
    assert [caption for _, caption in shown["value"]] == ["1"]
    assert handlers["choose"](gr.SelectData(None, {"index": 0, "value": {"caption": "1"}})) == "1"
    handlers["begin_inverting"]("clip.mp4", "fast", "1 2")
    invert, edit, several = queue.jobs()
    assert several.command[-4:] == ("--face", "1", "--face", "2")
    assert invert.command == ("invert", str(folder / "clip.mp4"), "--preset", "fast", "--face", "largest")
    assert edit.command == tuple(session.command())
    assert len(started) == 3
