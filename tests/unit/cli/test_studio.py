"""`stitchedit studio`: what it refuses before anything is loaded."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from stitchedit.cli.main import app
from stitchedit.errors import CannotOpen, ConfigError, NotWritable
from stitchedit.studio import server


def test_what_is_not_there_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def call(*words: object) -> BaseException | None:
        return CliRunner().invoke(app, ["studio", *map(str, words)]).exception

    assert isinstance(call(tmp_path / "absent.mp4"), CannotOpen)
    assert isinstance(call("--folder", tmp_path / "absent"), NotWritable)
    monkeypatch.setattr(server, "require_gradio", lambda: (_ for _ in ()).throw(ConfigError("the page needs gradio")))
    assert "needs gradio" in str(call("--folder", tmp_path))
