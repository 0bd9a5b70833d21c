"""The page itself: which controls there are, and which question of the session or the queue each of them asks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr

from stitchedit.config import FACE_LIKE, PRESETS, REGIONS
from stitchedit.errors import ConfigError
from stitchedit.queue.folder import Queue
from stitchedit.studio import queue_panel
from stitchedit.studio.dial import Dial
from stitchedit.studio.queue_panel import told
from stitchedit.studio.session import FACE, KEPT, SOURCE, WHOLE, Session, View
from stitchedit.studio.timeline import Curve, draw_timeline, frame_at

SLOTS = 16  # sliders that can be shown
CSS = ".narrow {max-width: 30rem} footer {display: none !important} #pair img {image-rendering: auto}"
NOTHING = "Open a clip that was inverted, or invert one below."


def theme() -> Any:
    """One that takes no fonts from elsewhere."""
    return gr.themes.Base(font=[gr.themes.Font("system-ui"), "sans-serif"], font_mono=[gr.themes.Font("monospace")])


def make_page(session: Session, queue: Queue, start: str | None) -> gr.Blocks:
    """The page for a session.

    Args:
        start: what is opened when the page is loaded.
    """
    with gr.Blocks(title="stitchedit studio", analytics_enabled=False, delete_cache=(60, 300), fill_width=True) as page:
        editor = Editor(session, start)
        with gr.Accordion("Invert a clip", open=start is None or not session.is_inverted(Path(start))):
            _inverting(session, queue, editor.path)
        with gr.Accordion("Render and queue", open=True):
            queue_panel.add_to(session, queue, editor.line)
        page.load(editor.reloaded, None, editor.everything, **_ONE)
    return page


# Whatever looks at the clip waits for its turn: of a slider's many places only the last one is drawn.
_ONE: dict[str, Any] = {"concurrency_id": "clip", "concurrency_limit": 1, "api_visibility": "private"}
_SOLVING: dict[str, Any] = {"concurrency_id": "solve", "concurrency_limit": 1, "api_visibility": "private"}
_READING: dict[str, Any] = {**_SOLVING, "show_progress": "hidden"}
_DRAGGED: dict[str, Any] = {**_ONE, "trigger_mode": "always_last", "show_progress": "hidden"}


class Editor:
    """The part with the picture, the sliders and the time line."""

    def __init__(self, session: Session, start: str | None) -> None:
        self.session, self.start = session, start
        self._opening()
        with gr.Row():
            with gr.Column(scale=3, min_width=420):
                self._picture()
            with gr.Column(scale=2, min_width=320):
                self._controls()
        self.line = gr.Textbox(
            label="The same on the command line", buttons=["copy"], interactive=False, elem_id="line"
        )
        self.seen_by = [self.frame, self.seen, self.compared, self.tint]
        self.drawn = [self.pair, self.status, self.line]
        self.everything = [*self.drawn, self.timeline, self.frame, self.regions, self.path, *self.dials]
        self._listen()

    def _opening(self) -> None:
        with gr.Row(equal_height=True):
            choices = self.session.offered()
            self.path = gr.Dropdown(
                choices, value=self.start, label="Clip or project", allow_custom_value=True, scale=4, elem_id="path"
            )
            self.open = gr.Button("Open", variant="primary", scale=1, elem_id="open")
            self.upload = gr.UploadButton("Add a clip", file_types=["video"], scale=1)

    def _picture(self) -> None:
        self.pair = gr.ImageSlider(
            label="before | after", format="jpeg", elem_id="pair", interactive=False, max_height=460
        )
        self.status = gr.Markdown(NOTHING, elem_id="status")
        self.frame = gr.Slider(0, 1, 0, step=1, label="Frame", elem_id="frame", interactive=True)
        self.timeline = gr.Image(label="Time line", show_label=False, interactive=False, elem_id="timeline", buttons=[])
        with gr.Row():
            self.seen = gr.Radio([FACE, WHOLE], value=FACE, label="Seen")
            self.compared = gr.Radio([SOURCE, KEPT], value=SOURCE, label="Before is the")
            self.tint = gr.Checkbox(False, label="Tint what may change")
        with gr.Row():
            self.play = gr.Button("Play a draft from here")
            self.keep = gr.Button("Keep this setting to compare")
        self.draft = gr.Image(label="Draft", interactive=False, visible=False, buttons=[])

    def _controls(self) -> None:
        self.dials = [
            gr.Slider(-1, 1, 0, step=0.1, label=f"direction {k}", visible=False, interactive=True, elem_id=f"dial-{k}")
            for k in range(SLOTS)
        ]
        with gr.Row():
            self.key = gr.Button("Keyframe here", elem_id="key")
            self.unkey = gr.Button("No keyframe here")
            self.reset = gr.Button("Reset all")
        self.regions = gr.CheckboxGroup(list(REGIONS), label="Regions (none: as the directions need)")
        with gr.Row():
            self.vector = gr.Textbox(
                label="Vector file, or a part", placeholder="path to a .npy, .npz, .pt or .toml; age.folds", scale=3
            )
            self.add = gr.UploadButton("Add a vector", scale=1)

    def _listen(self) -> None:
        self.open.click(self.opened, self.path, self.everything, **_ONE)
        self.upload.upload(told(self._take_clip), self.upload, self.path, **_ONE)
        for slot, dial in enumerate(self.dials):
            inputs = [dial, *self.seen_by]
            dial.input(self._dial_dragged(slot), inputs, self.drawn, **_DRAGGED)
            released = dial.release(self._dial_released(slot), inputs, [*self.drawn, self.timeline], **_ONE)
            # Meanwhile sliders answer as before, by strengths that are not solved for.
            released.then(told(self._solved), None, None, **_SOLVING).then(
                told(self._again), self.seen_by, self.drawn, **_ONE
            ).then(told(self._read), self.frame, self.status, **_READING)
        self.frame.input(told(self._scrubbed), self.seen_by, [*self.drawn, *self.dials], **_DRAGGED)
        followed = [*self.drawn, self.timeline, self.frame, *self.dials]
        looked = self.frame.release(told(self._looked), self.seen_by, followed, **_ONE)
        looked.then(told(self._read), self.frame, self.status, **_READING)
        self.timeline.select(told(self._picked), self.seen_by, followed, **_ONE)
        for choice in (self.seen, self.compared, self.tint):
            choice.change(told(self._looked), self.seen_by, followed, **_ONE)
        self.regions.input(told(self._bounded), [self.regions, *self.seen_by], self.drawn, **_ONE)
        for button, make in (
            (self.key, lambda setting, frame: setting.with_key(frame)),
            (self.unkey, lambda setting, frame: setting.without_key(frame)),
            (self.reset, lambda setting, frame: replace(setting, strengths={}, keys={})),
        ):
            button.click(self._changed(make), self.seen_by, followed, **_ONE)
        self.keep.click(told(self._kept), self.seen_by, [*self.drawn, self.compared], **_ONE)
        self.play.click(told(self._played), self.frame, self.draft, **_ONE)
        self.vector.submit(told(self._add_vector), [self.vector, *self.seen_by], [*followed, self.vector], **_ONE)
        self.add.upload(told(self._take_vector), [self.add, *self.seen_by], [*followed, self.vector], **_ONE)

    # What the handlers answer.

    @property
    def reloaded(self) -> Callable[[], Any]:
        """When the page is loaded: what is open, or what it was started with."""

        def load() -> Any:
            if self.session.clip is not None:
                return self._all()
            if self.start is None or not self.session.is_inverted(Path(self.start)):
                return [gr.skip()] * len(self.everything)
            return self._open(self.start)

        return told(load)

    @property
    def opened(self) -> Callable[[str], Any]:
        return told(self._open)

    def _open(self, path: str | None) -> list[Any]:
        self.session.open(path or "")
        return self._all()

    def _all(self) -> list[Any]:
        clip, frame = self.session.clip, self.session.setting.frame
        assert clip is not None
        looked = self._answers(View(frame), False)
        slider = gr.update(minimum=0, maximum=len(clip.tracks.state) - 1, value=frame)
        regions = list(self.session.setting.regions)
        return [*looked, self._line_of_time(), slider, regions, gr.skip(), *self._dial_updates(frame)]

    def _answers(self, view: View, tint: bool, *, quick: bool = False, note: str = "") -> list[Any]:
        """Picture, status and command line."""
        before, after = self.session.pair(view, quick=quick)
        if tint:
            before = self.session.region(view)
        return [(before, after), self._status(view.frame, note), self.session.line()]

    def _status(self, frame: int, *notes: str) -> str:
        return "  \n".join(line for line in (self.session.warning(), self.session.said(frame), *notes) if line)

    def _looked(self, frame: float, seen: str, compared: str, tint: bool) -> list[Any]:
        """The frame in full, time line, and the sliders where they stand there."""
        place = int(frame)
        self.session.change(lambda setting: replace(setting, frame=place))
        drawn = self._answers(View(place, seen, compared), tint)
        return [*drawn, self._line_of_time(), place, *self._dial_updates(place, followed=True)]

    def _picked(self, frame: float, seen: str, compared: str, tint: bool, event: gr.SelectData) -> list[Any]:
        """A click on the time line."""
        clip = self.session.clip
        picked = frame if clip is None else frame_at(event.index[0], len(clip.tracks.state))
        return self._looked(picked, seen, compared, tint)

    def _scrubbed(self, frame: float, seen: str, compared: str, tint: bool) -> list[Any]:
        view = View(int(frame), seen, compared)
        return [*self._answers(view, tint, quick=True), *self._dial_updates(view.frame, followed=True)]

    def _dial_dragged(self, slot: int) -> Callable[..., Any]:
        def work(value: float, frame: float, seen: str, compared: str, tint: bool) -> list[Any]:
            self.session.move(self._name(slot), value, int(frame))
            return self._answers(View(int(frame), seen, compared), tint, quick=True)

        return told(work)

    def _dial_released(self, slot: int) -> Callable[..., Any]:
        def work(value: float, frame: float, seen: str, compared: str, tint: bool) -> list[Any]:
            self.session.move(self._name(slot), value, int(frame))
            return [*self._again(frame, seen, compared, tint), self._line_of_time()]

        return told(work)

    def _name(self, slot: int) -> str:
        """Of a slider's direction. Raises ConfigError, where another window has opened what has fewer."""
        dials = self.session.dials
        if slot >= len(dials):
            raise ConfigError("another window has opened another clip on this page", "load this window again")
        return dials[slot].name

    def _solved(self) -> None:
        if self.session.unsolved():
            self.session.calibrate()

    def _again(self, frame: float, seen: str, compared: str, tint: bool) -> list[Any]:
        """The picture in full, with what is known of the directions."""
        waiting = ", ".join(self.session.unsolved())
        note = f"finding out what {waiting} does on this clip ..." if waiting else self._figures()
        return self._answers(View(int(frame), seen, compared), tint, note=note)

    def _read(self, frame: float) -> Any:
        """The status with the figures of the frame beside those of the clip, which takes longer than the picture."""
        found = self.session.reading(int(frame))
        return (
            self._status(int(frame), *(f"this frame, {line}" for line in found), self._figures())
            if found
            else gr.skip()
        )

    def _figures(self) -> str:
        return "  \n".join(f"at the end of the slider, {line}" for line in self.session.figures())

    def _bounded(self, regions: list[str], frame: float, seen: str, compared: str, tint: bool) -> list[Any]:
        self.session.change(lambda setting: replace(setting, regions=tuple(r for r in REGIONS if r in regions)))
        return self._answers(View(int(frame), seen, compared), tint)

    def _changed(self, make: Callable[[Any, int], Any]) -> Callable[..., Any]:
        def work(frame: float, seen: str, compared: str, tint: bool) -> list[Any]:
            self.session.change(lambda setting: make(setting, int(frame)))
            return [*self._looked(frame, seen, compared, tint)[:-SLOTS], *self._dial_updates(int(frame))]

        return told(work)

    def _kept(self, frame: float, seen: str, compared: str, tint: bool) -> list[Any]:
        self.session.keep()
        return [*self._answers(View(int(frame), seen, KEPT), tint), KEPT]

    def _played(self, frame: float) -> Any:
        return gr.update(value=str(self.session.draft(int(frame))), visible=True)

    def _take_clip(self, file: str) -> Any:
        return gr.update(value=str(self.session.take(Path(file))), choices=self.session.offered())

    def _take_vector(self, file: str, *view: Any) -> list[Any]:
        return self._add_vector(str(self.session.take(Path(file))), *view)

    def _add_vector(self, file: str, *view: Any) -> list[Any]:
        self.session.add_vector(file)
        return [*self._looked(*view)[:-SLOTS], *self._dial_updates(int(view[0])), ""]

    def _dial_updates(self, frame: int, *, followed: bool = False) -> list[Any]:
        """The sliders as they stand at a frame.

        Args:
            followed: those alone that follow keyframes; one that is being moved is not to be put back.
        """
        dials, keys = self.session.dials[:SLOTS], self.session.setting.keys
        shown = [
            gr.skip() if followed and dial.name not in keys else _as_dial(dial, value)
            for dial, value in zip(dials, self.session.values(frame), strict=False)
        ]
        return [*shown, *[gr.skip() if followed else gr.update(visible=False)] * (SLOTS - len(shown))]

    def _line_of_time(self) -> Any:
        clip, setting = self.session.clip, self.session.setting
        assert clip is not None
        by_name = {dial.name: dial for dial in self.session.dials}
        curves = [
            Curve(
                by_name[name].label,
                [setting.at(name, f) for f in range(len(clip.tracks.state))],
                [int(k) for k in keys],
            )
            for name, keys in ((name, setting.keys.get(name, {})) for name, _ in setting.edits())
            if name in by_name
        ]
        return draw_timeline(clip, setting, curves)


def _as_dial(dial: Dial, value: float) -> Any:
    low, high = min(dial.low, value), max(dial.high, value)
    return gr.update(minimum=low, maximum=high, step=dial.step, value=value, label=dial.label, visible=True)


def _inverting(session: Session, queue: Queue, path: gr.Dropdown) -> None:
    with gr.Row():
        preset = gr.Radio([p for p in PRESETS if p != "stit"], value="balanced", label="Preset")
        face = gr.Textbox("largest", label="Face", info="largest, 2, X,Y@SECONDS or all; several: 1 3", elem_id="face")
        show = gr.Button("Show the faces", elem_id="faces")
        button = gr.Button("Invert", elem_id="invert")
    gallery = gr.Gallery(
        label="Faces: click to choose", columns=6, height=180, visible=False, allow_preview=False, buttons=[]
    )
    said = gr.Markdown()

    def begin_inverting(place: str | None, preset: str, face: str) -> str:
        clip = session.allowed(place or "")
        faces = [face] if "," in face or face.startswith(FACE_LIKE) else face.split() or ["largest"]
        chosen = [word for one in faces for word in ("--face", one)]
        job = queue_panel.begin(queue, ["invert", str(clip), "--preset", preset, *chosen], clip.parent)
        return f"job {job.number}: its progress is below; open the clip when it is done"

    def show_faces(place: str | None) -> Any:
        return gr.update(value=session.faces(place or ""), visible=True)

    def choose(event: gr.SelectData) -> str:
        return str(event.value["caption"])

    show.click(told(show_faces), path, gallery, **_SOLVING)
    gallery.select(choose, None, face, api_visibility="private")
    button.click(told(begin_inverting), [path, preset, face], said, api_visibility="private")
