"""The certificate that an output's C2PA manifest is signed with: the user's, or one made on the spot.

C2PA wants a chain whose leaf is allowed to sign (key usage) and has an extended use such as e-mail protection.
Source: C2PA specification 2.x, "X.509 certificates".
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from stitchedit.errors import ConfigError

SIGNING = "STITCHEDIT_SIGNING"  # names the folder of the user's certificate
CHAIN, KEY = "certificate.pem", "key.pem"
LOCAL_TEST = "stitchedit local test certificate, nobody vouches"  # at most 64 characters (X.520)
_LIMIT = 1 << 20  # bytes of a PEM file


@dataclass(frozen=True, slots=True)
class Identity:
    """Who signs."""

    algorithm: str  # C2PA's name, such as "es256"
    chain: str  # PEM, the leaf first
    key: str  # PEM, PKCS 8, not encrypted
    local_test: bool


def identity() -> Identity:
    """That of the folder $STITCHEDIT_SIGNING, if it is set, else a new local test certificate.

    Raises: ConfigError, when the folder holds no certificate and key that belong together.
    """
    folder = os.environ.get(SIGNING)
    return _local_test() if not folder else _read(Path(folder))


def _read(folder: Path) -> Identity:
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization

    try:
        texts = []
        for name in (CHAIN, KEY):
            if (folder / name).stat().st_size > _LIMIT:
                raise ValueError(f"{name} is too large")
            texts.append((folder / name).read_bytes())
        leaf = x509.load_pem_x509_certificates(texts[0])[0]
        key = serialization.load_pem_private_key(texts[1], None)
        public = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        if key.public_key().public_bytes(*public) != leaf.public_key().public_bytes(*public):
            raise ValueError(f"{KEY} does not belong to the first certificate of {CHAIN}")
        if not leaf.not_valid_before_utc <= datetime.now(UTC) <= leaf.not_valid_after_utc:
            raise ValueError(f"the certificate is valid from {leaf.not_valid_before_utc} to {leaf.not_valid_after_utc}")
        plain = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return Identity(_algorithm(key), texts[0].decode(), plain.decode(), False)
    except (OSError, ValueError, TypeError) as exc:
        hint = f"it must hold {CHAIN} (leaf first) and {KEY}, not encrypted; unset {SIGNING} to sign with a test one"
        raise ConfigError(f"cannot sign with {SIGNING}={folder}: {exc}", hint) from exc


def _algorithm(key: object) -> str:
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    if isinstance(key, ec.EllipticCurvePrivateKey):
        names = {"secp256r1": "es256", "secp384r1": "es384", "secp521r1": "es512"}
        if key.curve.name in names:
            return names[key.curve.name]
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return "ed25519"
    if isinstance(key, rsa.RSAPrivateKey):
        return "ps256"
    raise ValueError("C2PA knows keys on the curves P-256, P-384, P-521 and Ed25519, and RSA")


def _local_test() -> Identity:
    """A root and a leaf of it, made anew and forgotten, so that nothing ties the outputs of one machine together."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    def name(common: str) -> x509.Name:
        organization = x509.NameAttribute(NameOID.ORGANIZATION_NAME, "stitchedit local test")
        return x509.Name([organization, x509.NameAttribute(NameOID.COMMON_NAME, common)])

    def usage(*allowed: str) -> x509.KeyUsage:
        uses = "digital_signature content_commitment key_encipherment data_encipherment key_agreement key_cert_sign"
        return x509.KeyUsage(**{use: use in allowed for use in f"{uses} crl_sign encipher_only decipher_only".split()})

    now = datetime.now(UTC)
    root_key, leaf_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    root_name, leaf_name = name("stitchedit local test root"), name(LOCAL_TEST)

    def certificate(subject: x509.Name, key: ec.EllipticCurvePrivateKey, is_root: bool) -> x509.Certificate:
        builder = (
            x509.CertificateBuilder(root_name, subject, key.public_key(), x509.random_serial_number())
            .not_valid_before(now - timedelta(minutes=5))
            .not_valid_after(now + timedelta(days=365))
            .add_extension(x509.BasicConstraints(is_root, 0 if is_root else None), critical=True)
            .add_extension(usage(*(["key_cert_sign", "crl_sign"] if is_root else ["digital_signature"])), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()), critical=False)
        )
        if not is_root:
            mail = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION])
            builder = builder.add_extension(mail, critical=False)
        return builder.sign(root_key, hashes.SHA256())

    chain = [certificate(leaf_name, leaf_key, False), certificate(root_name, root_key, True)]
    key = leaf_key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    pem = b"".join(link.public_bytes(serialization.Encoding.PEM) for link in chain)
    return Identity("es256", pem.decode(), key.decode(), True)
