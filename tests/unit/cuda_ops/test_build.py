"""Building the kernels: every architecture, the cache, and what is said when it fails."""

import subprocess
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

import stitchedit.cuda_ops as ops
from stitchedit.cuda_ops import _build, _kernels
from stitchedit.errors import OpsBuildError

WANTED = ["sm_75", "sm_80", "sm_86", "sm_87", "sm_89", "sm_90"]


def known_to_nvcc() -> list[str]:
    nvcc = _build.find_nvcc()
    if nvcc is None:
        return []
    listed = subprocess.run([str(nvcc), "--list-gpu-code"], capture_output=True, text=True, check=True).stdout.split()
    return sorted(
        (code for code in listed if code.removeprefix("sm_").isdigit() and 75 <= int(code[3:]) <= 90), key=str
    )


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "a cache"))  # a space must not matter
    _build.library.cache_clear()
    _kernels._load.cache_clear()
    yield tmp_path / "a cache" / "stitchedit" / "cuda_ops"
    _build.library.cache_clear()
    _kernels._load.cache_clear()


@pytest.mark.slow
@pytest.mark.parametrize("arch", known_to_nvcc() or WANTED)
def test_compiles_for(arch: str, tmp_path: Path) -> None:
    if arch not in known_to_nvcc():
        pytest.skip("nvcc is not here, or does not know this architecture")
    _build.build(arch, tmp_path / "ops.so")
    built = (tmp_path / "ops.so").read_bytes()
    assert b"stitchedit_upfirdn2d" in built
    assert b"stitchedit_filtered_lrelu" in built
    assert [p.name for p in tmp_path.iterdir()] == ["ops.so"]


class Compiler:
    """Stands in for nvcc: writes its output and counts its calls."""

    def __init__(self, folder: Path) -> None:
        self.calls = folder / "calls"
        self.path = folder / "nvcc"
        folder.mkdir(parents=True, exist_ok=True)
        self.answer('while [ "$1" != -o ]; do shift; done; echo "$2" > "$2"')

    def answer(self, script: str) -> None:
        self.path.write_text(f"#!/bin/sh\necho call >> {self.calls}\n{script}\n")
        self.path.chmod(0o755)

    @property
    def count(self) -> int:
        return len(self.calls.read_text().split()) if self.calls.exists() else 0


@pytest.fixture
def compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Compiler:
    stand_in = Compiler(tmp_path / "bin")
    monkeypatch.setattr(_build, "find_nvcc", lambda: stand_in.path)
    return stand_in


def test_built_once_then_found(cache: Path, compiler: Compiler) -> None:
    path = _build.library("sm_90")
    assert path.is_file()
    assert path.parent == cache
    first = compiler.count
    assert first == len(list(_build.SOURCES.glob("*.cu"))) + 1
    assert _build.library("sm_90") == path
    _build.library.cache_clear()  # as another process would ask
    assert _build.library("sm_90") == path
    assert compiler.count == first


def test_another_architecture_torch_or_source_builds_anew(
    cache: Path, compiler: Compiler, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    names = {_build.library("sm_90").name, _build.library("sm_80").name}
    monkeypatch.setattr(torch, "__version__", "9.9")
    _build.library.cache_clear()
    names.add(_build.library("sm_90").name)
    (tmp_path / "csrc").mkdir()
    (tmp_path / "csrc" / "other.cu").write_text("// changed")
    monkeypatch.setattr(_build, "SOURCES", tmp_path / "csrc")
    _build.library.cache_clear()
    names.add(_build.library("sm_90").name)
    assert len(names) == 4


def test_the_compilers_last_lines_are_told(cache: Path, compiler: Compiler) -> None:
    compiler.answer("echo 'bias_act.cu(7): error: expected a ;' >&2; exit 1")
    with pytest.raises(OpsBuildError, match=r"compiler for sm_90 failed(.|\n)*expected a ;"):
        _build.library("sm_90")
    assert not list(cache.iterdir())


@pytest.mark.parametrize("tool", ["nvcc", "ninja"])
def test_a_missing_tool_is_named(cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tool: str) -> None:
    monkeypatch.setattr(_build, "find_nvcc", lambda: None if tool == "nvcc" else tmp_path / "nvcc")
    monkeypatch.setattr(_build, "find_ninja", lambda: None if tool == "ninja" else tmp_path / "ninja")
    with pytest.raises(OpsBuildError, match=f"{tool} was not found"):
        _build.library("sm_90")


def test_a_cache_that_cannot_be_written(compiler: Compiler, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OpsBuildError, match=r"file: (File exists|Not a directory)"):
        _build.build("sm_90", tmp_path / "file" / "ops.so")


def test_a_library_that_cannot_be_loaded(cache: Path, compiler: Compiler) -> None:
    for _ in range(2):  # the second time it is remembered
        outcome = _kernels._load("sm_90")
        assert isinstance(outcome, OpsBuildError)
        assert "cannot load" in str(outcome)
    assert compiler.count == len(list(_build.SOURCES.glob("*.cu"))) + 1


def test_auto_warns_once_and_runs_the_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a GPU where the build fails; the tensor only claims to be there."""

    class Claims:
        is_cuda = True
        device = torch.device("cpu")

    def fail(device: torch.device) -> _kernels.Kernels:
        raise OpsBuildError("nvcc was not found")

    monkeypatch.setattr(_kernels, "load", fail)
    monkeypatch.setattr(ops, "_warned", set())
    with pytest.warns(RuntimeWarning, match=r"nvcc was not found; plain torch is used instead"):
        assert ops._implementation(Claims(), "auto") is ops.reference  # type: ignore[arg-type]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert ops._implementation(Claims(), "auto") is ops.reference  # type: ignore[arg-type]
    with pytest.raises(OpsBuildError):
        ops._implementation(Claims(), "cuda")  # type: ignore[arg-type]


def test_nvcc_is_looked_for_in_the_usual_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bin").mkdir()
    nvcc = tmp_path / "bin" / "nvcc"
    nvcc.write_text("")
    nvcc.chmod(0o755)
    monkeypatch.delenv("CUDA_PATH", raising=False)
    monkeypatch.setenv("CUDA_HOME", str(tmp_path))
    assert _build.find_nvcc() == nvcc
    monkeypatch.setenv("CUDA_HOME", str(tmp_path / "nowhere"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert _build.find_nvcc() == nvcc
