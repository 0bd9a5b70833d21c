import os
import pickle
from collections import OrderedDict
from pathlib import Path

import pytest

from stitchedit.errors import Refused
from stitchedit.stylegan2.unpickle import Name, Ordered, Stand, load

ORDERED = {"collections.OrderedDict": Stand(call=lambda: Ordered())}


def read(data: bytes, **kwargs: object) -> object:
    value, end = load(memoryview(data), ORDERED, **kwargs)  # type: ignore[arg-type]
    assert end == len(data)
    return value


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_plain_values_come_back(protocol: int) -> None:
    value = {
        "a": [1, -1, 255, 65535, 1 << 31, -(1 << 70), 1.5, True, False, None],
        "ü\ud800": ("x", (), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)),
        "big": list(range(3000)),
        "nested": {"k": {"l": {}}},
        "ordered": OrderedDict(b=1, a=2),
        7: "y" * 300,
    }
    value["again"] = value["a"]
    assert read(pickle.dumps(value, protocol)) == value


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_bytes_are_views_of_the_input(protocol: int) -> None:
    data = bytearray(pickle.dumps([b"short", b"l" * 70000], protocol))
    first, second = load(memoryview(data), {})[0]  # type: ignore[misc]
    assert bytes(first) == b"short"
    assert isinstance(second, memoryview)
    assert second.obj is data


def test_sets_of_protocol_4() -> None:
    assert read(pickle.dumps({"a", "b"}, 4)) == {"a", "b"}


class Evil:
    def __init__(self, function: object, *arguments: object) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[object, ...]:
        return self.call


EVIL = {
    "os.system": (pickle.dumps(Evil(os.system, "touch CANARY"), 2), "posix.system"),
    "os.system by STACK_GLOBAL": (pickle.dumps(Evil(os.system, "touch CANARY"), 4), "posix.system"),
    "eval": (pickle.dumps(Evil(eval, "open('CANARY','w')"), 2), "builtins.eval"),
    "getattr": (pickle.dumps(Evil(getattr, OrderedDict, "__init__"), 4), "builtins.getattr"),
    "REDUCE of a value": (b"\x80\x02K\x01)R.", "it calls a value of type int"),
    "REDUCE of a text": (b"\x80\x02X\x09\x00\x00\x00os.system)R.", "it calls a value of type str"),
    "REDUCE with wrong arguments": (b"\x80\x02ccollections\nOrderedDict\nK\x01\x85R.", "arguments that do not fit"),
    "REDUCE without a tuple": (b"\x80\x02ccollections\nOrderedDict\nK\x01R.", "it calls"),
    "BUILD of a class": (b"\x80\x02ccollections\nOrderedDict\n}b.", "it sets the state of collections.OrderedDict"),
    "BUILD of a list": (b"\x80\x02]}b.", "it sets the state of a value of type list"),
    "NEWOBJ": (b"\x80\x02ccollections\nOrderedDict\n)\x81.", "it makes an object"),
    "GLOBAL with a terminal's escape": (b"\x80\x02cos\nsystem\x1b[31m\n)R.", r"os.system\?\[31m"),
    "INST": (b"\x80\x02(X\x01\x00\x00\x00xios\nsystem\n.", "opcode INST"),
    "OBJ": (b"\x80\x02(cos\nsystem\no.", "os.system"),
    "bare OBJ": (b"\x80\x02(o.", "opcode OBJ"),
    "PERSID": (b"\x80\x02Px\n.", "opcode PERSID"),
    "BINPERSID": (b"\x80\x02NQ.", "opcode BINPERSID"),
    "EXT1": (b"\x80\x02\x82\x01.", "opcode EXT1"),
    "EXT4": (b"\x80\x02\x84\x01\x00\x00\x00.", "opcode EXT4"),
    "NEWOBJ_EX": (b"\x80\x04)}\x92.", "opcode NEWOBJ_EX"),
    "NEXT_BUFFER": (b"\x80\x05\x97.", "opcode NEXT_BUFFER"),
    "text protocol": (pickle.dumps({"a": 1}, 0), "opcode"),
    "unknown opcode": (b"\x80\x02\xff.", "opcode 0xff"),
    "protocol 77": (b"\x80\x4dN.", "protocol 77"),
    "BINBYTES8 of 2**60 bytes": (b"\x80\x04\x8e" + (1 << 60).to_bytes(8, "little") + b"x.", "ends early"),
    "BINUNICODE8 of 2**60 bytes": (b"\x80\x04\x8d" + (1 << 60).to_bytes(8, "little") + b"x.", "a text of"),
    "BINBYTES of 4 GB": (b"\x80\x03B\xff\xff\xff\xffx.", "ends early"),
    "LONG4 of -1 bytes": (b"\x80\x02\x8b\xff\xff\xff\xff.", "an integer of"),
    "LONG4 of 2 GB": (b"\x80\x02\x8b\xff\xff\xff\x7f.", "an integer of"),
    "text that is no UTF-8": (b"\x80\x02X\x01\x00\x00\x00\xff.", "not UTF-8"),
    "deep marks": (b"\x80\x02" + b"(" * 100_000 + b".", "nested too deeply"),
    "deep lists": (b"\x80\x02" + b"]" * 400_000 + b".", "nested too deeply"),
    "endless": (b"\x80\x02" + b"N0" * 10 + b".", "opcode POP"),
    "many opcodes": (b"\x80\x02" + b"]" + b"Na" * 210_000 + b".", "opcodes"),
    "memo never stored": (b"\x80\x02j\x01\x02\x03\x04.", "never stored"),
    "memo index of 4 billion": (b"\x80\x02Nr\xff\xff\xff\xffh\x00.", "never stored"),
    "no mark": (b"\x80\x02t.", "a mark is missing"),
    "stack below the mark": (b"\x80\x02N(0.", "opcode POP"),
    "tuple across a mark": (b"\x80\x02N(\x85.", "a value is missing"),
    "empty stack": (b"\x80\x02.", "a value is missing"),
    "left over": (b"\x80\x02NN.", "left over"),
    "append to a tuple": (b"\x80\x02)Na.", "no list"),
    "item of a list": (b"\x80\x02]NNs.", "no dictionary"),
    "key without value": (b"\x80\x02}(Nu.", "no value"),
    "a tuple as key": (b"\x80\x02})Ns.", "a key of type tuple"),
    "add to a list": (b"\x80\x04](N\x90.", "no set"),
    "a module that is no text": (b"\x80\x04NN\x93.", "no text"),
    "name without end": (b"\x80\x02c" + b"a" * 1000, "does not end"),
    "nothing": (b"", "ends early"),
}


@pytest.mark.parametrize("case", EVIL)
def test_what_no_checkpoint_needs_is_refused_by_name(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    data, message = EVIL[case]
    with pytest.raises(Refused, match=message) as caught:
        load(memoryview(data), ORDERED)
    assert "\n" not in str(caught.value)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 300
    assert not list(tmp_path.iterdir())


@pytest.mark.timeout(60)
def test_shared_parts_that_would_take_for_ever_when_hashed_or_printed() -> None:
    doubling = b"\x80\x02)" + b"q\x00h\x00\x86" * 60  # a tuple of twice itself, 60 times
    assert isinstance(load(memoryview(doubling + b"."), {})[0], tuple)
    for misuse in (b"}h\x00Ns.", b"]R.", b"\x81.", b"}b.", b"Q."):
        with pytest.raises(Refused):
            load(memoryview(doubling + misuse), {})


def test_truncation_anywhere_is_refused() -> None:
    data = pickle.dumps({"a": [1, 2.5, "text", b"bytes"], "b": OrderedDict(c=(1, 2, 3))}, 4)
    for end in range(len(data)):
        with pytest.raises(Refused):
            load(memoryview(data[:end]), ORDERED)


def test_calls_may_not_make_more_bytes_than_the_file_has() -> None:
    stand = {"a.b": Stand(call=lambda: b"x" * 1000)}
    data = b"\x80\x02]" + b"ca\nb\n)Ra" * 50 + b"."
    with pytest.raises(Refused, match="more bytes than it has"):
        load(memoryview(data), stand)


def test_a_name_stays_a_name() -> None:
    value = load(memoryview(b"\x80\x02ccollections\nOrderedDict\n."), ORDERED)[0]
    assert isinstance(value, Name)
    assert value.dotted == "collections.OrderedDict"
