import argparse
import io
import re
import struct
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from checkpoint_files import torch_file

from stitchedit.errors import Refused
from stitchedit.stylegan2.standins import STORAGE_ONLY, TENSOR_FILE, TORCH_FILE, Namespace, Storage, StoredTensor
from stitchedit.stylegan2.torchfile import is_stream, is_zip, load_storage, read_torch

TYPES = [torch.float64, torch.float32, torch.float16, torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8]
BOTH = pytest.mark.parametrize("zipped", [True, False], ids=["zip", "stream"])


def read(data: bytes, allow: object = TORCH_FILE) -> object:
    return read_torch(memoryview(bytearray(data)), lambda _: allow)  # type: ignore[arg-type, return-value]


@BOTH
def test_tensors_come_back_bit_by_bit(zipped: bool) -> None:
    g = torch.Generator().manual_seed(0)
    value = {str(t): (torch.randn(3, 4, 5, generator=g) * 50).to(t) for t in TYPES}
    value["scalar"] = torch.tensor(3.5)
    value["none"] = torch.zeros(0, 4)
    value["transposed"] = torch.randn(4, 6, generator=g).T
    value["channels_last"] = torch.randn(2, 3, 4, 5, generator=g).to(memory_format=torch.channels_last)
    value["slice"] = torch.arange(100.0)[13:90:7]
    value["parameter"] = torch.nn.Parameter(torch.randn(3, generator=g))
    data = torch_file(value, zipped)
    assert (is_zip if zipped else is_stream)(memoryview(data))
    back = read(data)
    assert isinstance(back, dict)
    assert list(back) == list(value)
    for name, tensor in value.items():
        stored = back[name]
        assert isinstance(stored, StoredTensor)
        np.testing.assert_array_equal(stored.array(), tensor.detach().numpy(), strict=True)
        if name == "channels_last":
            assert stored.strides == tensor.stride()


@BOTH
def test_bfloat16_and_bool_keep_their_bits(zipped: bool) -> None:
    half = torch.randn(7).to(torch.bfloat16)
    back = read(torch_file({"h": half, "b": torch.tensor([True, False])}, zipped))
    np.testing.assert_array_equal(back["h"].array(), half.view(torch.int16).numpy().view(np.uint16))  # type: ignore[index]
    np.testing.assert_array_equal(back["b"].array(), [1, 0])  # type: ignore[index]


@BOTH
def test_what_training_scripts_save_beside(zipped: bool) -> None:
    state = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3)).state_dict()  # has _metadata
    value = {
        "state": state,
        "args": argparse.Namespace(size=32, path="x", mixing=0.9),
        "step": np.float64(2.5),
        "array": np.arange(6, dtype=np.int64).reshape(2, 3),
        "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "device": torch.device("cuda:0"),
        "size": torch.Size([1, 2]),
        "set": {"a"},
        "ordered": OrderedDict(a=1),
    }
    back = read(torch_file(value, zipped))
    assert isinstance(back, dict)
    assert list(back["state"]) == list(state)
    assert isinstance(back["args"], Namespace)
    assert back["args"].values == {"size": 32, "path": "x", "mixing": 0.9}
    assert back["step"] == 2.5
    np.testing.assert_array_equal(back["array"].array, value["array"])
    np.testing.assert_array_equal(back["fortran"].array, value["fortran"])
    assert back["device"] == "cuda:0"
    assert back["size"] == (1, 2)


@BOTH
def test_the_location_of_a_storage_does_not_matter(zipped: bool) -> None:
    data = torch_file(torch.arange(4.0), zipped)
    moved = data.replace(b"X\x03\x00\x00\x00cpu", b"X\x03\x00\x00\x00xla")
    if zipped:
        moved = rezip(data, lambda name, body: body.replace(b"\x03\x00\x00\x00cpu", b"\x06\x00\x00\x00cuda:7"))
    assert moved != data
    np.testing.assert_array_equal(read(moved).array(), [0, 1, 2, 3])  # type: ignore[attr-defined]


@BOTH
def test_a_storage_of_its_own(zipped: bool) -> None:
    untyped = torch.arange(4.0).untyped_storage()
    typed = torch.storage.TypedStorage(wrap_storage=untyped, dtype=torch.float32, _internal=True)
    storage = load_storage(memoryview(torch_file(typed, zipped)))
    assert isinstance(storage, Storage)
    assert (storage.element, storage.numel, storage.nbytes) == ("float32", 4, 16)


def rezip(data: bytes, change: object, method: int = zipfile.ZIP_STORED) -> bytes:
    """The archive anew, each member's content through `change(name, body)`; None leaves it out."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w", method) as new:
        for info in old.infolist():
            body = change(info.filename, old.read(info))  # type: ignore[operator]
            if body is not None:
                new.writestr(info.filename, body)
    return out.getvalue()


def test_a_zip_beyond_four_gigabytes_is_written_with_wide_fields() -> None:
    """Such files are too large for a test; the same fields in a small one."""
    data = torch_file(torch.arange(4.0))
    at = data.rindex(b"PK\x05\x06")
    count, length, start = struct.unpack_from("<HII", data, at + 10)
    record = b"PK\x06\x06" + struct.pack("<QHHIIQQQQ", 44, 45, 45, 0, 0, count, count, length, start)
    locator = b"PK\x06\x07" + struct.pack("<IQI", 0, at, 1)
    end = b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    np.testing.assert_array_equal(read(data[:at] + record + locator + end).array(), [0, 1, 2, 3])  # type: ignore[attr-defined]


HOSTILE = {
    "compressed": (lambda d: rezip(d, lambda n, b: b, zipfile.ZIP_DEFLATED), "compressed or encrypted"),
    "bomb": (
        lambda d: rezip(d, lambda n, b: bytes(50_000_000) if n.endswith("/data/0") else b, zipfile.ZIP_DEFLATED),
        "compressed or encrypted",
    ),
    "no pickle": (lambda d: rezip(d, lambda n, b: None if n.endswith("data.pkl") else b), "no file of torch.save"),
    "no storage": (lambda d: rezip(d, lambda n, b: None if n.endswith("/data/0") else b), "storage 0 is missing"),
    "short storage": (lambda d: rezip(d, lambda n, b: b[:8] if n.endswith("/data/0") else b), "has 8 bytes, not 16"),
    "big-endian": (lambda d: rezip(d, lambda n, b: b"big" if n.endswith("byteorder") else b), "big-endian"),
    "numpy archive": (lambda d: npz(), "numpy archive"),
    "flipped bit": (lambda d: d.replace(np.float32(3).tobytes(), np.float32(-3).tobytes()), "checksum"),
    "no directory": (lambda d: d[:-30], "no directory"),
    "huge storage": (
        lambda d: rezip(d, lambda n, b: re.sub(rb"(?s)cpuq.K\x04", b"cpuJ\xff\xff\xff\x7f", b)),
        "has 16 bytes, not 8589934588",
    ),
}  # fmt: skip


def npz() -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, a=np.zeros(3))
    return buffer.getvalue()


@pytest.mark.parametrize("case", HOSTILE)
def test_archives_that_torch_never_writes_are_refused(case: str) -> None:
    change, message = HOSTILE[case]
    data = torch_file(torch.arange(4.0))
    changed = change(data)  # type: ignore[no-untyped-call]
    assert changed != data
    with pytest.raises(Refused, match=message):
        read(changed)


def test_two_members_of_one_name() -> None:
    buffer = io.BytesIO(torch_file(torch.arange(4.0)))
    with zipfile.ZipFile(buffer, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr(archive.namelist()[0], b"N.")
    with pytest.raises(Refused, match="two members"):
        read(buffer.getvalue())


def test_members_that_share_their_bytes() -> None:
    """A zip bomb without compression: many directory entries for the same content."""
    data = torch_file(torch.zeros(100_000))
    at = data.rindex(b"PK\x05\x06")
    count, length, start = struct.unpack_from("<HII", data, at + 10)
    entries = data[start : start + length]
    big = entries.rindex(b"PK\x01\x02", 0, entries.rindex(b"/data/0"))
    name_length, extra, comment = struct.unpack_from("<HHH", entries, big + 28)
    entry = entries[big : big + 46 + name_length + extra + comment]
    copies = b"".join(entry.replace(b"/data/0", b"/data/%c" % c) for c in b"abcdefgh")
    end = b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, count + 8, count + 8, length + len(copies), start, 0)
    with pytest.raises(Refused, match="overlap"):
        read(data[: start + length] + copies + end)


def tensor_pickle(
    numel: int = 4, offset: object = 0, size: tuple[object, ...] = (4,), stride: tuple[object, ...] = (1,)
) -> bytes:
    """A stream file of one float32 storage of four zeros, announced and viewed as told."""
    import pickle

    def small(value: object) -> bytes:
        return pickle.dumps(value, 2)[2:-1]

    head = torch_file(torch.zeros(1), False)
    start = head.index(b"\x80\x02ctorch._utils")
    body = b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n((" + small("storage") + b"ctorch\nFloatStorage\n"
    body += small("0") + small("cpu") + small(numel) + b"NtQ" + small(offset) + small(size) + small(stride) + b"\x89Nt"
    body += b"R.\x80\x02]" + small("0") + b"a."
    return head[:start] + body + struct.pack("<q", numel) + bytes(16)


BAD_VIEWS = {
    "one element too many": (dict(size=(5,)), "5 elements in a storage of 4"),
    "offset beyond": (dict(offset=1), "reaches element 4 of a storage of 4"),
    "negative offset": (dict(offset=-1), "offset is -1"),
    "stride beyond": (dict(size=(2, 2), stride=(3, 1)), "reaches element 4"),
    "negative stride": (dict(stride=(-1,)), "stride is -1"),
    "huge stride": (dict(size=(2,), stride=(1 << 60,)), "stride is"),
    "negative size": (dict(size=(-4,)), "size is -4"),
    "expanded": (dict(size=(1 << 20, 1 << 20), stride=(0, 0)), "elements in a storage of 4"),
    "a size that is no number": (dict(size=("4",)), "size is 4"),
    "a size that is true": (dict(size=(True,)), "size is True"),
    "size and stride differ": (dict(size=(2, 2)), "do not fit each other"),
    "many dimensions": (dict(size=(1,) * 65, stride=(1,) * 65), "do not fit each other"),
    "storage of 2**40": (dict(numel=1 << 40), "ends early"),
    "negative storage": (dict(numel=-4), "storage's size is -4"),
}


@pytest.mark.parametrize("case", BAD_VIEWS)
def test_views_out_of_bounds_are_refused(case: str) -> None:
    np.testing.assert_array_equal(read(tensor_pickle()).array(), np.zeros(4))  # type: ignore[attr-defined]
    arguments, message = BAD_VIEWS[case]
    with pytest.raises(Refused, match=message):
        read(tensor_pickle(**arguments))  # type: ignore[arg-type]


@BOTH
def test_truncation_anywhere_is_refused(zipped: bool) -> None:
    data = torch_file({"a": torch.arange(4.0), "b": torch.zeros(2)}, zipped)
    for end in range(len(data)):
        with pytest.raises(Refused):
            read(data[:end], TENSOR_FILE)


@BOTH
def test_names_that_are_not_listed_are_refused(zipped: bool) -> None:
    for value, name in ((torch.nn.Linear(1, 1), "torch.nn.modules.linear.Linear"), (Path("x"), "pathlib")):
        with pytest.raises(Refused, match=name):
            read(torch_file(value, zipped))
    with pytest.raises(Refused, match="_rebuild_tensor_v2"):
        read(torch_file(torch.zeros(1), zipped), STORAGE_ONLY)
