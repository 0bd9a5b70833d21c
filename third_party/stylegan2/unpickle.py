"""A pickle reader that runs nothing.

Checkpoints are pickles, and a pickle is a program that may call anything importable. This reader interprets the
opcodes that checkpoints are made of itself and never imports or calls what the file names: a global is a name looked
up in the caller's allow-list of stand-ins, and a name that is not there ends the reading. Every length in the file is
compared with the bytes that are there before anything is allocated, byte strings are views of the input, and the
opcode count bounds time and memory (one opcode makes at most one small object).

Left out on purpose, and refused by name: INST, OBJ, EXT*, PERSID, the text opcodes of protocol 0, and buffers
out of band. BINPERSID is read where the container (a torch file) gives it a meaning.
"""

from __future__ import annotations

import pickletools
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from stitchedit.errors import Refused

MAX_OPCODES = 400_000  # a 1024 px generator with discriminator and optimiser state takes some 50,000
MAX_STACK = 100_000  # values waiting for their container; picklers flush lists and dicts every 1,000 items
MAX_MARKS = 500  # containers open at one time
MAX_TEXT = 64 << 20  # bytes of one text
MAX_INT_BYTES = 255  # LONG1's own limit, for LONG4 too


@dataclass(frozen=True, slots=True)
class Stand:
    """What a name of the allow-list may do here; nothing, where both are None (it is then only a name)."""

    call: Callable[..., object] | None = None  # REDUCE: the file's argument tuple -> a value
    new: Callable[[], object] | None = None  # NEWOBJ without arguments: -> an empty value


AllowList = Mapping[str, Stand]


@dataclass(frozen=True, slots=True)
class Name:
    """A global of the file: its dotted name and the stand-in that answers for it."""

    dotted: str
    stand: Stand


@runtime_checkable
class Buildable(Protocol):
    """A stand-in that takes the state of a BUILD."""

    def build(self, state: object) -> None: ...


class Ordered(dict[object, object]):
    """Stands for OrderedDict and EasyDict. Attributes, such as the `_metadata` of torch's state dicts, are dropped."""

    def build(self, state: object) -> None:
        del state


def printable(text: object, limit: int = 80) -> str:
    """`text` of a file for a message: one line, printable ASCII, cut to `limit` characters.

    Of anything but texts and numbers only the type is told: spelling out nested values can take for ever.
    """
    if not isinstance(text, str | int | float | None):
        return f"<{type(text).__name__}>"
    shown = "".join(c if c.isascii() and c.isprintable() else "?" for c in str(text)[: limit + 1])
    return shown if len(shown) <= limit else shown[: limit - 1] + "~"


def load(
    data: memoryview,
    allowed: AllowList,
    *,
    start: int = 0,
    persistent: Callable[[object], object] | None = None,
    max_opcodes: int = MAX_OPCODES,
) -> tuple[object, int]:
    """Read one pickle out of `data` from byte `start`.

    Args:
        data: the bytes, one dimension, format "B". Byte strings of the result are views of it.
        allowed: dotted global name -> stand-in; all others are refused.
        persistent: maps the value before a BINPERSID to an object; None refuses the opcode.
    Returns: the value and the position behind its STOP. Dictionaries come as `dict` or `Ordered`, in the file's order.
    Raises: Refused, naming the byte and what is wrong there. Nothing else.
    """
    return _Machine(data, start, allowed, persistent, max_opcodes).run()


class _Machine:
    def __init__(
        self,
        data: memoryview,
        start: int,
        allowed: AllowList,
        persistent: Callable[[object], object] | None,
        max_opcodes: int,
    ) -> None:
        self.data = data
        self.at = start
        self.allowed = allowed
        self.persistent = persistent
        self.max_opcodes = max_opcodes
        self.stack: list[object] = []
        self.marks: list[int] = []
        self.memo: dict[int, object] = {}
        self.made = 0  # bytes that calls have made; the same text can be turned into bytes again and again

    def run(self) -> tuple[object, int]:
        begin = self.at
        try:
            for _ in range(self.max_opcodes):
                begin = self.at
                code = self.take(1)[0]
                if code == 0x2E:  # STOP
                    value = self.pop()
                    if self.stack or self.marks:
                        raise Refused("values are left over at STOP")
                    return value, self.at
                action = _ACTIONS.get(code)
                if action is None:
                    raise Refused(f"the opcode {_opcode_name(code)} has no place in a checkpoint")
                action(self)
                if len(self.stack) > MAX_STACK or len(self.marks) > MAX_MARKS:
                    raise Refused("it is nested too deeply")
            raise Refused(f"it has more than {self.max_opcodes} opcodes")
        except Refused as exc:
            raise Refused(f"{exc} (pickle, byte {begin})") from exc

    # Input

    def take(self, count: int) -> memoryview:
        end = self.at + count
        if end > len(self.data):
            raise Refused(f"it ends early: {count} bytes announced, {len(self.data) - self.at} there")
        taken = self.data[self.at : end]
        self.at = end
        return taken

    def number(self, form: str) -> int:
        value: int = struct.unpack(form, self.take(struct.calcsize(form)))[0]
        return value

    def line(self) -> str:
        window = bytes(self.data[self.at : self.at + 300])
        length = window.find(b"\n")
        if length < 0:
            raise Refused("a global's name does not end")
        self.at += length + 1
        return _decode(window[:length])

    # Stack

    def push(self, value: object) -> None:
        self.stack.append(value)

    def pop(self) -> object:
        if len(self.stack) <= (self.marks[-1] if self.marks else 0):
            raise Refused("a value is missing on the stack")
        return self.stack.pop()

    def top(self) -> object:
        value = self.pop()
        self.stack.append(value)
        return value

    def since_mark(self) -> list[object]:
        if not self.marks:
            raise Refused("a mark is missing on the stack")
        base = self.marks.pop()
        values = self.stack[base:]
        del self.stack[base:]
        return values

    # Actions: containers

    def mark(self) -> None:
        self.marks.append(len(self.stack))

    def tuple_of(self, count: int) -> None:
        values = [self.pop() for _ in range(count)]
        self.push(tuple(reversed(values)))

    def extend(self, values: list[object]) -> None:
        target = self.top()
        if type(target) is not list:
            raise Refused("items are appended to what is no list")
        target.extend(values)

    def fill(self, values: list[object]) -> None:
        target = self.top()
        if not isinstance(target, dict):
            raise Refused("keys are set on what is no dictionary")
        if len(values) % 2:
            raise Refused("a key has no value")
        for key, value in zip(values[::2], values[1::2], strict=True):
            target[_hashable(key)] = value

    def set_item(self) -> None:
        value = self.pop()
        key = self.pop()
        self.fill([key, value])

    def add(self) -> None:
        values = self.since_mark()
        target = self.top()
        if type(target) is not set:
            raise Refused("items are added to what is no set")
        target.update(_hashable(value) for value in values)

    # Actions: memo

    def remember(self, index: int) -> None:
        self.memo[index] = self.top()

    def recall(self, index: int) -> None:
        if index not in self.memo:
            raise Refused(f"memo entry {index} was never stored")
        self.push(self.memo[index])

    # Actions: names and what they do

    def name(self, module: object, attribute: object) -> None:
        if not (isinstance(module, str) and isinstance(attribute, str)):
            raise Refused("a global's name is no text")
        module = {"__builtin__": "builtins"}.get(module, module)
        dotted = f"{module}.{attribute}"
        stand = self.allowed.get(dotted)
        if stand is None:
            raise Refused(f"it names {printable(dotted)}, which no checkpoint of this kind needs")
        self.push(Name(dotted, stand))

    def stack_name(self) -> None:
        attribute = self.pop()
        module = self.pop()
        self.name(module, attribute)

    def reduce(self) -> None:
        arguments = self.pop()
        target = self.pop()
        if not isinstance(target, Name) or target.stand.call is None or not isinstance(arguments, tuple):
            raise Refused(f"it calls {_describe(target)}")
        try:
            value = target.stand.call(*arguments)
        except TypeError as exc:  # wrong number of arguments
            raise Refused(f"{target.dotted} is given arguments that do not fit") from exc
        if isinstance(value, bytes):
            self.made += len(value)
            if self.made > len(self.data):
                raise Refused("it makes more bytes than it has")
        self.push(value)

    def new(self) -> None:
        arguments = self.pop()
        target = self.pop()
        if not isinstance(target, Name) or target.stand.new is None or not _is_empty(arguments):
            raise Refused(f"it makes an object of {_describe(target)}")
        self.push(target.stand.new())

    def build(self) -> None:
        state = self.pop()
        target = self.top()
        if not isinstance(target, Buildable):
            raise Refused(f"it sets the state of {_describe(target)}")
        target.build(state)

    def persistent_id(self) -> None:
        key = self.pop()
        if self.persistent is None:
            raise Refused("the opcode BINPERSID has no place here")
        self.push(self.persistent(key))

    # Actions: values

    def protocol(self) -> None:
        version = self.take(1)[0]
        if version > 5:
            raise Refused(f"pickle protocol {version} is unknown")

    def frame(self) -> None:
        self.number("<Q")  # a hint for buffered readers; the bytes that follow are read as they come

    def text(self, form: str) -> None:
        count = self.number(form)
        if count > MAX_TEXT:
            raise Refused(f"a text of {count} bytes")
        self.push(_decode(bytes(self.take(count))))

    def data_bytes(self, form: str) -> None:
        self.push(self.take(self.number(form)))

    def integer(self, form: str) -> None:
        count = self.number(form)
        if not 0 <= count <= MAX_INT_BYTES:
            raise Refused(f"an integer of {count} bytes")
        self.push(int.from_bytes(self.take(count), "little", signed=True))

    def real(self) -> None:
        value: float = struct.unpack(">d", self.take(8))[0]
        self.push(value)


def _decode(raw: bytes) -> str:
    try:
        return raw.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError as exc:
        raise Refused("a text is not UTF-8") from exc


def _hashable(key: object) -> object:
    """Keys of plain types only: hashing a nested tuple of shared parts can take for ever."""
    if key is None or type(key) in (str, int, float, bool):
        return key
    raise Refused(f"a key of type {type(key).__name__}")


def _is_empty(arguments: object) -> bool:
    return isinstance(arguments, tuple) and len(arguments) == 0


def _describe(target: object) -> str:
    return target.dotted if isinstance(target, Name) else f"a value of type {type(target).__name__}"


def _opcode_name(code: int) -> str:
    names = {ord(op.code): op.name for op in pickletools.opcodes}
    return names.get(code, f"0x{code:02x}")


_ACTIONS: dict[int, Callable[[_Machine], None]] = {
    0x80: _Machine.protocol,  # PROTO
    0x95: _Machine.frame,
    ord("("): _Machine.mark,
    ord("N"): lambda m: m.push(None),
    0x88: lambda m: m.push(True),  # NEWTRUE
    0x89: lambda m: m.push(False),  # NEWFALSE
    ord("J"): lambda m: m.push(m.number("<i")),  # BININT
    ord("K"): lambda m: m.push(m.number("<B")),  # BININT1
    ord("M"): lambda m: m.push(m.number("<H")),  # BININT2
    0x8A: lambda m: m.integer("<B"),  # LONG1
    0x8B: lambda m: m.integer("<i"),  # LONG4
    ord("G"): _Machine.real,  # BINFLOAT
    ord("C"): lambda m: m.data_bytes("<B"),  # SHORT_BINBYTES
    ord("B"): lambda m: m.data_bytes("<I"),  # BINBYTES
    0x8E: lambda m: m.data_bytes("<Q"),  # BINBYTES8
    0x96: lambda m: m.data_bytes("<Q"),  # BYTEARRAY8
    0x8C: lambda m: m.text("<B"),  # SHORT_BINUNICODE
    ord("X"): lambda m: m.text("<I"),  # BINUNICODE
    0x8D: lambda m: m.text("<Q"),  # BINUNICODE8
    ord("]"): lambda m: m.push([]),  # EMPTY_LIST
    ord("a"): lambda m: m.extend([m.pop()]),  # APPEND
    ord("e"): lambda m: m.extend(m.since_mark()),  # APPENDS
    ord(")"): lambda m: m.push(()),  # EMPTY_TUPLE
    ord("t"): lambda m: m.push(tuple(m.since_mark())),  # TUPLE
    0x85: lambda m: m.tuple_of(1),
    0x86: lambda m: m.tuple_of(2),
    0x87: lambda m: m.tuple_of(3),
    ord("}"): lambda m: m.push({}),  # EMPTY_DICT
    ord("s"): _Machine.set_item,  # SETITEM
    ord("u"): lambda m: m.fill(m.since_mark()),  # SETITEMS
    0x8F: lambda m: m.push(set()),  # EMPTY_SET
    0x90: _Machine.add,  # ADDITEMS
    ord("q"): lambda m: m.remember(m.number("<B")),  # BINPUT
    ord("r"): lambda m: m.remember(m.number("<I")),  # LONG_BINPUT
    0x94: lambda m: m.remember(len(m.memo)),  # MEMOIZE
    ord("h"): lambda m: m.recall(m.number("<B")),  # BINGET
    ord("j"): lambda m: m.recall(m.number("<I")),  # LONG_BINGET
    ord("c"): lambda m: m.name(m.line(), m.line()),  # GLOBAL
    0x93: _Machine.stack_name,  # STACK_GLOBAL
    ord("R"): _Machine.reduce,
    0x81: _Machine.new,  # NEWOBJ
    ord("b"): _Machine.build,
    ord("Q"): _Machine.persistent_id,  # BINPERSID
}
