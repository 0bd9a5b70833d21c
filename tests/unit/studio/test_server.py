"""Who is answered: a browser of this machine with the token of this start, and files of the named folders alone."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stitchedit.errors import ConfigError
from stitchedit.queue.folder import Queue
from stitchedit.studio import server
from stitchedit.studio.session import Session

gradio = pytest.importorskip("gradio", reason="the extra `studio` is not installed")

PORT, TOKEN = 7999, "the-token"
FILE = "/gradio_api/file="


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Whom the process wants to speak to."""
    made: list[Any] = []
    for name in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, lambda self, address: made.append(address))
    real = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda *given, **more: made.append(given) or real(*given, **more))
    return made


@pytest.fixture
def browser(session: Session, queue: Queue, called: list[Any]) -> Iterator[Any]:
    from starlette.testclient import TestClient

    app = server.guarded(session, queue, None, TOKEN, PORT)
    with TestClient(app, base_url=f"http://127.0.0.1:{PORT}") as client:  # type: ignore[arg-type]
        yield client


def test_without_the_token_of_this_start_everything_is_refused(browser: Any, folder: Path) -> None:
    for path in (
        "/",
        "/config",
        "/gradio_api/info",
        "/gradio_api/queue/join",
        f"{FILE}{folder}/clip.mp4",
        "/theme.css",
    ):
        for token in ("", "?token=", "?token=another", "?token=the-toke"):
            answer = browser.get(path + token)
            assert answer.status_code == 403, path
            assert "set-cookie" not in answer.headers
    assert browser.post("/gradio_api/upload", files={"files": b"x"}).status_code == 403
    assert browser.get("/", headers={"cookie": f"stitchedit-{PORT}=another"}).status_code == 403
    assert browser.get("/", headers={"cookie": f"stitchedit-{PORT + 1}={TOKEN}"}).status_code == 403


def test_another_name_for_this_machine_is_refused(browser: Any) -> None:
    assert browser.get(f"/?token={TOKEN}", headers={"host": "evil.example"}).status_code == 403
    assert browser.get(f"/?token={TOKEN}", headers={"host": f"evil.example:{PORT}"}).status_code == 403


def test_with_it_the_page_is_there_and_shows_files_of_its_folders_alone(
    browser: Any, folder: Path, queue: Queue, tmp_path: Path, called: list[Any]
) -> None:
    answer = browser.get(f"/?token={TOKEN}")
    assert answer.status_code == 200
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    assert "googleapis" not in answer.text
    assert "googleapis" not in browser.get("/theme.css").text
    config = browser.get("/config").json()
    assert config["analytics_enabled"] is False
    assert browser.get(f"{FILE}{folder}/clip.mp4").status_code == 200
    (tmp_path / "secret.txt").write_text("never shown")
    (queue.root / "x.txt").write_text("never shown")
    for path in ("/etc/passwd", tmp_path / "secret.txt", f"{folder}/../secret.txt", queue.root / "x.txt"):
        answer = browser.get(f"{FILE}{path}")
        assert answer.status_code in (403, 404), path
        assert "never shown" not in answer.text
    assert called == []


def test_a_port_that_is_taken_gives_the_next_one_and_nobody_else_is_let_in() -> None:
    first = server.free_port(42870)
    second = server.free_port(first.getsockname()[1])
    assert second.getsockname()[0] == "127.0.0.1"
    assert second.getsockname()[1] > first.getsockname()[1]
    for listening in (first, second):
        listening.close()
    with pytest.raises(ConfigError, match="all taken"):
        server.free_port(70000)


def test_without_the_extra_one_line_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "gradio", None)
    with pytest.raises(ConfigError, match="needs gradio") as told:
        server.require_gradio()
    assert "stitchedit[studio]" in told.value.hint
