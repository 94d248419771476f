"""The S3 client of the storage service."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from botocore.config import Config
from botocore.session import Session

from services.storage.adapters.s3_calls import THREADS
from services.storage.adapters.s3_models import s3_loader

if TYPE_CHECKING:
    from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Connection:
    """How the bucket is reached; without keys botocore finds some: IRSA, instance role, profile."""

    endpoint_url: str = ""
    region: str = "us-east-1"
    access_key_id: str = ""
    secret_access_key: str = ""
    session_token: str = ""
    addressing_style: Literal["auto", "path", "virtual"] = "auto"
    checksums: Literal["when_supported", "when_required"] = "when_supported"
    ca_bundle: str = ""
    # A server that takes connections and says nothing is left after three times as long, and a
    # rest or two: what is written then waits in the spool.
    read_seconds: float = 15.0

    def client(self) -> Any:
        """Return a thread-safe client; blocks for some 100 ms while botocore reads the model of S3.

        Own servers are mostly reached by address, where a bucket cannot be a host name: path style
        there, unless the operator says otherwise.
        """
        style = self.addressing_style
        if style == "auto" and self.endpoint_url:
            style = "path"
        encrypted = not self.endpoint_url.startswith("http://")
        config = Config(
            signature_version="s3v4",
            max_pool_connections=THREADS,
            connect_timeout=5,
            read_timeout=self.read_seconds,
            retries={"mode": "standard", "total_max_attempts": 3},
            s3={
                "addressing_style": style,
                # As botocore has it where it takes the checksum itself: TLS and one are enough.
                "payload_signing_enabled": not (encrypted and self.checksums == "when_supported"),
            },
            request_checksum_calculation=self.checksums,
            response_checksum_validation=self.checksums,
        )
        session = Session()
        session.register_component("data_loader", s3_loader())
        return session.create_client(
            "s3",
            region_name=self.region,
            endpoint_url=self.endpoint_url or None,
            aws_access_key_id=self.access_key_id or None,
            aws_secret_access_key=self.secret_access_key or None,
            aws_session_token=self.session_token or None,
            verify=self.ca_bundle or None,
            config=config,
        )
