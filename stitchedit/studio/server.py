"""Who may ask the page for something: a browser of this machine that knows the token of this start.

The page listens on 127.0.0.1 alone. Its address holds a token that is made anew at each start; the first request that
brings it gets a cookie in return, every other one without it is refused (403), whatever it asks for. A request must
also name this machine as its host, so that no other site can lead a browser here under a name of its own.
"""

from __future__ import annotations

import hmac
import os
import secrets
import socket
import tempfile
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from contextlib import closing
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from stitchedit.errors import ConfigError

if TYPE_CHECKING:
    from stitchedit.queue.folder import Queue
    from stitchedit.studio.session import Session

HOST = "127.0.0.1"
PORT = 7870  # the first that is tried
PORTS = 100  # so many following ones
# Gradio and what it brings ask nothing of anybody; uploads and pictures go into a folder that is gone at the end.
QUIET = {"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
# Whatever a page may hold, a browser loads nothing from elsewhere.
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; media-src 'self' blob:; font-src 'self' data:; worker-src 'self' blob:; "
    "connect-src 'self' blob: data:; form-action 'self'; base-uri 'self'; frame-ancestors 'none'"
)

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]


class Guard:
    """An ASGI application in front of another: lets through what comes from a browser that was given the token."""

    def __init__(self, app: App, token: str, port: int) -> None:
        self._app, self._token, self._cookie = app, token, f"stitchedit-{port}"
        self._hosts = {f"{name}:{port}" for name in (HOST, "localhost")}

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        brought = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        known = headers.get("host") in self._hosts
        if not known or not (self._is_token(brought) or self._is_token(self._cookie_of(headers))):
            await self._refuse(scope, send)
            return

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                added = [(b"content-security-policy", POLICY.encode()), (b"referrer-policy", b"no-referrer")]
                if self._is_token(brought):
                    cookie = f"{self._cookie}={self._token}; HttpOnly; SameSite=Strict; Path=/"
                    added.append((b"set-cookie", cookie.encode()))
                message["headers"] = [*message.get("headers", []), *added]
            await send(message)

        await self._app(scope, receive, answer)

    def _is_token(self, text: str) -> bool:
        return hmac.compare_digest(text.encode(), self._token.encode())

    def _cookie_of(self, headers: dict[str, str]) -> str:
        try:
            found = SimpleCookie(headers.get("cookie", "")).get(self._cookie)
        except CookieError:
            return ""
        return "" if found is None else found.value

    async def _refuse(self, scope: Message, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        said = b"403: open the address that `stitchedit studio` printed, with its token\n"
        await send({"type": "http.response.start", "status": 403, "headers": [(b"content-type", b"text/plain")]})
        await send({"type": "http.response.body", "body": said})


def free_port(first: int = PORT) -> socket.socket:
    """A socket that listens on this machine alone, on the first port that is free. Raises ConfigError."""
    for port in range(first, min(first + PORTS, 65536)):
        listening = socket.socket()
        try:
            listening.bind((HOST, port))
            listening.listen()
        except OSError:
            listening.close()
            continue
        return listening
    raise ConfigError(f"ports {first} to {first + PORTS - 1} are all taken", "name another one with --port")


def require_gradio() -> None:
    """Raises ConfigError, where the extra is not installed."""
    try:
        import gradio  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as exc:
        raise ConfigError(f"the page needs {exc.name}, which is not here", "pip install 'stitchedit[studio]'") from exc


def serve(
    session: Session, queue: Queue, start: str | None, *, port: int = PORT, tell: Callable[[str], None] = lambda _: None
) -> None:
    """Serve the page until the process is asked to end.

    Args:
        start: what is opened first, a clip or project; None: nothing.
        tell: called with the page's address, once it can be opened.
    Raises: ConfigError, where the extra `studio` is not installed or no port is free.
    """
    os.environ.update(QUIET)
    require_gradio()
    with tempfile.TemporaryDirectory(prefix="stitchedit-studio-") as scratch, closing(free_port(port)) as listening:
        os.environ["GRADIO_TEMP_DIR"] = scratch
        token, number = secrets.token_urlsafe(24), listening.getsockname()[1]
        app = guarded(session, queue, start, token, number)
        tell(f"http://{HOST}:{number}/?token={token}")
        _run(app, listening)


def guarded(session: Session, queue: Queue, start: str | None, token: str, port: int) -> App:
    """The page behind its guard, as an ASGI application."""
    import gradio
    from fastapi import FastAPI

    from stitchedit.studio.page import CSS, make_page, theme

    app = gradio.mount_gradio_app(
        FastAPI(docs_url=None, redoc_url=None, openapi_url=None),
        make_page(session, queue, start),
        path="/",
        server_name=HOST,
        server_port=port,
        allowed_paths=_shown(session.folders),
        blocked_paths=[str(queue.root)],
        ssr_mode=False,
        footer_links=[],
        enable_monitoring=False,
        show_error=True,
        theme=theme(),
        css=CSS,
        pwa=False,
        mcp_server=False,
    )
    return Guard(app, token, port)


def _shown(folders: Sequence[Path]) -> list[str]:
    """The folders whose files a page may show."""
    return [str(folder) for folder in folders]


def _run(app: App, listening: socket.socket) -> None:
    import uvicorn

    config = uvicorn.Config(app, log_level="error", access_log=False, lifespan="on", timeout_graceful_shutdown=2)
    uvicorn.Server(config).run(sockets=[listening])
