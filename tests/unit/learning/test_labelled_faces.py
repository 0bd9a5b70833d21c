"""Tables and folders of labelled faces: what is read, and one clear line for what cannot be."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from stitchedit.errors import ConfigError, NoFaceIn
from stitchedit.learning.labelled_faces import (
    FEWEST,
    FEWEST_EACH,
    Labelled,
    codes,
    columns_of,
    face_picture,
    read_table,
    two_sets,
)


def _table(folder: Path, rows: list[str], header: str = "seed,label,age") -> Path:
    path = folder / "labels.csv"
    path.write_text("\n".join([header, *rows]), encoding="utf-8")
    return path


def test_a_table_of_seeds(tmp_path: Path) -> None:
    rows = [f"{k},{k / 2},{k % 7}" for k in range(FEWEST)] + ["99,,3"]
    path = _table(tmp_path, rows)
    found = read_table(path, "label", ["age"])
    assert found.faces == tuple(range(FEWEST))  # the row without a label is left out
    assert found.names == ("label", "age")
    np.testing.assert_allclose(found.values[:3], [[0, 0], [0.5, 1], [1, 2]])
    assert columns_of(path) == ("seed", "label", "age")


@pytest.mark.parametrize("separator", [";", "\t", "|", " ", ", ", " , ", " ; "])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_spreadsheets_part_columns_in_many_ways(separator: str, encoding: str, tmp_path: Path) -> None:
    commas = "," in separator
    rows = [f"{k / 4}" if commas else f"{k / 4}".replace(".", ",") for k in range(FEWEST)]
    lines = ["seed,label,age", *(f"{k},{{}},-3".replace("{}", "\0") for k in range(FEWEST))]
    text = "\r\n".join(line.replace(",", separator) for line in lines)
    for row in rows:
        text = text.replace("\0", row, 1)
    (tmp_path / "labels.csv").write_bytes(text.encode(encoding))
    found = read_table(tmp_path / "labels.csv", "label", ["age"])
    np.testing.assert_allclose(found.values, [[k / 4, -3] for k in range(FEWEST)])


def test_pictures_lie_beside_the_table(tmp_path: Path) -> None:
    (tmp_path / "faces").mkdir()
    for k in range(FEWEST):
        (tmp_path / "faces" / f"{k}.png").touch()
    rows = [f"faces/{k}.png,{k}" for k in range(FEWEST)]
    assert read_table(_table(tmp_path, rows, "image,label"), "label").faces[3] == tmp_path / "faces" / "3.png"
    (tmp_path / "faces" / "5.png").unlink()
    with pytest.raises(ConfigError, match=r"1 pictures that are not there.*5\.png"):
        read_table(_table(tmp_path, rows, "image,label"), "label")


MANY = [f"{k},{k},0" for k in range(FEWEST)]


@pytest.mark.parametrize(
    ("rows", "header", "said"),
    [
        (MANY[:5], "seed,label,age", "5 labelled faces, too few"),
        ([f"{k},3,{k}" for k in range(FEWEST)], "seed,label,age", "is 3 in every row"),
        (MANY, "seed,mood,age", "no column 'label'"),
        (MANY, "face,label,age", "neither a column"),
        ([*MANY, "1,happy,0"], "seed,label,age", "'happy' in line 22"),
        ([*MANY, "1,nan,0"], "seed,label,age", "is no number"),
        ([*MANY, "-1,1,0"], "seed,label,age", "seed '-1' in line 22"),
    ],
)
def test_bad_tables(tmp_path: Path, rows: list[str], header: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as told:
        read_table(_table(tmp_path, rows, header), "label")
    assert "\n" not in str(told.value) + told.value.hint
    if "too few" in said:
        assert str(FEWEST) in told.value.hint


def test_a_file_that_is_no_table(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read"):
        read_table(tmp_path / "none.csv", "label")
    (tmp_path / "labels.csv").write_bytes(b"\x80\x81" * 9)
    with pytest.raises(ConfigError, match="no text in UTF-8"):
        read_table(tmp_path / "labels.csv", "label")


def test_what_programs_write_around_the_names(tmp_path: Path) -> None:
    for first in ("sep=;\n", "# exported today\n"):
        (tmp_path / "labels.csv").write_text(first + "Seed;label\n" + "".join(f"{k};{k},5\n" for k in range(FEWEST)))
        assert read_table(tmp_path / "labels.csv", "label").values[1].tolist() == [1.5]
    (tmp_path / "labels.csv").write_text("seed,label\n" + "".join(f'{k},"{k},020"\n' for k in range(FEWEST)))
    with pytest.raises(ConfigError, match=r"'0,020' in line 2 .* is no number"):
        read_table(tmp_path / "labels.csv", "label")


def test_two_sets_are_labelled_by_side(tmp_path: Path) -> None:
    for side in ("with", "without"):
        (tmp_path / side).mkdir()
        for k in range(FEWEST_EACH):
            (tmp_path / side / f"{k}.png").touch()
    (tmp_path / "with" / "notes.txt").touch()
    found = two_sets(tmp_path / "with", tmp_path / "without")
    assert found.values[:, 0].tolist() == [1.0] * FEWEST_EACH + [-1.0] * FEWEST_EACH
    (tmp_path / "without" / "3.png").unlink()
    with pytest.raises(ConfigError, match="too few") as told:
        two_sets(tmp_path / "with", tmp_path / "without")
    assert str(FEWEST_EACH) in told.value.hint
    with pytest.raises(ConfigError, match="no folder"):
        two_sets(tmp_path / "nowhere", tmp_path / "without")


def test_a_picture_without_a_face_is_named(tmp_path: Path) -> None:
    blank = tmp_path / "wall.png"
    cv2.imwrite(str(blank), np.full((200, 200, 3), 128, np.uint8))
    with pytest.raises(NoFaceIn, match=r"wall\.png") as told:
        face_picture(blank)
    assert told.value.exit_code == 5
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(ConfigError, match="no picture that can be read"):
        face_picture(tmp_path / "text.png")


def test_seeds_are_those_of_the_field(tiny_generator) -> None:  # type: ignore[no-untyped-def]
    labelled = Labelled((0, 7), np.zeros((2, 1)), ("label",))
    ticks: list[int] = []
    w = codes(labelled, tiny_generator, None, 0.5, lambda: ticks.append(1))
    z = torch.from_numpy(np.random.RandomState(7).randn(1, 16)).float()
    torch.testing.assert_close(torch.from_numpy(w[1]), tiny_generator.mapping(z, truncation_psi=0.5)[0, 0])
    assert len(ticks) == 2
    pictures = Labelled((Path("a.png"),), np.zeros((1, 1)), ("label",))
    with pytest.raises(ConfigError, match="need an encoder"):
        codes(pictures, tiny_generator, None, 0.5, lambda: None)
