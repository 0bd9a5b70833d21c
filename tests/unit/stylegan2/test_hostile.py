"""Checkpoints made to harm: none runs anything, takes memory beyond its size, hangs, or ends in more than one line."""

import os
import pickle
import pickletools
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from checkpoint_files import (
    encoder_content,
    importable,
    make_state,
    network,
    nvidia_module,
    nvidia_pickle,
    tensorflow_pickle,
    torch_file,
)

from stitchedit.errors import UnknownCheckpoint
from stitchedit.stylegan2.checkpoints import read_checkpoint
from stitchedit.stylegan2.rosinality import nvidia_to_rosinality

pytestmark = pytest.mark.timeout(120)

CHANNELS = {"channels": {4: 2, 8: 2}, "img_resolution": 8, "z_dim": 4, "w_dim": 4}


def corpus() -> dict[str, bytes]:
    """A small file of every kind."""
    state = make_state(**CHANNELS)
    ros, mean = nvidia_to_rosinality(state)
    module = nvidia_module(state)
    stit = {"generator": module, "pivots": torch.zeros(2, 4, 4), "quads": [np.ones((4, 2))] * 2}
    return {
        "nvidia p2": nvidia_pickle(module, 2),
        "nvidia p4": nvidia_pickle(module, 4),
        "tensorflow": tensorflow_pickle(state, 4),
        "rosinality zip": torch_file({"g_ema": ros, "latent_avg": mean}),
        "rosinality stream": torch_file({"g_ema": ros, "latent_avg": mean}, zipped=False),
        "stit": torch_file(stit),
        "e4e": torch_file(encoder_content()),
    }


CORPUS = corpus()


def outcome(path: Path, data: bytes) -> str:
    """The message with which reading ends, empty when it does not. Any other error fails the test."""
    path.write_bytes(data)
    try:
        found = read_checkpoint(path)
    except UnknownCheckpoint as exc:
        message = str(exc)
    else:
        assert sum(tensor.numel() * 4 for tensor in found.state.values()) <= 3 * len(data)
        return ""
    assert message.isprintable()
    assert len(message) < 500
    return message


@pytest.mark.parametrize("kind", CORPUS)
def test_the_corpus_itself_is_read(kind: str, tmp_path: Path) -> None:
    assert outcome(tmp_path / "x", CORPUS[kind]) == ""


@pytest.mark.parametrize("kind", CORPUS)
def test_cut_anywhere(kind: str, tmp_path: Path) -> None:
    data = CORPUS[kind]
    for end in range(0, len(data) - 1, max(1, len(data) // 60)):
        assert outcome(tmp_path / "x", data[:end])


@pytest.mark.parametrize("kind", CORPUS)
def test_changed_at_random(kind: str, tmp_path: Path) -> None:
    """Bytes, runs of bytes and opcodes of the pickle changed, moved and repeated."""
    random = np.random.default_rng(sum(kind.encode()))
    data = CORPUS[kind]
    codes = [ord(op.code) for op in pickletools.opcodes]
    refused = 0
    for _ in range(60):
        changed = bytearray(data)
        for _ in range(int(random.integers(1, 5))):
            at, other = (int(n) for n in random.integers(0, len(changed), 2))
            match int(random.integers(5)):
                case 0:
                    changed[at] = int(random.integers(256))
                case 1:
                    changed[at] = codes[int(random.integers(len(codes)))]
                case 2:
                    changed[at : at + 8] = random.bytes(8)
                case 3:
                    changed[at:at] = changed[other : other + int(random.integers(200))]
                case 4:
                    del changed[at : at + int(random.integers(20))]
        refused += outcome(tmp_path / "x", bytes(changed)) != ""
    assert refused > 10


class Evil:
    def __init__(self, function: object, *arguments: object) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[object, ...]:
        return self.call  # type: ignore[return-value]


PAYLOADS: dict[str, Callable[[], object]] = {
    "os.system": lambda: Evil(os.system, "touch CANARY"),
    "eval": lambda: Evil(eval, "open('CANARY', 'w')"),
    "exec in a module": lambda: Evil(exec, "open('CANARY', 'w')"),
    "getattr": lambda: Evil(getattr, "x", "upper"),
    "__import__": lambda: Evil(__import__, "antigravity"),
    "open": lambda: Evil(open, "CANARY", "w"),
    "pickle.loads": lambda: Evil(pickle.loads, pickle.dumps(Evil(os.system, "touch CANARY"))),
    "torch.load": lambda: Evil(torch.load, "CANARY"),
    "numpy.load": lambda: Evil(np.load, "CANARY"),
    "a method of the file system": lambda: Evil(Path.touch, Path("CANARY")),
}


@pytest.mark.parametrize("payload", PAYLOADS)
def test_nothing_runs_wherever_it_hides(payload: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = nvidia_module(make_state(**CHANNELS))
    evil = PAYLOADS[payload]()
    module.modules["mapping"].attributes["x"] = evil
    files = [nvidia_pickle(module, protocol) for protocol in (2, 4)]
    files += [torch_file({"g_ema": {"x": evil}}, zipped) for zipped in (True, False)]
    files += [torch_file({"generator": module}), tensorflow_pickle(make_state(**CHANNELS), 4, x=evil)]
    folder = tmp_path / "empty"
    folder.mkdir()
    monkeypatch.chdir(folder)
    for data in files:
        assert "names" in outcome(tmp_path / "x", data)
    assert not list(folder.iterdir())


def text(content: bytes) -> bytes:
    return b"X" + len(content).to_bytes(4, "little") + content


def binary(content: bytes) -> bytes:
    return b"B" + len(content).to_bytes(4, "little") + content


def storage() -> bytes:
    untyped = torch.zeros(1000).untyped_storage()
    return torch_file(torch.storage.TypedStorage(wrap_storage=untyped, dtype=torch.float32, _internal=True), False)


ENCODE, SET = b"c_codecs\nencode\n", b"cbuiltins\nset\n"
LOAD, VIEW = b"ctorch.storage\n_load_from_bytes\n", b"ctorch._utils\n_rebuild_tensor_v2\n"
MODULE = b"ctorch_utils.persistence\n_reconstruct_persistent_obj\n"
META = b"}(" + text(b"type") + text(b"class") + text(b"class_name") + text(b"G") + text(b"state") + b"}q\x00u"
BOMBS = {
    "a text made into bytes again and again": b"\x80\x02]"
    + (text(b"x" * 100_000) + b"q\x00a" + ENCODE + b"q\x01a" + text(b"latin1") + b"q\x02a")
    + (b"h\x01h\x00h\x02\x86Ra" * 20_000 + b"."),
    "a list made into sets again and again": b"\x80\x02]]("
    + (b"K\x01" * 20_000 + b"eq\x00a" + SET + b"q\x01a" + b"h\x01h\x00\x85Ra" * 20_000 + b"."),
    "a storage read again and again": b"\x80\x03]"
    + (binary(storage()) + b"q\x00a" + LOAD + b"q\x01a" + b"h\x01h\x00\x85Ra" * 10_000 + b"."),
    "a small storage seen as a large tensor": b"\x80\x03"
    + (VIEW + b"(" + LOAD + binary(storage()) + b"\x85RK\x00")
    + (b"J\x00\x00\x00\x10J\x00\x00\x00\x10\x86K\x00K\x00\x86\x89NtR."),
    "empty sets": b"\x80\x04]" + b"\x8fa" * 60_000 + b".",
    "a dictionary in itself": b"\x80\x02}q\x00" + text(b"G_ema") + b"h\x00s.",
    "tuples doubled": b"\x80\x02)" + b"q\x00h\x00\x86" * 1000 + b".",
    "a module in itself": b"\x80\x02}"
    + (text(b"G_ema") + MODULE + META + b"\x85Rq\x01s" + text(b"G") + b"h\x00")
    + (text(b"_modules") + b"}" + text(b"x") + b"h\x01sss."),
    "a huge integer": b"\x80\x02\x8b\xff\xff\xff\x7f" + bytes(1000) + b".",
    "a huge count of bytes": b"\x80\x05\x96" + (1 << 62).to_bytes(8, "little") + b".",
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_bombs_take_no_memory(bomb: str, tmp_path: Path) -> None:
    tracemalloc.start()
    try:
        assert outcome(tmp_path / "x", BOMBS[bomb])
        assert tracemalloc.get_traced_memory()[1] < 100_000_000
    finally:
        tracemalloc.stop()


def test_many_names_for_one_storage(tmp_path: Path) -> None:
    big = torch.zeros(300_000)
    names = {f"style.{i}.weight": big for i in range(1000)}
    for data in (torch_file(names), torch_file({"g_ema": names}), torch_file({"g_ema": names}, zipped=False)):
        assert "together are larger than the file" in outcome(tmp_path / "x", data)


def test_many_variables_of_one_array(tmp_path: Path) -> None:
    big = np.zeros((1, 1, 400, 400))
    variables = [("x/mod_weight", big), *((f"synthesis/noise{i}", big) for i in range(100))]
    with importable():
        data = pickle.dumps((network("G", [], {}), network("D", [], {}), network("Gs", variables, {})), 4)
    assert "together are larger than the file" in outcome(tmp_path / "x", data)
