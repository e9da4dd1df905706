"""This device's certificate for connections between nodes: self-signed, pinned by its hash, made on first use.

It proves nothing by its name or its issuer. Whoever calls either pins its SHA-256 from the link, or is shown by the
greeting that both ends saw the same one (``openprod.sync.auth``).
"""

from __future__ import annotations

import datetime
import hashlib
import os
import secrets
import ssl
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from openprod.errors import DamagedFile

_FILE: Final = "certificate.pem"
_FROM: Final = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
_UNTIL: Final = datetime.datetime(2120, 1, 1, tzinfo=datetime.UTC)


class Certificate:
    """``file``: key and certificate, PEM, readable by its owner only. ``hash``: SHA-256 of the certificate (DER)."""

    def __init__(self, file: Path, hash: bytes) -> None:
        self.file, self.hash = file, hash

    def server_context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.load_cert_chain(self.file)
        return context


def client_context() -> ssl.SSLContext:
    """Takes any certificate: its hash is compared by whoever calls."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def load(home: Path) -> Certificate:
    """The certificate in the per-user folder, made on first use (0600). Raises DamagedFile."""
    file = home / _FILE
    try:
        parsed = x509.load_pem_x509_certificate(file.read_bytes())
    except FileNotFoundError:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write(file, _made())
        return load(home)
    except ValueError as error:
        raise DamagedFile(
            f"This device's certificate, {file}, can't be read.",
            hint="Move the file away: another is made, and links that were given out before stop working.",
        ) from error
    return Certificate(file, hashlib.sha256(parsed.public_bytes(serialization.Encoding.DER)).digest())


def _made() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    # No name of a person, a device or a production: anybody on the network can read a certificate.
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "openprod")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_FROM)  # clocks of laptops are off, and nothing here rests on dates
        .not_valid_after(_UNTIL)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return private + made.public_bytes(pem)


def _write(file: Path, data: bytes) -> None:
    # Two nodes of one person may start at once: whoever comes first decides, and both read that.
    temporary = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as written:
        written.write(data)
        written.flush()
        os.fsync(written.fileno())
    try:
        os.link(temporary, file)
    except FileExistsError:
        pass
    finally:
        temporary.unlink()
