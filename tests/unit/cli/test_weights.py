import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from stitchedit.cli.weights import app
from stitchedit.errors import NotFetched, UnknownCheckpoint, WeightsError
from stitchedit.models.bundled_weights import SHA256

GOLDEN = Path(__file__).parents[2] / "golden"
PICKLE = str(GOLDEN / "pkl_sg2ada_r32.canary_src.pkl")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STITCHEDIT_HOME", str(tmp_path))


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def test_a_life_of_imported_weights() -> None:
    record = json.loads(run("import", PICKLE, "--name", "tiny", "--licence", "CC0", "--made-for", "cats", "--json"))
    assert (record["name"], record["licence"], record["made_for"]) == ("tiny", "CC0", "cats")
    assert json.loads(run("show", "tiny", "--json")) == record
    assert "made_for: cats" in run("show", "tiny")
    listed = {line["name"]: line for line in json.loads(run("list", "--json"))}
    assert listed["tiny"]["here"] is True
    assert listed["ffhq.pkl"]["here"] is False
    assert "tiny  [here]  stylegan2 from pkl_sg2ada_r32.canary_src.pkl, 32 px, made for cats" in run("list")
    assert "tiny: ok" in run("verify")
    assert all(verdict["ok"] for verdict in json.loads(run("verify", "--json")))
    assert run("remove", "tiny") == "removed 'tiny'\n"
    with pytest.raises(NotFetched):
        run("show", "tiny")


def test_the_default_is_shown_with_the_cards_of_all_that_comes_along() -> None:
    text = run("show", "default")
    assert "made_for: ffhq-1024" in text
    assert [name for name in SHA256 if f"# {name}" not in text and f", {name}" not in text] == []


def test_import_says_what_directions_call_it() -> None:
    text = run("import", PICKLE, "--name", "tiny")
    assert "imported 'tiny': stylegan2 generator, 0.2 MB" in text
    assert 'made_for = "w-' in text


def test_mistakes_are_raised_for_the_main_program_to_print(tmp_path: Path) -> None:
    with pytest.raises(UnknownCheckpoint):
        run("import", str(GOLDEN / "README.md"))
    run("import", PICKLE, "--name", "tiny")
    (tmp_path / "weights" / "tiny.safetensors").write_bytes(b"damaged")
    with pytest.raises(WeightsError, match="damaged: tiny"):
        run("verify")


def test_help_and_list_do_not_wait_for_torch() -> None:
    script = "import sys; from stitchedit.cli.weights import app; app(sys.argv[1:], standalone_mode=False); "
    script += "assert 'torch' not in sys.modules"
    for arguments in (["--help"], ["list", "--json"]):
        subprocess.run([sys.executable, "-c", script, *arguments], check=True, stdout=subprocess.DEVNULL)
