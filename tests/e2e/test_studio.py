"""The page in a real browser: Debian's chromium, without a window, on a small project that is prepared."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prepared import prepared_project

pytest.importorskip("gradio", reason="the extra `studio` is not installed")
playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
BROWSER = next(
    (place for name in ("chromium", "chromium-browser", "google-chrome") if (place := shutil.which(name))), ""
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not BROWSER, reason="no chromium is here: apt-get install -y chromium"),
]
IN_TIME = 20.0  # seconds, on a machine that does other work; on a quiet one it is a part of a second
SETTING = """
schema = 1
frame = 2
regions = []
files = ["{folder}/push.npy"]
[strengths]
[keys]
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = prepared_project(tmp_path_factory.mktemp("studio"))
    (place / "clip.mp4.stitch" / "studio.toml").write_text(SETTING.format(folder=place))
    return place


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    """Where the real command serves the page."""
    environment = {**os.environ, "STITCHEDIT_HOME": str(folder / "home")}
    command = [sys.executable, "-m", "stitchedit", "studio", "clip.mp4", "--device", "cpu"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=folder, env=environment) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("open http://127.0.0.1:"), line
        yield line.split()[1]
        process.terminate()


class Page:
    """A page of the browser, with all that it said and asked for."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.errors: list[str] = []
        self.asked: set[str] = set()
        page.on("console", lambda told: self.errors.append(told.text) if told.type == "error" else None)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", lambda request: self.asked.add(request.url))

    def open(self, address: str) -> None:
        self.page.goto(address)
        self.page.wait_for_selector("#dial-0 input[type=range]", timeout=60_000)
        self.until(lambda: len(self.pictures()) == 2)

    def pictures(self) -> list[str]:
        return list(self.page.eval_on_selector_all("#pair img", "all => all.map(image => image.src)"))

    def line(self) -> str:
        return str(self.page.locator("#line textarea, #line input").first.input_value())

    def until(self, happened: Any, seconds: float = IN_TIME) -> float:
        start = time.monotonic()
        while not happened():
            assert time.monotonic() - start < seconds, (self.errors, self.page.locator("body").inner_text())
            self.page.wait_for_timeout(20)
        return time.monotonic() - start

    def overlaps(self) -> list[str]:
        """Controls that lie over each other, and what is wider than the window."""
        return list(self.page.evaluate(_OVERLAPS))


_OVERLAPS = """() => {
  const seen = e => e.offsetParent && e.getClientRects().length && getComputedStyle(e).opacity > 0;
  const shown = [...document.querySelectorAll('button, input, textarea')].filter(e =>
    seen(e) && !e.closest('#queue, #pair, #timeline'));
  const box = e => e.getBoundingClientRect(), name = e => e.id || e.ariaLabel || e.textContent || e.type;
  const found = [];
  for (const a of shown) for (const b of shown) {
    if (a === b || a.contains(b) || b.contains(a) || !(a.compareDocumentPosition(b) & 4)) continue;
    const p = box(a), q = box(b);
    const w = Math.min(p.right, q.right) - Math.max(p.left, q.left);
    const h = Math.min(p.bottom, q.bottom) - Math.max(p.top, q.top);
    if (w > 2 && h > 2 && p.width && q.width) found.push(name(a) + ' / ' + name(b));
  }
  if (document.documentElement.scrollWidth > innerWidth) found.push('wider than the window');
  return found;
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as started:
        found = started.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture
def page(browser: Any, address: str) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 1000})
    page = Page(context.new_page())
    page.open(address)
    yield page
    context.close()


def test_a_slider_is_moved_a_key_is_set_and_the_video_is_rendered(page: Page, address: str, folder: Path) -> None:
    before = page.pictures()
    slots = page.page.locator("[id^=dial-] input[type=range]:visible")
    slider = slots.nth(slots.count() - 1)
    slider.focus()
    slider.press("ArrowRight")  # as a keyboard moves it
    assert page.until(lambda: page.pictures() != before) < IN_TIME
    assert page.pictures()[0] == before[0], "the source stays"
    slider.evaluate("(e) => { e.value = 1.5; e.dispatchEvent(new Event('input', {bubbles: true})) }")
    page.until(lambda: page.line().endswith("push.npy --strength=1.5"))
    page.page.click("#key")
    page.until(lambda: page.line().endswith("push.npy --strength=2:1.5"))
    page.page.click("#render")
    page.until(lambda: "1 done" in " ".join(page.page.locator("#queue").inner_text().split()), 120)
    page.until(lambda: page.page.locator("#result video").count() == 2)
    assert [path.name for path in folder.glob("clip.push*.mp4")]
    page.open(address)  # once more: nothing is lost
    page.until(lambda: page.line().endswith("push.npy --strength=2:1.5"))
    assert page.errors == []
    server = address.split("/?")[0]
    assert {url for url in page.asked if not url.startswith((server, "data:", "blob:"))} == set()


def test_nothing_lies_over_anything_else_and_the_keyboard_reaches_all(page: Page) -> None:
    for width in (1280, 1920):
        page.page.set_viewport_size({"width": width, "height": 1000})
        page.page.wait_for_timeout(300)
        assert page.overlaps() == [], width
    reached = set()
    page.page.locator("body").click(position={"x": 2, "y": 2})
    for _ in range(90):
        page.page.keyboard.press("Tab")
        reached.add(page.page.evaluate("() => document.activeElement.closest('[id]')?.id"))
    wanted = {"path", "open", "frame", "key", "render", "job"}
    missing = {name for name in wanted if name not in reached}
    assert not missing, reached


def test_without_the_token_nothing_is_shown(browser: Any, address: str) -> None:
    context = browser.new_context()
    for wrong in (address.split("?")[0], address[:-1] + "!"):
        answer = context.new_page().goto(wrong)
        assert answer.status == 403
    context.close()
