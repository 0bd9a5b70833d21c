"""The package list agrees with the disk, imports point one way, and nothing heavy is loaded to say hello."""

import ast
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CLIP = ROOT / "tests" / "data" / "demo.mp4"
OWN = (
    "stitchedit",
    *(f"stitchedit.{p.parent.name}" for p in ROOT.glob("stitchedit/*/__init__.py") if not p.parent.is_symlink()),
)
MAPPED = {"stitchedit": ROOT / "stitchedit"} | {
    f"stitchedit.{name}": ROOT / folder
    for name, folder in (
        ("stylegan2", "third_party/stylegan2"),
        ("stylegan3", "third_party/stylegan3"),
        ("mobilestylegan", "third_party/mobilestylegan"),
        ("cuda_ops", "cuda_ops"),
    )
}
PACKAGES = MAPPED | {name: ROOT / name.replace(".", "/") for name in OWN}


def modules(package: str) -> list[Path]:
    return sorted(p for p in PACKAGES[package].glob("*.py"))


def test_every_package_on_disk_is_listed() -> None:
    table = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    assert set(table["packages"]) == set(PACKAGES)
    assert {name: ROOT / path for name, path in table["package-dir"].items()} == MAPPED
    for package, folder in MAPPED.items():
        found = {p.parent for p in folder.rglob("__init__.py") if not _linked(p, folder)}
        assert found <= set(PACKAGES.values()), f"{package} has unlisted subpackages: {found}"


def test_every_data_file_is_packaged() -> None:
    data = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    for package, folder in MAPPED.items():
        packaged = {p for pattern in data.get(package, []) for p in folder.glob(pattern)}
        others = {
            p
            for p in folder.rglob("*")
            if p.is_file() and p.suffix not in (".py", ".pyc") and p.name != "README.md" and not _linked(p, folder)
        }
        assert others <= packaged, f"{package}: {sorted(map(str, others - packaged))}"


def test_the_layers_hold() -> None:
    """Who may import whom is in pyproject.toml, and drawn in docs/architecture.md."""
    result = subprocess.run(
        [
            sys.executable,
            "-c",
            "from importlinter.cli import lint_imports_command; lint_imports_command()",
            "--no-cache",
        ],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert result.returncode == 0, result.stdout


def test_at_most_ten_modules_stand_at_the_top() -> None:
    assert len(modules("stitchedit")) <= 10


def test_no_module_is_called_like_a_verb_of_the_library() -> None:
    """`from stitchedit.x import preview` must not be a module in one place and a function in another."""
    names = {module.stem for package in OWN for module in modules(package)} | {name.rpartition(".")[2] for name in OWN}
    assert not names & {"invert", "edit", "preview", "evaluate", "open_inversion", "list_directions", "load_generator"}


def test_only_the_command_line_exits_and_prints() -> None:
    for module in (module for package in OWN if package != "stitchedit.cli" for module in modules(package)):
        for node in ast.walk(ast.parse(module.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in ("print", "exit", "quit"), f"{module.name}:{node.lineno}"


OPENS = {"open", "read_text", "read_bytes", "write_text", "write_bytes", "imread", "imwrite", "fromfile", "tofile"}


@pytest.mark.parametrize("package", ["compositing", "image", "inversion", "masks", "metrics"])
def test_what_computes_opens_no_file(package: str) -> None:
    """Beside the contract of that name, which sees imports only."""
    for module in modules(f"stitchedit.{package}"):
        for node in ast.walk(ast.parse(module.read_text())):
            if isinstance(node, ast.Call):
                called = getattr(node.func, "attr", getattr(node.func, "id", ""))
                assert called not in OPENS, f"{module.name}:{node.lineno}"


@pytest.mark.parametrize("code", ["import stitchedit", "import stitchedit.cli.main"])
def test_importing_loads_no_torch(code: str) -> None:
    heavy = f"{code}; import sys; print([m for m in ('torch', 'cv2', 'dlib', 'av', 'scipy') if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", heavy], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


@pytest.mark.parametrize("arguments", [["--help"], ["invert", "--help"], ["edit", "--help"], ["directions", "--help"]])
def test_help_loads_no_torch_and_never_starts_itself_again(arguments: list[str]) -> None:
    script = (
        "import sys, os\n"
        "os.execve = lambda *a: (_ for _ in ()).throw(AssertionError('started again'))\n"
        f"sys.argv = ['stitchedit', *{arguments!r}]\n"
        "from stitchedit.cli.main import main\n"
        "try:\n    main()\nfinally:\n    print('torch' in sys.modules, file=sys.stderr)\n"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stderr.strip() == "False"
    assert "Usage" in result.stdout


def _linked(path: Path, folder: Path) -> bool:
    """Inside one of the git-ignored links that scripts/install makes."""
    return any(p.is_symlink() for p in path.parents if p.is_relative_to(folder)) or "__pycache__" in path.parts


@pytest.mark.slow
@pytest.mark.parametrize("name", ["safetensors.py", "random.py", "stitchedit/__init__.py"])
def test_no_code_of_the_working_folder_runs(name: str, tmp_path: Path) -> None:
    """As the entry point starts it, through its new start with the allocator's setting."""
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("raise SystemExit('code of the working folder ran')")
    command = [sys.executable, "-P", "-m", "stitchedit", "invert", str(CLIP), "--preset", "fast", "--dry-run", "--json"]
    environment = {k: v for k, v in os.environ.items() if k != "STITCHEDIT_MALLOC"}
    result = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment)
    assert result.returncode == 0, result.stderr
    assert '"frames": 48' in result.stdout


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["invert", "nowhere.mp4"], 4),
        (["invert", str(CLIP), "--preset", "best"], 2),
        (["invert", str(CLIP), "--face", "bob"], 2),
        (["invert", str(CLIP), "--generator", "nix"], 6),
        (["invert", str(CLIP), "--nix"], 2),
        (["invert", str(CLIP), "--expand", "0.7,0,0,0"], 2),
        (["edit", "nowhere", "--direction", "age"], 3),
        (["edit", "nowhere", "--direction", "agee"], 8),
        (["edit", "nowhere", "--direction", "age", "--strength", "0:0,x"], 2),
        (["evaluate", "nowhere.mp4"], 4),
    ],
)
def test_a_mistake_is_answered_before_torch_is_loaded(arguments: list[str], code: int, tmp_path: Path) -> None:
    script = (
        "import atexit, os, sys\n"
        "atexit.register(lambda: print('loaded', [m for m in ('torch', 'av', 'scipy', 'cv2') if m in sys.modules]))\n"
        "os.execve = lambda *a: (_ for _ in ()).throw(AssertionError('started again'))\n"
        f"sys.argv = ['stitchedit', *{arguments!r}]\n"
        "from stitchedit.cli.main import main\n"
        "main()\n"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path)
    assert result.returncode == code, result.stderr
    assert result.stdout.strip().endswith("loaded []")
    assert "Traceback" not in result.stderr
    assert not list(tmp_path.iterdir())
