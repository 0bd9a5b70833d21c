import logging
from pathlib import Path

import pytest

from stitchedit.cli.exit_codes import explain, one_line
from stitchedit.errors import DiskFull, NotAProject, Stopped
from stitchedit.project import log_file
from stitchedit.project.folder import Project
from stitchedit.project.log_file import NAME, ProjectLog, record_ending


def test_a_message_is_one_line() -> None:
    assert one_line("a\n b\tc") == "a b c"
    assert one_line("a\x1b[2Jb\0") == "a?[2Jb?"
    assert len(one_line("x" * 5000)) < 1010


def test_mistakes_are_two_lines_with_their_code() -> None:
    lines, code = explain(DiskFull("out.mp4"), None)
    assert code == 9
    assert [line.split(":")[0] for line in lines] == ["error", "hint"]
    assert explain(Stopped(15), None) == (["stopped (SIGTERM); the same command goes on from here"], 143)


@pytest.mark.parametrize(
    "exc",
    [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes")],
)
def test_out_of_memory_is_no_bug(exc: Exception) -> None:
    lines, code = explain(exc, None)
    assert code == 7
    assert "out of memory" in lines[0]


def test_a_bug_keeps_its_traceback_and_says_what_to_report(tmp_path: Path) -> None:
    try:
        {}["x"]
    except KeyError as exc:
        lines, code = explain(exc, tmp_path / "stitchedit.log")
    assert code == 1
    assert lines[0].startswith("Traceback")
    assert any("KeyError" in line for line in lines)
    assert "doctor" in lines[-1]
    assert str(tmp_path / "stitchedit.log") in lines[-1]


@pytest.fixture
def logger() -> logging.Logger:
    found = logging.getLogger("stitchedit")
    found.handlers[:] = [ProjectLog()]
    found.setLevel(logging.DEBUG)
    return found


def test_the_log_begins_where_the_command_did(tmp_path: Path, logger: logging.Logger) -> None:
    logger.info("before the project is known")
    assert record_ending(ValueError("too early")) is None
    project = Project.create(tmp_path / "clip.mp4.stitch")
    logger.debug("afterwards")
    assert record_ending(NotAProject(tmp_path)) == project.root / NAME
    text = (project.root / NAME).read_text()
    at = [
        text.index(part) for part in ("stitchedit 0", "before the project", "working in", "afterwards", "NotAProject")
    ]
    assert at == sorted(at)


def test_a_project_without_a_result_goes_with_its_log(tmp_path: Path, logger: logging.Logger) -> None:
    project = Project.create(tmp_path / "clip.mp4.stitch")
    project.records.save()
    project.discard_if_empty()
    assert not project.root.exists()
    logger.info("nothing breaks")


def test_the_log_has_a_limit_and_never_fails(
    tmp_path: Path, logger: logging.Logger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_file, "MAX_BYTES", 10_000)
    project = Project.create(tmp_path / "clip.mp4.stitch")
    for _ in range(40):
        logger.info("%s", "x" * 1000)
    files = sorted(project.root.glob(NAME + "*"))
    assert len(files) == 2
    assert all(0 < path.stat().st_size <= 11_000 for path in files)


def test_a_log_that_cannot_be_made_is_no_reason_to_stop(tmp_path: Path, logger: logging.Logger) -> None:
    (tmp_path / NAME).mkdir()
    log_file.log_in(tmp_path)
    for number in range(600):
        logger.info("line %d", number)
    assert record_ending(ValueError("no file")) is None
    project = Project.create(tmp_path / "clip.mp4.stitch")
    text = (project.root / NAME).read_text()
    assert "stitchedit 0" in text
    assert "line 400" in text
    assert "line 599" not in text, "what came first is kept, and not without end"


def test_a_name_that_is_too_long_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="too long") as told:
        (tmp_path / ("x" * 300)).stat()
    lines, code = explain(told.value, None)
    assert code == 9
    assert "the name is too long" in lines[0]
