"""The real servers that the tests run against; each dies with pytest."""

from tests.servers.nats import Nats
from tests.servers.postgres import Postgres
from tests.servers.seaweedfs import Bucket, SeaweedFS, make_certificate

__all__ = ["Bucket", "Nats", "Postgres", "SeaweedFS", "make_certificate"]
