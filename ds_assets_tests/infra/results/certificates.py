"""Makes certificates for private servers."""

import datetime as dt
import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


class Authority:
    """An authority that issues certificates for 127.0.0.1, and a server's certificate by it.

    Args:
        folder: A new folder for the files.

    Attributes:
        file: Certificate of the authority.
        server_certificate: Certificate of the server.
        server_key: Key of the server, which only its owner may read.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.file = self._write("ca.pem", self._certificate(self.key, is_authority=True))
        key = ec.generate_private_key(ec.SECP256R1())
        self.server_certificate = self._write(
            "server.pem", self._certificate(key, is_authority=False)
        )
        text = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
        self.server_key = self._write("server.key", text)
        self.server_key.chmod(0o600)

    def _certificate(self, key: ec.EllipticCurvePrivateKey, *, is_authority: bool) -> bytes:
        now = dt.datetime.now(dt.UTC)
        own, issuer = (
            x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
            for name in (self.folder.name if is_authority else "server", self.folder.name)
        )
        builder = (
            x509.CertificateBuilder(issuer, own, key.public_key(), x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
            .add_extension(
                x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
                critical=False,
            )
        )
        signed = builder.sign(self.key, hashes.SHA256())
        return signed.public_bytes(serialization.Encoding.PEM)

    def _write(self, name: str, content: bytes) -> Path:
        path = self.folder / name
        path.write_bytes(content)
        return path
