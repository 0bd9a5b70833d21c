"""`stitchedit studio`: the page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stitchedit.cli.console import EDIT, Device, keep_memory
from stitchedit.errors import CannotOpen, NotWritable


def studio(
    clip: Annotated[Path | None, typer.Argument(help="A clip or project to open.", show_default="none")] = None,
    folder: Annotated[
        list[Path] | None,
        typer.Option(
            help="The page opens and writes files in these folders alone; may be repeated.",
            show_default="that of the clip, else the working folder",
        ),
    ] = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="The first port that is tried.")] = 7870,
    device: Device = EDIT.device,
) -> None:
    """Open a page to see and steer edits by, on this machine alone; needs `pip install 'stitchedit[studio]'`."""
    from stitchedit.studio.server import require_gradio, serve

    folders = folder or [(clip or Path("x")).absolute().parent]
    for place in folders:
        if not place.is_dir():
            raise NotWritable(place, "it is no folder")
    if clip is not None and not clip.exists():
        raise CannotOpen(clip, "there is no such file")
    require_gradio()
    keep_memory()
    from stitchedit.queue.folder import Queue
    from stitchedit.studio.session import Session

    session = Session(folders, device)
    start = None if clip is None else str(session.allowed(clip))
    serve(session, Queue(), start, port=port, tell=lambda address: typer.echo(f"open {address}  (Ctrl-C ends it)"))
