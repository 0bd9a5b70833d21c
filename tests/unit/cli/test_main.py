"""What every command shares: one line for a mistake, another for what to do, and the exit code of its kind."""

import pytest
from typer.testing import CliRunner

from stitchedit.cli import main


def test_a_mistake_is_two_lines_and_the_code_of_its_kind(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["stitchedit", "preview", "--years", "5", "--direction", "smile"])
    with pytest.raises(SystemExit) as ended:
        main.main()
    assert ended.value.code == 2
    said = capsys.readouterr().err.splitlines()
    assert said == [
        "error: --years counts the strengths of `age` alone",
        "hint: give it without --direction and --strength",
    ]


def test_help_lists_every_command_and_code() -> None:
    told = CliRunner().invoke(main.app, ["--help"]).stdout
    commands = ("invert", "edit", "preview", "evaluate", "sheet", "provenance", "clean", "doctor")
    for command in (*commands, "queue", "batch", "studio"):
        assert f"\n  {command} " in told, command
    assert "exit" in told.lower()
