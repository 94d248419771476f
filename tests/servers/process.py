"""One child process that does not outlive the tests."""

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tests.servers.forked import Forked

NOBODY = 65534
# Not the seeded dice, which fall alike in every worker.
_DICE = random.SystemRandom()

# Runs in the child: give up root where asked, ask the kernel for a signal when the parent's thread
# ends, then become the server. A launcher rather than preexec_fn, which is unsafe with threads.
_LAUNCH = """
import ctypes, os, sys
parent, sign, uid, *argv = sys.argv[1:]
if int(uid):
    os.setgroups([]); os.setgid(int(uid)); os.setuid(int(uid))
ctypes.CDLL(None).prctl(1, int(sign))
if os.getppid() != int(parent):
    sys.exit("the parent is gone")
os.execv(argv[0], argv)
"""


class Server:
    """A started program, its folder and its log; a context manager that ends both."""

    def __init__(self, name: str) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix=f"reelmesh-{name}-"))
        self.directory.chmod(0o755)
        weakref.finalize(self, shutil.rmtree, self.directory, ignore_errors=True)
        self.log = self.directory / f"{name}.log"
        self._process: subprocess.Popen[bytes] | Forked | None = None

    def start(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        uid: int = 0,
        death_signal: signal.Signals = signal.SIGKILL,
    ) -> None:
        """Start `argv` in the folder. From the main thread: a death signal follows the thread."""
        launcher = [sys.executable, "-I", "-S", "-c", _LAUNCH]
        numbers = [str(os.getpid()), str(int(death_signal)), str(uid)]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*launcher, *numbers, *argv],
                cwd=self.directory,
                env={**os.environ, **(env or {})},  # noqa: TID251 - a child inherits our environment
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def fork(self, argv: Sequence[str], *, env: Mapping[str, str] | None = None) -> None:
        """Start `python -m argv…` in the folder, forked from what has loaded our services."""
        inherited = {**os.environ, **(env or {})}  # noqa: TID251 - a child inherits our environment
        self._process = Forked(argv, env=inherited, folder=self.directory, log=self.log)

    @property
    def pid(self) -> int:
        """The server's process id."""
        assert self._process is not None, "not started"
        return self._process.pid

    @property
    def ended(self) -> bool:
        """Whether the process is gone, or was never started."""
        return self._process is None or self._process.poll() is not None

    def wait_until(self, ready: Callable[[], bool], seconds: float = 50) -> None:
        """Poll `ready`; raise with the end of the log when the server dies or is too slow."""
        deadline = time.monotonic() + seconds
        while not ready():
            assert self._process is not None, "not started"
            if self._process.poll() is not None or time.monotonic() > deadline:
                log = self.log.read_text(errors="replace")[-3000:]
                self.close()
                message = f"{self.log.stem} did not get ready:\n{log}"
                raise RuntimeError(message)
            time.sleep(0.01)

    def kill(self, sign: signal.Signals = signal.SIGKILL) -> None:
        """Send `sign` and wait until the process is gone; its files stay."""
        if self._process and self._process.poll() is None:
            self._process.send_signal(sign)
            self._process.wait(30)

    def interrupt(self) -> int:
        """Send what a terminal sends on Ctrl-C, to the whole group; returns the exit status."""
        assert self._process is not None, "not started"
        os.killpg(self.pid, signal.SIGINT)
        return self._process.wait(30)

    def close(self) -> None:
        """End the process and remove its folder."""
        self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)


def find_program(name: str) -> str:
    """The program beside our interpreter (from its wheel), else the one on PATH."""
    beside = Path(sys.executable).with_name(name)
    found = str(beside) if beside.exists() else shutil.which(name)
    if not found:
        message = f"{name} is missing: run `make setup-dev`"
        raise RuntimeError(message)
    return found


def free_ports(count: int) -> list[int]:
    """`count` ports that nobody holds, below those that the kernel gives to connections.

    A port that it may give to a connection is taken by one now and then before a server is up.
    """
    held: list[socket.socket] = []
    try:
        while len(held) < count:
            probe = socket.socket()
            try:
                probe.bind(("127.0.0.1", _DICE.randrange(10_000, 32_000)))
            except OSError:
                probe.close()
            else:
                held.append(probe)
        return [each.getsockname()[1] for each in held]
    finally:
        for each in held:
            each.close()


def accepts(port: int) -> bool:
    """Whether someone listens on the port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
