"""Networks are loaded in silence, once a thread, and what is wrong with one is still told."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from stitchedit.models.bundled_weights import packaged_file
from stitchedit.models.litert import load_interpreter, own_interpreter


def test_nothing_is_written_to_stderr_and_it_is_heard_again_after(capfd: pytest.CaptureFixture[str]) -> None:
    network = load_interpreter(packaged_file("face_landmark.tflite"))
    network.invoke()
    assert capfd.readouterr().err == ""
    os.write(2, b"heard\n")
    assert capfd.readouterr().err == "heard\n"


def test_a_damaged_file_raises_and_stderr_is_heard_after(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bad.tflite").write_bytes(b"nothing")
    with pytest.raises(ValueError, match="not a valid Flatbuffer"):
        load_interpreter(tmp_path / "bad.tflite")
    os.write(2, b"heard\n")
    assert "heard" in capfd.readouterr().err


def test_a_thread_keeps_a_network_of_its_own() -> None:
    path = packaged_file("face_landmark.tflite")
    own = own_interpreter(path)
    assert own_interpreter(path) is own
    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(own_interpreter, path).result()
        assert other is not own
        assert pool.submit(own_interpreter, path).result() is other
