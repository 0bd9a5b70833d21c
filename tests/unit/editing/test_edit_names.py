from pathlib import Path

import pytest

from stitchedit.editing.edit_names import file_label, parse_channel, parse_part


@pytest.mark.parametrize(
    ("name", "found"), [("s:6:501", (6, 501)), ("s:0:0", (0, 0)), ("s:6", None), ("s:6:501:2", None), ("s:-1:2", None)]
)
def test_a_channel(name: str, found: tuple[int, int] | None) -> None:
    assert parse_channel(name) == found


def test_a_part_of_a_file_that_is_there(tmp_path: Path) -> None:
    path = tmp_path / "p#ca.pt"
    assert parse_part(f"{path}#10") is None
    path.touch()
    assert parse_part(f"{path}#10") == (path, 10, None)
    assert parse_part(f"{path}#10:0:8") == (path, 10, (0, 8))
    assert parse_part(str(path)) is None


@pytest.mark.parametrize(
    ("name", "label"),
    [("s:6:501", "s6-501"), ("a/pca.pt#10:0:8", "pca-10"), ("some/where/nose.npy", "nose"), ("age", "age")],
)
def test_names_for_files(name: str, label: str) -> None:
    assert file_label(name) == label
