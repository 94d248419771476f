"""Processes that are asked in lines of JSON, one question at a time: the side that asks.

Media is untrusted: such a process is not handed our environment, which holds every secret. It runs
as the same user, though: one that is taken over could look for secrets of ours elsewhere.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from services.common.children import Child, spawn
from services.common.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

_ROOT = Path(__file__).resolve().parents[3]
_BARE = {"LC_ALL": "C.UTF-8"}
_LEAVING_SECONDS = 2.0


class UnansweredError(Exception):
    """There was no answer, and the process has ended.

    ``status`` is its exit status, negative for a signal; ``None`` where it took too long.
    ``killed`` says that somebody else has killed it: the kernel, as a rule, for want of memory.
    """

    def __init__(self, status: int | None, words: str = "", *, silent: bool = False) -> None:
        """``words`` are the last that it said on standard error; ``silent`` where it answered none.

        Who has answered something else than was asked for is killed by us.
        """
        super().__init__(status, words)
        self.status = status
        self.words = words
        self.killed = silent and status == -signal.SIGKILL

    @override
    def __str__(self) -> str:
        if self.status is None:
            return "it took too long"
        if self.status < 0:
            return f"it was ended by {signal.Signals(-self.status).name}"
        return f"it ended with status {self.status}"


async def begin(module: str) -> Child:
    """Start ``python -m module``; raises ``Unavailable`` when it cannot be started.

    It writes no bytecode: on a disk that is full, half of a file would break every later start.
    """
    try:
        return await spawn([sys.executable, "-B", "-m", module], cwd=_ROOT, env=_BARE)
    except OSError as error:
        msg = f"a process that reads media does not start: {error.strerror}"
        raise Unavailable(msg) from error


async def ask(child: Child, question: Mapping[str, Any], seconds: float) -> Any:
    """Return the answer; raises ``UnansweredError`` when nothing is heard for so many seconds.

    Whoever leaves before the answer has ended the process: it would come for the next question.
    """
    try:
        async with asyncio.timeout(seconds):
            child.stdin.write(json.dumps(question).encode() + b"\n")
            await child.stdin.drain()
        return await _heard(child, seconds)
    except (OSError, EOFError, RuntimeError, TypeError, ValueError) as error:
        # One that is ending by itself keeps the status that it ends with.
        status = await asyncio.shield(_killed(child))
        late, silent = (
            isinstance(error, TimeoutError),
            not isinstance(error, TypeError | ValueError),
        )
        words = await child.last_words()
        raise UnansweredError(None if late else status, words, silent=silent) from error
    except asyncio.CancelledError:
        await asyncio.shield(_killed(child))
        raise


async def _heard(child: Child, seconds: float) -> Any:
    """Return the answer, however long it takes while the process says that it gets on."""
    answer: Any = {"alive": True}
    while "alive" in answer:
        async with asyncio.timeout(seconds):
            line = await child.stdout.readline()
        if not line:
            raise EOFError
        answer = json.loads(line)
        if not isinstance(answer, dict):
            msg = "an answer is an object"
            raise TypeError(msg)
    return answer


def place(path: Path) -> str:
    """Return the path as such a process knows it, which has another working folder than we."""
    return str(path.absolute())


async def end(child: Child) -> None:
    """Let it leave, as it does when its input ends, and kill it when it does not."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_LEAVING_SECONDS):
            await child.wait()
            return
    await _killed(child)


async def _killed(child: Child) -> int:
    child.kill()
    return await child.wait()
