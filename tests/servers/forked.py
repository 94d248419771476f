"""Programs of ours as processes forked from one that has loaded all of them.

Loading is most of what a start costs: one to two seconds of a core for each service. What a forked
program does from its first line on is the same as after `python -m`, which other tests start.
"""

import ctypes
import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from multiprocessing import forkserver
from pathlib import Path

_SERVICES = ("storage", "prompt", "generator", "orchestrator", "gateway")
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(
    [__name__, *(f"services.{name}.__main__" for name in _SERVICES), "tests.servers.frozen"]
)


class Forked:
    """`python -m module argument…` under way: what a test needs of `subprocess.Popen`.

    It dies with the process from which it was forked, and that one with pytest.
    """

    def __init__(
        self, argv: Sequence[str], *, env: Mapping[str, str], folder: Path, log: Path
    ) -> None:
        self._process = FORKS.Process(target=_run, args=(list(argv), dict(env), folder, log))
        self._process.start()

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process.pid is not None, "not started"
        return self._process.pid

    def poll(self) -> int | None:
        """The exit status, -9 after `kill -9`; None while it runs."""
        return self._process.exitcode

    def send_signal(self, sign: signal.Signals) -> None:
        """Send it where it still runs."""
        if self.poll() is None:
            os.kill(self.pid, sign)

    def wait(self, timeout: float) -> int:
        """Block until it has ended; returns the exit status, raises TimeoutExpired."""
        self._process.join(timeout)
        ended = self.poll()
        if ended is None:
            raise subprocess.TimeoutExpired(str(self._process), timeout)
        return ended


def die_with_the_tests() -> None:
    """For the child: end when the process that it was forked from does, and let that one end.

    Each child is handed the pipe whose end tells that nobody asks for children any more.
    """
    ctypes.CDLL(None).prctl(1, int(signal.SIGKILL))
    os.close(forkserver._forkserver._forkserver_alive_fd)  # type: ignore[attr-defined]  # no other way


def _run(argv: list[str], env: dict[str, str], folder: Path, log: Path) -> None:
    """Become the program, in the child."""
    die_with_the_tests()
    os.environ.clear()  # noqa: TID251 - the program's own environment, as a child has it
    os.environ.update(env)  # noqa: TID251 - as above
    os.chdir(folder)
    read, append = os.O_RDONLY, os.O_WRONLY | os.O_CREAT | os.O_APPEND
    for number, file, flags in ((0, os.devnull, read), (1, log, append), (2, log, append)):
        opened = os.open(file, flags, 0o644)
        os.dup2(opened, number)
        os.close(opened)
    sys.stdout = open(1, "w", buffering=1, closefd=False)  # noqa: SIM115 - for as long as it lives
    sys.argv = argv
    sys.modules.pop(f"{argv[0]}.__main__", None)  # it was loaded, and is now run
    runpy.run_module(argv[0], run_name="__main__", alter_sys=True)
