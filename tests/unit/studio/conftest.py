"""What the page's tests share: a small project, open in a session."""

from __future__ import annotations

from pathlib import Path

import pytest
from prepared import prepared_project

from stitchedit.queue.folder import Queue
from stitchedit.studio.session import Session


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = prepared_project(tmp_path)
    monkeypatch.setenv("STITCHEDIT_HOME", str(place / "home"))
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "scratch"))
    (tmp_path / "scratch").mkdir()
    return place


@pytest.fixture
def session(folder: Path) -> Session:
    session = Session([folder], "cpu")
    session.open("clip.mp4")
    return session


@pytest.fixture
def queue(folder: Path) -> Queue:
    """In a folder whose files the page may show: the queue's are not among them."""
    return Queue(folder / "home" / "queue")
