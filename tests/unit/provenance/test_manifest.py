"""What outputs say of themselves, read back by the C2PA library and by the ffmpeg command."""

import errno
import json
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

import av
import imageio_ffmpeg
import pytest

from stitchedit.errors import CannotOpen, ConfigError, DiskFull
from stitchedit.evaluation.edit_origin import asked_of
from stitchedit.provenance import certificates
from stitchedit.provenance.certificates import CHAIN, KEY, LOCAL_TEST, SIGNING
from stitchedit.provenance.manifest import SOURCE_TYPE, Seal, notice, read_back, sealer
from stitchedit.video import open_video, write_video

CLIP = Path(__file__).parents[2] / "data" / "demo.mp4"


def packets(path: Path) -> list[tuple[object, ...]]:
    with av.open(path) as container:
        return [(p.stream_index, p.pts, p.dts, p.duration, bytes(memoryview(p))) for p in container.demux() if p.size]


def write(path: Path, seal: Seal | None, source: Path = CLIP, said: str = "age +2") -> Path:
    clip = open_video(source)
    write_video(path, clip, islice(clip, 4), metadata=notice(said), seal=seal)
    return path


@pytest.fixture(autouse=True)
def _no_certificate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SIGNING, raising=False)


@pytest.mark.parametrize("suffix", [".mp4", ".m4v", ".mov"])
def test_a_manifest_is_added_and_nothing_else_changes(tmp_path: Path, suffix: str) -> None:
    plain, signed = tmp_path / f"plain{suffix}", tmp_path / f"signed{suffix}"
    write(plain, None)
    write(signed, sealer(signed, CLIP, "age +2", "ab" * 32))
    assert packets(signed) == packets(plain)
    assert 0 < signed.stat().st_size - plain.stat().st_size < 40_000
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([plain.name, signed.name])
    found = read_back(signed)
    assert (found.c2pa, found.local_test, found.signed_by) == ("valid", True, LOCAL_TEST)
    assert found.edits == found.c2pa_edits == ("age +2",)
    assert found.source_type == SOURCE_TYPE
    assert found.problems == ("signingCredential.untrusted",)
    without = read_back(plain)
    assert (without.c2pa, without.edits) == ("none", ("age +2",))


def test_the_manifest_tells_the_tool_the_edit_and_the_origin(tmp_path: Path) -> None:
    from c2pa import Reader

    path = write(tmp_path / "out.mp4", sealer(tmp_path / "out.mp4", CLIP, "age +2", "ab" * 32))
    with path.open("rb") as file, Reader("video/mp4", file) as reader:
        told = json.loads(reader.json())
    manifest = told["manifests"][told["active_manifest"]]
    assert manifest["claim_generator_info"][0]["name"] == "stitchedit"
    assert [(i["title"], i["relationship"]) for i in manifest["ingredients"]] == [("demo.mp4", "parentOf")]
    held = {assertion["label"]: assertion["data"] for assertion in manifest["assertions"]}
    opened, edited = held["c2pa.actions.v2"]["actions"]
    assert (opened["action"], edited["action"]) == ("c2pa.opened", "c2pa.edited")
    assert edited["digitalSourceType"] == SOURCE_TYPE
    assert held["org.stitchedit.edit"]["source_sha256"] == "ab" * 32
    assert manifest["signature_info"]["alg"] == "Es256"


def test_a_change_after_signing_is_seen(tmp_path: Path) -> None:
    path = write(tmp_path / "out.mp4", sealer(tmp_path / "out.mp4", CLIP, "age +2", ""))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    found = read_back(path)
    assert found.c2pa == "invalid"
    assert "assertion.bmffHash.mismatch" in found.problems


def test_other_tools_read_the_signed_file(tmp_path: Path) -> None:
    path = write(tmp_path / "out.mp4", sealer(tmp_path / "out.mp4", CLIP, "age +2", ""))
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "warning", "-i", path, "-f", "null", "-"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    shown = subprocess.run([*command[:1], "-i", path], capture_output=True, text=True, check=False).stderr
    assert "it is no true record" in shown


def test_an_edit_of_an_edit_keeps_both_notices(tmp_path: Path) -> None:
    first, second = tmp_path / "first.mp4", tmp_path / "second.mp4"
    write(first, sealer(first, CLIP, "age +2", ""))
    write(second, sealer(second, first, "smile +1", ""), first, "smile +1")
    found = read_back(second)
    assert found.c2pa == "valid"
    assert found.edits == ("age +2", "smile +1")
    assert set(found.c2pa_edits) == {"age +2", "smile +1"}
    assert asked_of(second) == ("smile",)


def test_an_origin_that_c2pa_cannot_read_is_left_out(tmp_path: Path) -> None:
    source = tmp_path / "clip.mkv"
    write(source, None)
    path = write(tmp_path / "out.mp4", sealer(tmp_path / "out.mp4", source, "age +2", ""), source)
    assert read_back(path).c2pa == "valid"
    lying = tmp_path / "lying.mp4"
    lying.write_bytes(source.read_bytes())
    path = write(tmp_path / "out2.mp4", sealer(tmp_path / "out2.mp4", lying, "age +2", ""), lying)
    assert read_back(path).c2pa == "valid"


def test_matroska_has_the_notice_alone(tmp_path: Path) -> None:
    path = tmp_path / "out.mkv"
    assert sealer(path, CLIP, "age +2", "") is None
    write(path, None)
    found = read_back(path)
    assert (found.edits, found.c2pa) == (("age +2",), "none")
    assert "none" in found.lines()[1]


def test_a_full_disk_while_signing(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    seal = sealer(path, CLIP, "age +2", "")
    assert seal is not None

    class Full:
        def __init__(self, file: object) -> None:
            self.file = file

        def __getattr__(self, name: str) -> object:
            return getattr(self.file, name)

        def write(self, data: bytes) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(DiskFull):
        write(path, lambda done, sealed: seal(done, Full(sealed)))  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


def test_files_that_say_nothing_or_are_none(tmp_path: Path) -> None:
    found = read_back(CLIP)
    assert (found.edits, found.c2pa) == ((), "none")
    (tmp_path / "x.mp4").write_bytes(b"nothing")
    for name in ("x.mp4", "missing.mp4"):
        with pytest.raises(CannotOpen):
            read_back(tmp_path / name)


@pytest.fixture
def own(tmp_path: Path) -> Callable[..., Path]:
    """A folder with the certificate of a user."""

    def make(days: int = 30, other_key: bool = False) -> Path:
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

        key, now = ec.generate_private_key(ec.SECP384R1()), datetime.now(UTC)
        root = ec.generate_private_key(ec.SECP384R1())
        names = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Studio")]
        subject = x509.Name([*names, x509.NameAttribute(NameOID.COMMON_NAME, "A. User")])
        uses = dict.fromkeys(
            ["content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "key_cert_sign"], False
        )
        usage = x509.KeyUsage(digital_signature=True, crl_sign=False, encipher_only=False, decipher_only=False, **uses)
        leaf = (
            x509.CertificateBuilder(x509.Name(names), subject, key.public_key(), x509.random_serial_number())
            .not_valid_before(now - timedelta(days=40))
            .not_valid_after(now + timedelta(days=days))
            .add_extension(x509.BasicConstraints(False, None), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(root.public_key()), critical=False)
            .sign(root, hashes.SHA384())
        )
        folder = tmp_path / "signing"
        folder.mkdir(exist_ok=True)
        (folder / CHAIN).write_bytes(leaf.public_bytes(serialization.Encoding.PEM))
        kept = root if other_key else key
        form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        (folder / KEY).write_bytes(kept.private_bytes(*form))
        return folder

    return make


def test_the_users_certificate_signs(tmp_path: Path, own: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SIGNING, str(own()))
    path = write(tmp_path / "out.mp4", sealer(tmp_path / "out.mp4", CLIP, "age +2", ""))
    found = read_back(path)
    assert (found.c2pa, found.signed_by, found.local_test) == ("valid", "A. User", False)


def test_certificates_that_will_not_do(own: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    for wrong, why in (({"days": -1}, "valid from"), ({"other_key": True}, "does not belong")):
        folder = own(**wrong)
        monkeypatch.setenv(SIGNING, str(folder))
        with pytest.raises(ConfigError, match=why):
            sealer(Path("out.mp4"), CLIP, "age +2", "")
    (folder / KEY).write_text("no key")
    with pytest.raises(ConfigError, match="cannot sign"):
        certificates.identity()
    monkeypatch.setenv(SIGNING, str(folder / "missing"))
    with pytest.raises(ConfigError, match="No such file"):
        certificates.identity()


def test_a_local_test_certificate_is_new_each_time_and_says_what_it_is() -> None:
    one, two = certificates.identity(), certificates.identity()
    assert one.local_test
    assert one.chain != two.chain
    assert "local test" in LOCAL_TEST
    assert len(LOCAL_TEST) <= 64
