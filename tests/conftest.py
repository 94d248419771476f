"""Fixtures that every test may ask for; servers start on first use, once per test process."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers import Bucket, Nats, Postgres, SeaweedFS

pytest_plugins = ["tests.failure_reports", "tests.thrift", "tests.templates"]

# Tests run beside each other: a library that takes every core for a tiny model only makes all wait.
os.environ.setdefault("OMP_NUM_THREADS", "1")  # noqa: TID251 - for NumPy, torch and their children


@pytest.fixture(scope="session")
def nats_url() -> Iterator[str]:
    """A real NATS with JetStream, shared by the session: use your own tenant or subjects."""
    server = Nats()
    yield server.url
    server.close()


@pytest.fixture
def nats_server() -> Iterator[Nats]:
    """A NATS of the test's own (0.1 s), to kill and restart."""
    server = Nats()
    yield server
    server.close()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    """A real PostgreSQL 18, or the server of TEST_DATABASE_URL (its user may create databases)."""
    server = Postgres(os.environ.get("TEST_DATABASE_URL", ""))  # noqa: TID251 - the tests' one setting
    yield server
    server.close()


@pytest.fixture
def postgres_url(postgres_server: Postgres) -> Iterator[str]:
    """A new, empty database on the real PostgreSQL."""
    url = postgres_server.create_database()
    yield url
    postgres_server.drop_database(url)


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Runs the test twice: on an SQLite file, and on an empty PostgreSQL database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'test.sqlite'}"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture(scope="session")
def s3_server() -> Iterator[SeaweedFS]:
    """A real S3 server over http."""
    server = SeaweedFS()
    yield server
    server.close()


@pytest.fixture(scope="session")
def s3_tls_server() -> Iterator[SeaweedFS]:
    """A real S3 server over https, where clients send checksums as trailers."""
    server = SeaweedFS(tls=True)
    yield server
    server.close()


@pytest.fixture
def s3(s3_server: SeaweedFS) -> Iterator[Bucket]:
    """An empty bucket on the real S3 server."""
    bucket = s3_server.create_bucket()
    yield bucket
    s3_server.delete_bucket(bucket)


@pytest.fixture
def s3_tls(s3_tls_server: SeaweedFS) -> Iterator[Bucket]:
    """An empty bucket reached over https; `verify` is the path of the authority's certificate."""
    bucket = s3_tls_server.create_bucket()
    yield bucket
    s3_tls_server.delete_bucket(bucket)
