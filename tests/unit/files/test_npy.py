"""What numpy writes is read; what lies about itself is refused before memory is taken. More in test_vector_files."""

import io

import numpy as np
import pytest
from numpy.lib import format as npy_format

from stitchedit.errors import Refused
from stitchedit.files.npy import read_npy


def npy(array: np.ndarray, version: tuple[int, int] | None = None) -> memoryview:
    file = io.BytesIO()
    npy_format.write_array(file, array, version=version)
    return memoryview(file.getvalue())


def claimed(text: str, body: bytes = b"") -> memoryview:
    return memoryview(b"\x93NUMPY\1\0" + len(text).to_bytes(2, "little") + text.encode("latin1") + body)


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
@pytest.mark.parametrize("array", [np.arange(6.0).reshape(2, 3).T, np.array(3, np.uint8), np.zeros((0, 4), ">i2")])
def test_what_numpy_writes_is_read(array: np.ndarray, version: tuple[int, int]) -> None:
    found = read_npy(npy(array, version))
    assert found.dtype == array.dtype
    assert found.shape == array.shape
    np.testing.assert_array_equal(found, array)


def test_texts_are_read_only_where_they_are_asked_for() -> None:
    data = npy(np.array(["age", "smile"]))
    assert read_npy(data, "U").tolist() == ["age", "smile"]
    with pytest.raises(Refused, match="texts"):
        read_npy(data)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{'descr': '<f8', 'fortran_order': False, 'shape': (-1, -2), }", "no plain array"),
        ("{'descr': '<f8', 'fortran_order': False, 'shape': (True + 1,), }", "no plain array"),
        ("{'descr': '<f8', 'fortran_order': 0, 'shape': (1,), }", "no plain array"),
        ("{'descr': '(2,)<f4', 'fortran_order': False, 'shape': (1,), }", "no plain array"),
        ("{'descr': '<f8', 'shape': (1,), }", "no plain array"),
        ("{'descr': '<f8', 1: 2, 'shape': (1,), }", "no plain array"),
        ("{'descr': [('a', [('b', '<f4')])], 'fortran_order': False, 'shape': (1,), }", "no plain array"),
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (1,)" + "," * 2000, "no plain array"),
        ("-" * 1000, "no plain array"),
        ("(" * 1000, "no plain array"),
        ("'", "no plain array"),
        ("\xff\x00", "no plain array"),
        ("", "no plain array"),
        ("{'descr': '|V0', 'fortran_order': False, 'shape': (1,), }", "no plain array"),
        ("{'descr': '<c8', 'fortran_order': False, 'shape': (1,), }", "not real numbers"),
        ("{'descr': '<f8', 'fortran_order': False, 'shape': (9, 9, 9, 9, 9, 9, 9, 9, 9), }", "too many"),
        ("{'descr': '<f8', 'fortran_order': False, 'shape': (2,), }", "8 bytes there"),
    ],
)
def test_anything_else_is_refused(text: str, message: str) -> None:
    with pytest.raises(Refused, match=message):
        read_npy(claimed(text, bytes(8)))


@pytest.mark.parametrize("length", range(20))
def test_a_cut_header_is_refused(length: int) -> None:
    with pytest.raises(Refused):
        read_npy(npy(np.zeros(3))[:length])
