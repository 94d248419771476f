"""A real S3 server: SeaweedFS, with authentication, over http or https."""

import datetime
import http.client
import ipaddress
import itertools
import json
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.servers.process import Server, find_program, free_ports

ACCESS_KEY, SECRET_KEY, REGION = "reelmesh-test", "reelmesh-test-secret", "us-east-1"
_GRANT = {
    "name": "app",
    "credentials": [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}],
    "actions": ["Admin", "Read", "Write", "List", "Tagging"],
}
# Buckets are host names below it as well, for whoever can resolve them.
DOMAIN = "s3.test"
# Every port that `weed mini` opens, so that two of them can live side by side.
_PORTS = ["master.port", "volume.port", "filer.port", "s3.port", "admin.port"]
_OFF = ["-webdav=false", "-admin.ui=false", "-s3.port.lance=0", "-s3.port.iceberg=0"]
_QUIET = ["-master.telemetry=false", "-volume.preStopSeconds=0", "-master.volumePreallocate=false"]


@dataclass(frozen=True)
class Bucket:
    """What a client needs to reach one empty bucket; `verify` as boto3 takes it."""

    endpoint_url: str
    bucket: str
    verify: str | bool = True
    access_key: str = ACCESS_KEY
    secret_key: str = SECRET_KEY
    region: str = REGION

    def client(self) -> Any:
        """A boto3 client, path style."""
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint_url,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            region_name=self.region,
            verify=self.verify,
            config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 2}),
        )


class SeaweedFS:
    """Hands out empty buckets; one server for a whole test process."""

    def __init__(self, *, tls: bool = False) -> None:
        self._server = Server("seaweedfs-tls" if tls else "seaweedfs")
        self._numbers = itertools.count()
        self.ca = make_certificate(self._server.directory) if tls else None
        ports = free_ports(2 * len(_PORTS))
        self._port = ports[2 * _PORTS.index("s3.port")]
        self.endpoint_url = f"{'https' if tls else 'http'}://127.0.0.1:{self._port}"
        self._launch(ports)

    def _launch(self, ports: list[int]) -> None:
        folder = self._server.directory
        (folder / "s3.json").write_text(json.dumps({"identities": [_GRANT]}))
        (folder / "data").mkdir()
        names = [name for port in _PORTS for name in (port, f"{port}.grpc")]
        flags = [f"-{name}={port}" for name, port in zip(names, ports, strict=True)]
        flags += ["-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-dir={folder / 'data'}"]
        flags += [f"-s3.config={folder / 's3.json'}", f"-s3.domainName={DOMAIN}", *_OFF, *_QUIET]
        if self.ca:
            flags += [f"-s3.cert.file={self.ca}", f"-s3.key.file={folder / 'server.key'}"]
        # Without a limit it grows past 1 GiB after a few large objects.
        self._server.start([find_program("weed"), "mini", *flags], env={"GOMEMLIMIT": "400MiB"})
        self._server.wait_until(self._is_ready, seconds=40)

    def _is_ready(self) -> bool:
        """Ready is when a signed write works: the S3 port opens before the volumes are there."""
        connection = self._connect()
        try:
            connection.request("GET", "/status")
            if connection.getresponse().status != 200:
                return False
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
        return True

    def _connect(self) -> http.client.HTTPConnection:
        if not self.ca:
            return http.client.HTTPConnection("127.0.0.1", self._port, timeout=2)
        context = ssl.create_default_context(cafile=str(self.ca))
        return http.client.HTTPSConnection("127.0.0.1", self._port, timeout=2, context=context)

    @property
    def directory(self) -> Path:
        """Where its files lie."""
        return self._server.directory

    @property
    def pid(self) -> int:
        """The server's process id."""
        return self._server.pid

    def create_bucket(self) -> Bucket:
        """A new, empty bucket."""
        verify = str(self.ca) if self.ca else True
        made = Bucket(self.endpoint_url, f"test-{next(self._numbers)}", verify)
        made.client().create_bucket(Bucket=made.bucket)
        return made

    def delete_bucket(self, bucket: Bucket) -> None:
        """Remove the bucket with all that is in it (the server allows that)."""
        bucket.client().delete_bucket(Bucket=bucket.bucket)

    def close(self) -> None:
        """End the server and remove its files."""
        self._server.close()


def make_certificate(folder: Path) -> Path:
    """Write server.pem (its own authority) and server.key for 127.0.0.1; returns server.pem."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    alternatives = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    certificate = (
        x509.CertificateBuilder(issuer_name=name, subject_name=name, public_key=key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    secret = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / "server.pem").write_bytes(certificate.public_bytes(pem))
    (folder / "server.key").write_bytes(key.private_bytes(pem, *secret))
    return folder / "server.pem"
