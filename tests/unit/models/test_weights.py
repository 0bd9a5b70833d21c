import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from checkpoint_files import encoder_content, make_state, nvidia_module, nvidia_pickle, torch_file
from safetensors.torch import load_file

from stitchedit.errors import ConfigError, HashMismatch, NotFetched, NotWritable, UnknownCheckpoint
from stitchedit.files import hashing
from stitchedit.mobilestylegan import MobileStyleGAN
from stitchedit.models import weights
from stitchedit.models.bundled_weights import packaged_file
from stitchedit.models.generator import save_generator
from stitchedit.stylegan2 import encoder_layout
from stitchedit.stylegan2.export import export_nvidia, export_rosinality

GOLDEN = Path(__file__).parents[2] / "golden"
PICKLE = GOLDEN / "pkl_sg2ada_r32.canary_src.pkl"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STITCHEDIT_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_where_weights_are_kept(home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert weights.home() == home / "weights"
    monkeypatch.delenv("STITCHEDIT_HOME")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert weights.home() == tmp_path / "data" / "stitchedit" / "weights"
    monkeypatch.delenv("XDG_DATA_HOME")
    assert weights.home() == Path.home() / ".local" / "share" / "stitchedit" / "weights"


def test_import_records_what_is_known(home: Path) -> None:
    record = weights.import_file(PICKLE, "tiny", licence="CC0", source="the tests")
    assert (record.role, record.kind, record.architecture, record.resolution) == (
        "generator",
        "nvidia",
        "stylegan2",
        32,
    )
    assert record.file == PICKLE.name
    assert record.file_bytes == PICKLE.stat().st_size
    assert record.bytes == (home / "weights" / "tiny.safetensors").stat().st_size
    assert (record.licence, record.source) == ("CC0", "the tests")
    assert record.made_for.startswith("w-")
    assert weights.show("tiny") == record
    assert sorted(p.name for p in (home / "weights").iterdir()) == ["tiny.safetensors", "tiny.toml"]
    state = load_file(GOLDEN / "pkl_sg2ada_r32.weights.safetensors")
    assert record.parameters == sum(tensor.numel() for tensor in state.values())
    stored = load_file(home / "weights" / "tiny.safetensors")
    assert all(torch.equal(stored[name], tensor) for name, tensor in state.items())


def test_the_name_comes_from_the_file(tmp_path: Path) -> None:
    path = tmp_path / "My Faces (2).PKL"
    path.write_bytes(PICKLE.read_bytes())
    assert weights.import_file(path).name == "my-faces-2"


@pytest.mark.parametrize("name", ["", ".hidden", "../up", "a/b", "Upper", "default", "x" * 65, "a\nb", "ü"])
def test_names_that_are_not_allowed(name: str, home: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be the name"):
        weights.import_file(PICKLE, name)
    assert not home.exists()


def test_the_same_file_twice_is_one_import_another_is_refused() -> None:
    first = weights.import_file(PICKLE, "tiny")
    assert weights.import_file(PICKLE, "tiny", licence="other") == first
    with pytest.raises(ConfigError, match="'tiny' is taken"):
        weights.import_file(GOLDEN / "nv_r64_w64_m4.weights.safetensors", "tiny")


def test_a_file_that_is_refused_leaves_nothing(home: Path, tmp_path: Path) -> None:
    (tmp_path / "x.pt").write_bytes(b"nonsense")
    with pytest.raises(UnknownCheckpoint):
        weights.import_file(tmp_path / "x.pt")
    assert not home.exists()


def test_a_store_that_cannot_be_written(home: Path) -> None:
    home.parent.mkdir(exist_ok=True)
    home.write_text("a file in the way")
    with pytest.raises(NotWritable):
        weights.import_file(PICKLE, "tiny")


@pytest.mark.parametrize("by", ["name", "path"])
def test_load_generator(by: str) -> None:
    weights.import_file(PICKLE, "tiny")
    generator = weights.load_generator("tiny" if by == "name" else PICKLE)
    assert (generator.architecture, generator.resolution, generator.num_ws) == ("stylegan2", 32, 8)
    assert generator.made_for == weights.show("tiny").made_for
    assert generator.w_avg.shape == (64,)
    state = load_file(GOLDEN / "pkl_sg2ada_r32.weights.safetensors")
    assert generator.state_dict().keys() == state.keys()
    assert all(torch.equal(generator.state_dict()[name], tensor) for name, tensor in state.items())
    with torch.no_grad():
        ws = generator.mapping(torch.zeros(1, 64), truncation_psi=0.5)
        assert generator.synthesis(ws, noise_mode="const").shape == (1, 3, 32, 32)


def test_tuning_changes_no_file(home: Path) -> None:
    weights.import_file(PICKLE, "tiny")
    stored, before = home / "weights" / "tiny.safetensors", (home / "weights" / "tiny.safetensors").read_bytes()
    generator = weights.load_generator("tiny")
    optimiser = torch.optim.SGD(generator.parameters(), lr=0.1)
    generator.synthesis(generator.mapping(torch.zeros(1, 64))).square().mean().backward()
    optimiser.step()
    with torch.no_grad():
        next(generator.parameters()).zero_()
    assert stored.read_bytes() == before


def test_the_default_generator() -> None:
    assert weights.load_generator().made_for == "ffhq-1024"
    assert weights.show("default").resolution == 1024
    assert len(weights.sha256_of("default")) == 64
    with pytest.raises(ConfigError):
        weights.remove("default")


@pytest.fixture
def light() -> MobileStyleGAN:
    """A generator of the default kind."""
    return MobileStyleGAN("tiny-64", 16, 16, 2, channels=(16, 16, 16, 16), heads={32: "deep", 64: "styled"})


def test_a_generator_of_the_default_kind_from_a_file(tmp_path: Path, light: MobileStyleGAN) -> None:
    path = tmp_path / "tuned.safetensors"
    save_generator(light, path, licence="none")
    found = weights.load_generator(path)
    assert found.architecture == "mobilestylegan"
    assert found.made_for == "tiny-64"


def test_directions_see_ffhq_by_the_mean_of_w(tmp_path: Path) -> None:
    """Whoever's generator it is: one with the W space of FFHQ at 1024 px takes directions made for that."""
    default = load_file(packaged_file("mobilestylegan_ffhq_1024.safetensors"))["w_avg"].float()
    state = load_file(GOLDEN / "nv_r32_w64_m4.weights.safetensors")
    state = {n: torch.zeros(t.shape[0], 512) if n.endswith("affine.weight") else t for n, t in state.items()}
    state |= {f"mapping.fc{i}.weight": torch.eye(512) for i in range(4)}
    state |= {f"mapping.fc{i}.bias": torch.zeros(512) for i in range(4)}
    noise = torch.randn(512, generator=torch.Generator().manual_seed(0)) * default.std()
    for mean, name in ((default + 0.02 * noise, "ffhq-1024"), (noise, "w-"), (default + noise, "w-")):
        path = tmp_path / "g.pt"
        path.write_bytes(torch_file(state | {"mapping.w_avg": mean}))
        assert weights.load_generator(path).made_for.startswith(name)


@pytest.mark.parametrize("name", ["absent", "ffhq.pkl"])
def test_what_is_not_here(name: str) -> None:
    weights.import_file(PICKLE, "tiny")
    for call in (weights.load_generator, weights.sha256_of):
        with pytest.raises(NotFetched, match=f"weights '{name}' are not here") as caught:
            call(name)
        assert "default, tiny" in caught.value.hint
    with pytest.raises(UnknownCheckpoint, match="no such file"):
        weights.load_generator("folder/absent.pkl")


def damage(home: Path) -> Path:
    path = home / "weights" / "tiny.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    return path


def test_damage_is_seen_when_loading_and_by_verify(home: Path) -> None:
    weights.import_file(PICKLE, "tiny")
    assert {v.name: v.ok for v in weights.verify()}["tiny"]
    path = damage(home)
    with pytest.raises(HashMismatch, match=r"tiny\.safetensors is damaged"):
        weights.load_generator("tiny")
    verdict = next(v for v in weights.verify() if v.name == "tiny")
    assert not verdict.ok
    assert "is damaged" in verdict.what
    path.unlink()
    with pytest.raises(NotFetched, match="tiny"):
        weights.load_generator("tiny")


def test_a_file_is_hashed_once_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    weights.import_file(PICKLE, "tiny")
    weights.load_generator("tiny")
    monkeypatch.setattr(hashing, "file_sha256", lambda path: pytest.fail("hashed again"))
    weights.load_generator("tiny")


RECORDS: dict[str, Callable[[str], str]] = {
    "cut": lambda text: text[:40],
    "no TOML": lambda text: "\x00" + text,
    "another schema": lambda text: text.replace("schema = 1", "schema = 9"),
    "another name": lambda text: text.replace('name = "tiny"', 'name = "other"'),
    "a missing field": lambda text: text.replace("kind", "kin"),
    "another type": lambda text: text.replace("resolution = 32", 'resolution = "32"'),
    "huge": lambda text: text + "#" * 100_000,
}


@pytest.mark.parametrize("case", RECORDS)
def test_a_damaged_record(home: Path, case: str) -> None:
    weights.import_file(PICKLE, "tiny")
    path = home / "weights" / "tiny.toml"
    path.write_text(RECORDS[case](path.read_text()))
    with pytest.raises(UnknownCheckpoint, match="its record is damaged"):
        weights.load_generator("tiny")
    assert next(line for line in weights.list_weights() if line.name == "tiny").role == "damaged"
    assert not next(v for v in weights.verify() if v.name == "tiny").ok
    weights.remove("tiny")
    weights.import_file(PICKLE, "tiny")


def test_remove() -> None:
    weights.import_file(PICKLE, "tiny")
    weights.remove("tiny")
    assert not list(weights.home().iterdir())
    with pytest.raises(NotFetched):
        weights.remove("tiny")


def test_list_names_what_is_here_and_what_others_publish(tmp_path: Path) -> None:
    path = tmp_path / "ffhq.pkl"
    path.write_bytes(PICKLE.read_bytes())
    before = {line.name: line for line in weights.list_weights()}
    assert before["default"].here
    for name in ("ffhq.pkl", "stylegan2-ffhq-config-f.pt", "e4e_ffhq_encode.pt", "79999_iter.pth", "age-v1.onnx"):
        line = before[name]
        assert not line.here
        assert line.what
        assert line.where
        assert line.licence
        assert line.bytes
        assert line.use
    assert before["shape_predictor_68_face_landmarks.dat"].here
    record = weights.import_file(path)
    assert "non-commercial" in record.licence
    assert "by the file's name" in record.licence
    after = {line.name: line for line in weights.list_weights()}
    assert after["ffhq.pkl"].here
    assert after["ffhq"].use == "--generator ffhq"


def test_a_feature_network_is_no_generator(tmp_path: Path) -> None:
    path = tmp_path / "alexnet.pth"
    path.write_bytes(torch_file({"features.0.weight": torch.ones(64, 3, 11, 11)}))
    record = weights.import_file(path)
    assert (record.role, record.made_for, record.resolution) == ("features", "", 0)
    with pytest.raises(UnknownCheckpoint, match="a feature network, no generator"):
        weights.load_generator("alexnet")
    assert list(weights.load_checkpoint("alexnet", "features").state) == ["features.0.weight"]
    with pytest.raises(UnknownCheckpoint, match="not an encoder"):
        weights.load_checkpoint("alexnet", "encoder")


def test_load_encoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "E.pt"
    content = encoder_content()
    path.write_bytes(torch_file(content))
    with pytest.raises(UnknownCheckpoint, match="begins with 1 channels, only 64 are known"):
        weights.load_encoder(path)
    monkeypatch.setattr(encoder_layout, "WIDTH", 1)
    record = weights.import_file(path)
    assert (record.name, record.role, record.kind, record.made_for) == ("e", "encoder", "e4e", "")
    for name in ("e", path):
        found = weights.load_encoder(name)
        assert found.kind == "e4e"
        assert found.config == {"num_styles": 6}
        assert found.latent_avg is not None
        assert torch.equal(found.latent_avg, content["latent_avg"])
    with pytest.raises(UnknownCheckpoint, match="an encoder, no generator"):
        weights.load_generator("e")


def test_the_mean_that_an_encoder_starts_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoder_layout, "WIDTH", 1)
    path = tmp_path / "e.pt"
    one = torch.arange(8.0)
    path.write_bytes(torch_file(encoder_content("GradualStyleEncoder", latent_avg=one)))
    found = weights.load_encoder(path)
    assert found.kind == "psp"
    assert found.latent_avg is not None
    assert torch.equal(found.latent_avg, one.expand(6, 8))
    options = {"encoder_type": "GradualStyleEncoder", "start_from_latent_avg": False}
    path.write_bytes(torch_file(encoder_content(latent_avg=one, opts=options)))
    assert weights.load_encoder(path).latent_avg is None


def test_exports_come_back_bit_by_bit(tmp_path: Path) -> None:
    generator = weights.load_generator(GOLDEN / "nv_r64_w64_m4.weights.safetensors")
    state = {name: tensor.clone() for name, tensor in generator.state_dict().items()}
    for name, content in (("nv", export_nvidia(generator)), ("ros", export_rosinality(generator))):
        path = tmp_path / f"{name}.pt"
        path.write_bytes(torch_file(content))
        back = weights.load_generator(path).state_dict()
        assert back.keys() == state.keys()
        assert all(torch.equal(back[n], tensor) for n, tensor in state.items())
    assert state.keys() == load_file(GOLDEN / "nv_r64_w64_m4.weights.safetensors").keys()


def test_what_cannot_be_exported(light: MobileStyleGAN) -> None:
    with pytest.raises(ValueError, match="only a StyleGAN2"):
        export_nvidia(light)
    with pytest.raises(ValueError, match="architecture other than skip"):
        export_rosinality(weights.load_generator(GOLDEN / "nv_r32_w64_m4_orig.weights.safetensors"))


def test_the_public_name() -> None:
    import stitchedit

    assert stitchedit.load_generator is sys.modules["stitchedit.models.weights"].load_generator


def test_a_generator_with_labels_is_imported_class_by_class(tmp_path: Path) -> None:
    path = tmp_path / "cond.pkl"
    path.write_bytes(nvidia_pickle(nvidia_module(make_state(c_dim=3)), 4))
    first = weights.import_file(path)
    assert any("class 0 of 3" in note for note in first.notes)
    assert weights.import_file(path, label=0) == first
    with pytest.raises(ConfigError, match=r"from cond\.pkl, class 0 of 3"):
        weights.import_file(path, label=2)
    other = weights.import_file(path, "second", label=2)
    assert other.made_for != first.made_for, "its W is another"
    for name in ("cond", "second", path):
        generator = weights.load_generator(name)
        assert generator.mapping(torch.zeros(1, generator.z_dim)).isfinite().all()


def test_a_copy_in_half_precision_is_the_same_generator_to_directions(tmp_path: Path) -> None:
    state = make_state()
    (tmp_path / "half.pt").write_bytes(torch_file({name: tensor.half() for name, tensor in state.items()}))
    (tmp_path / "full.pt").write_bytes(torch_file(state))
    assert (
        weights.load_generator(tmp_path / "half.pt").made_for == weights.load_generator(tmp_path / "full.pt").made_for
    )
