"""torch.save files, both formats, without torch: the zip of today and the stream of before 1.6.

torch writes its zip members uncompressed, one after the other. Only such files are read: nothing is ever inflated, a
member is a slice of the file, and the slices together cannot be larger than the file.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from stitchedit.errors import Refused
from stitchedit.stylegan2.standins import MAX_STORAGES, STORAGE_ONLY, Storage, storage_of
from stitchedit.stylegan2.unpickle import MAX_OPCODES, AllowList, load, printable

MAX_MEMBERS = 100_000

LEGACY_HEAD = bytes.fromhex("80028a0a6cfc9c46f9206aa850192e")  # protocol 2, torch's magic number
_MAGIC = 0x1950A86A20F9469CFC6C
_VERSION = 1001
_SMALL = 100  # opcodes, for the pickles around the one that matters and for those of a lone storage


def is_zip(data: memoryview) -> bool:
    return bytes(data[:4]) == b"PK\x03\x04"


def is_stream(data: memoryview) -> bool:
    return bytes(data[: len(LEGACY_HEAD)]) == LEGACY_HEAD


def read_torch(
    data: memoryview, allow_list: Callable[[memoryview], AllowList], max_opcodes: int = MAX_OPCODES
) -> object:
    """The object that torch.save wrote, with `StoredTensor` for its tensors.

    Args:
        data: the whole file.
        allow_list: gets the bytes of the pickle, returns what it may name.
    Raises: Refused.
    """
    if is_zip(data):
        return _read_zip(data, allow_list, max_opcodes)
    if is_stream(data):
        return _read_stream(data, allow_list, max_opcodes)
    raise Refused("it is no file of torch.save")


def load_storage(raw: memoryview) -> Storage:
    """`torch.storage._load_from_bytes`: one storage saved as a torch file of its own, inside a pickle.

    Raises: Refused.
    """
    value = read_torch(raw, lambda _: STORAGE_ONLY, _SMALL)
    if not isinstance(value, Storage):
        raise Refused("the bytes of a storage hold something else")
    return value


# The stream: magic, version, system, the object, the keys of its storages, then each storage's count and numbers


def _read_stream(data: memoryview, allow_list: Callable[[memoryview], AllowList], max_opcodes: int) -> object:
    storages: dict[str, Storage] = {}

    def persistent(key: object) -> object:
        parts = _storage_id(key, (5, 6))
        if len(parts) == 6 and parts[5] is not None:
            raise Refused("a view of a storage, as torch wrote before 0.4")
        return _remember(storages, str(parts[2]), storage_of(parts[1], parts[4]))

    magic, at = load(data, {}, max_opcodes=_SMALL)
    version, at = load(data, {}, start=at, max_opcodes=_SMALL)
    system, at = load(data, {}, start=at, max_opcodes=_SMALL)
    if magic != _MAGIC or version != _VERSION:
        raise Refused("it is no file of torch.save")
    if not isinstance(system, dict) or system.get("little_endian") is not True:
        raise Refused("its numbers are big-endian")
    value, at = load(data, allow_list(data[at:]), start=at, persistent=persistent, max_opcodes=max_opcodes)
    keys, at = load(data, {}, start=at, max_opcodes=max_opcodes)
    if not isinstance(keys, list) or len(keys) > MAX_STORAGES:
        raise Refused("the list of storages is malformed")
    for key in keys:
        storage = storages.get(key) if isinstance(key, str) else None
        if storage is None or storage.data is not None:
            raise Refused(f"the storage {printable(key, 30)} is not one that the file uses")
        at = _fill(storage, data, at)
    if any(storage.data is None for storage in storages.values()):
        raise Refused("the numbers of a storage are missing")
    return value


def _fill(storage: Storage, data: memoryview, at: int) -> int:
    end = at + 8 + storage.nbytes
    if end > len(data):
        raise Refused(f"it ends early: a storage of {storage.nbytes} bytes, {max(0, len(data) - at - 8)} there")
    if struct.unpack_from("<q", data, at)[0] != storage.numel:
        raise Refused("a storage has another size than was announced")
    storage.data = data[at + 8 : end]
    return end


def _storage_id(key: object, lengths: tuple[int, ...]) -> tuple[object, ...]:
    if not isinstance(key, tuple) or len(key) not in lengths or key[0] != "storage" or not isinstance(key[2], str):
        raise Refused("a persistent id that is no storage")
    return key


def _remember(storages: dict[str, Storage], key: str, storage: Storage) -> Storage:
    known = storages.setdefault(key, storage)
    if known.element != storage.element or known.numel != storage.numel:
        raise Refused(f"the storage {printable(key, 30)} is announced twice, differently")
    return known


# The zip


def _read_zip(data: memoryview, allow_list: Callable[[memoryview], AllowList], max_opcodes: int) -> object:
    members = _directory(data, MAX_MEMBERS if max_opcodes > _SMALL else 20)
    pickles = [name for name in members if name.endswith("/data.pkl")]
    if len(pickles) != 1:
        what = "a TorchScript archive" if any(n.endswith("/constants.pkl") for n in members) else "some other archive"
        raise Refused(f"it is {what}, no file of torch.save")
    root = pickles[0].removesuffix("data.pkl")
    if any(n.startswith(f"{root}code/") for n in members):
        raise Refused("it is a TorchScript archive, no file of torch.save")
    order = members.get(f"{root}byteorder")
    if order is not None and bytes(order.bytes(data)[:16]) != b"little":
        raise Refused("its numbers are big-endian")
    storages: dict[str, Storage] = {}

    def persistent(key: object) -> object:
        parts = _storage_id(key, (5,))
        name = str(parts[2])
        storage = _remember(storages, name, storage_of(parts[1], parts[4]))
        if storage.data is None:
            member = members.get(f"{root}data/{name}")
            if member is None:
                raise Refused(f"the storage {printable(name, 30)} is missing")
            if member.size != storage.nbytes:
                raise Refused(f"the storage {printable(name, 30)} has {member.size} bytes, not {storage.nbytes}")
            storage.data = member.bytes(data)
        return storage

    pickle = members[pickles[0]].bytes(data)
    value, _ = load(pickle, allow_list(pickle), persistent=persistent, max_opcodes=max_opcodes)
    return value


@dataclass(frozen=True, slots=True)
class _Member:
    name: str
    header: int  # where its local header begins
    size: int
    crc: int

    def bytes(self, data: memoryview) -> memoryview:
        """The member's bytes, its checksum compared."""
        if self.header + 30 > len(data) or bytes(data[self.header : self.header + 4]) != b"PK\x03\x04":
            raise Refused(f"the archive's member {printable(self.name)} is not where it should be")
        name_length, extra_length = struct.unpack_from("<HH", data, self.header + 26)
        start = self.header + 30 + name_length + extra_length
        if start + self.size > len(data):
            raise Refused(f"it ends early, inside {printable(self.name)}")
        content = data[start : start + self.size]
        if zlib.crc32(content) != self.crc:
            raise Refused(f"it is damaged: the checksum of {printable(self.name)} does not fit")
        return content


def _directory(data: memoryview, most: int) -> Mapping[str, _Member]:
    """The zip's members by name. Refuses what torch never writes: compression, encryption, two of one name."""
    count, at, length = _directory_place(data)
    if count > most or count * 46 > length or at + length > len(data):
        raise Refused("the archive's directory is damaged")
    members: dict[str, _Member] = {}
    end = at + length
    total = 0
    for _ in range(count):
        member, at = _entry(data, at, end)
        if member.name in members:
            raise Refused(f"the archive has two members {printable(member.name)}")
        members[member.name] = member
        total += member.size
    if total > len(data):
        raise Refused("the archive's members overlap")
    return members


def _directory_place(data: memoryview) -> tuple[int, int, int]:
    """Number of members, start and length in bytes of the directory."""
    tail_start = max(0, len(data) - 22 - 0xFFFF)
    found = bytes(data[tail_start:]).rfind(b"PK\x05\x06")
    if found < 0 or tail_start + found + 22 > len(data):
        raise Refused("it ends early: the archive has no directory")
    record = tail_start + found
    count, length, at = struct.unpack_from("<HII", data, record + 10)
    locator = record - 20
    if locator >= 0 and bytes(data[locator : locator + 4]) == b"PK\x06\x07":
        (wide,) = struct.unpack_from("<Q", data, locator + 8)
        if wide + 56 > len(data) or bytes(data[wide : wide + 4]) != b"PK\x06\x06":
            raise Refused("the archive's directory is damaged")
        count, length, at = struct.unpack_from("<QQQ", data, wide + 32)
    return count, at, length


def _entry(data: memoryview, at: int, end: int) -> tuple[_Member, int]:
    if at + 46 > end or bytes(data[at : at + 4]) != b"PK\x01\x02":
        raise Refused("the archive's directory is damaged")
    flags, method = struct.unpack_from("<HH", data, at + 8)
    crc, packed, size, name_length, extra_length, comment_length = struct.unpack_from("<IIIHHH", data, at + 16)
    (header,) = struct.unpack_from("<I", data, at + 42)
    after_name = at + 46 + name_length
    following = after_name + extra_length + comment_length
    if following > end:
        raise Refused("the archive's directory is damaged")
    name = bytes(data[at + 46 : after_name]).decode("utf-8", "replace")
    size, packed, header = _wide(data[after_name : after_name + extra_length], size, packed, header)
    if name.endswith(".npy"):
        raise Refused("it is a numpy archive (.npz)")
    if method != 0 or size != packed or flags & 1:
        raise Refused(f"the archive's member {printable(name)} is compressed or encrypted, as torch never writes it")
    return _Member(name, header, size, crc), following


def _wide(extra: memoryview, size: int, packed: int, header: int) -> tuple[int, int, int]:
    """Sizes beyond 4 GiB, from the zip64 field."""
    values = [size, packed, header]
    wanted = [i for i, value in enumerate(values) if value == 0xFFFFFFFF]
    at = 0
    while wanted and at + 4 <= len(extra):
        tag, length = struct.unpack_from("<HH", extra, at)
        if tag == 1:
            if length < 8 * len(wanted) or at + 4 + length > len(extra):
                raise Refused("the archive's directory is damaged")
            for k, i in enumerate(wanted):
                (values[i],) = struct.unpack_from("<Q", extra, at + 4 + 8 * k)
            break
        at += 4 + length
    return values[0], values[1], values[2]
