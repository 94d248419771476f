"""Child processes of a process that is full of threads.

A plain fork() runs every fork handler that a library has registered, in the child as well: while
gRPC works, a child may crash there before it has become its program. ``subprocess`` without
``preexec_fn`` uses vfork(), which runs none. uvloop forks, so ``asyncio.create_subprocess_exec``
is not for services (a house rule).
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

# Runs in the child: asks the kernel for a signal when the parent's thread ends, then becomes the
# program. Who lost its parent before that has nobody to die with, and leaves.
_LAUNCH = """
import ctypes, os, sys
parent, sign, *argv = sys.argv[1:]
ctypes.CDLL(None).prctl(1, int(sign))
if os.getppid() != int(parent):
    sys.exit("the parent is gone")
os.execv(argv[0], argv)
"""


_LONGEST_LINE = 16 * 2**20
_KEPT_BYTES = 8 * 1024
_TO_COME_SECONDS = 2.0


class _Tail(asyncio.Protocol):
    """Keeps the end of what a pipe says, however much that is."""

    def __init__(self) -> None:
        self.kept = b""
        self.ended = asyncio.Event()

    @override
    def data_received(self, data: bytes) -> None:
        self.kept = (self.kept + data)[-_KEPT_BYTES:]

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self.ended.set()


class _Said(asyncio.StreamReaderProtocol):
    """Lets go of a pipe at its end: uvloop keeps it for a protocol that may still have to write."""

    @override
    def eof_received(self) -> bool:
        super().eof_received()
        return False


class _Pipe:
    """One end of a pipe, for a loop.

    uvloop closes the number by itself, and this object a moment later: by then the number may be a
    file that another thread has opened, so what is closed here is the same pipe or nothing.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._number = os.dup(file.fileno())
        self._same = _identity(self._number)
        file.close()

    def fileno(self) -> int:
        return self._number

    def close(self) -> None:
        with suppress(OSError):  # closed, and nobody has its number yet
            if _identity(self._number) == self._same:
                os.close(self._number)


def _identity(number: int) -> tuple[int, int]:
    found = os.fstat(number)
    return found.st_dev, found.st_ino


@dataclass(frozen=True)
class Child:
    """A program whose input and output are streams of this event loop."""

    stdin: asyncio.StreamWriter
    stdout: asyncio.StreamReader
    _process: subprocess.Popen[bytes]
    _errors: _Tail

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process still runs; asks the kernel, so a death shows at once."""
        return self._process.poll() is None

    def kill(self) -> None:
        """SIGKILL; does nothing when the process has ended."""
        self._process.kill()

    async def last_words(self) -> str:
        """Return the last lines of what an ended program said on stderr, at most 8 KiB."""
        with suppress(TimeoutError):  # a program that it has started may hold the pipe
            async with asyncio.timeout(_TO_COME_SECONDS):
                await self._errors.ended.wait()
        return self._errors.kept.decode(errors="replace").strip()

    async def wait(self) -> int:
        """Close the input, await the end of the process, and return its exit status."""
        self.stdin.close()
        return await asyncio.to_thread(self._process.wait)


async def spawn(
    argv: Sequence[str], *, cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> Child:
    """Start a program with pipes, in a session of its own; the end of its stderr is kept.

    ``env`` is all of its environment; without it, it has ours. Raises OSError when it cannot be
    started.
    """
    process = subprocess.Popen(  # noqa: ASYNC220 - returns once the program has begun, about 1 ms
        argv,
        cwd=cwd,
        env=env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    connecting = asyncio.create_task(_connected(process))
    try:
        return await asyncio.shield(connecting)
    except BaseException:  # whoever is cancelled has no child to end
        process.kill()
        process.wait()
        (await connecting).stdin.close()
        raise


async def _connected(process: subprocess.Popen[bytes]) -> Child:
    loop = asyncio.get_running_loop()
    stdout = asyncio.StreamReader(limit=_LONGEST_LINE)
    protocol = _Said(stdout)
    await loop.connect_read_pipe(lambda: protocol, _end(process.stdout))
    # The write end needs a protocol of its own: it tells the writer when the pipe has room.
    waiting = asyncio.StreamReaderProtocol(asyncio.StreamReader())
    transport, _ = await loop.connect_write_pipe(lambda: waiting, _end(process.stdin))
    errors = _Tail()
    await loop.connect_read_pipe(lambda: errors, _end(process.stderr))
    return Child(asyncio.StreamWriter(transport, waiting, None, loop), stdout, process, errors)


def _end(pipe: IO[bytes] | None) -> Any:
    return None if pipe is None else _Pipe(pipe)


def dying_with_parent(argv: Sequence[str]) -> list[str]:
    """Return a command that runs ``argv`` and is killed when the thread that starts it ends.

    Only Linux can do that; elsewhere the command is ``argv`` itself. ``argv[0]`` is a path.
    """
    if sys.platform != "linux":
        return [*argv]
    numbers = [str(os.getpid()), str(int(signal.SIGKILL))]
    return [sys.executable, "-I", "-S", "-c", _LAUNCH, *numbers, *argv]
