"""One bucket and its blocking client, called from asyncio through threads of its own."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from services.common import clock
from services.storage.adapters import disk
from services.storage.adapters.s3_errors import BOTO_ERRORS, translated

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

R = TypeVar("R")

Turn = Literal["ask", "send", "read", "sign"]
"""Which threads a call takes its turn in.

Bytes on their way must not keep questions waiting, or slow uploads look like a store that is away;
and nothing that waits for the server may keep signatures waiting, which hardly ever do.
"""
ASK: Turn = "ask"
SEND: Turn = "send"
READ: Turn = "read"
SIGN: Turn = "sign"
_THREADS: dict[Turn, int] = {ASK: 8, SEND: 8, READ: 8, SIGN: 2}
THREADS = sum(_THREADS.values())

_LONG = frozenset({"copy_object", "complete_multipart_upload"})


class S3Calls:
    """Runs requests on one bucket off the event loop and words their errors as ours."""

    def __init__(
        self,
        client: Any,
        bucket: str,
        *,
        patient: Any = None,
        now: Callable[[], datetime] = clock.now,
    ) -> None:
        """Use clients of botocore, made at run time (hence ``Any``) and thread-safe.

        ``patient`` is for what a server may be silent at for long: putting together many bytes.
        """
        self.client = client
        self._patient = patient or client
        self.bucket = bucket
        self._now = now
        self._pools = {
            turn: ThreadPoolExecutor(threads, thread_name_prefix=f"storage-s3-{turn}")
            for turn, threads in _THREADS.items()
        }

    async def run(self, key: str, call: Callable[[], R], *, turn: Turn = ASK) -> R:
        """Return what ``call`` returns; raises the service error that a failure means.

        A local file that is gone stays a ``FileNotFoundError``, as everywhere with our disk.
        """
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._pools[turn], call)
        except BOTO_ERRORS as error:
            raise translated(error, key, self._now()) from error
        except FileNotFoundError:
            raise
        except OSError as error:
            raise disk.translated(error) from error

    async def request(self, operation: str, key: str, **parameters: object) -> Any:
        """Return the answer to one operation on one object."""
        long = operation in _LONG
        method = getattr(self._patient if long else self.client, operation)
        turn = SEND if long else ASK
        return await self.run(
            key, lambda: method(Bucket=self.bucket, Key=key, **parameters), turn=turn
        )

    def leave(self, call: Callable[[], None]) -> None:
        """Have something done that nobody waits for; not any more once we are closed."""
        with suppress(RuntimeError):
            self._pools[READ].submit(call)

    def close(self) -> None:
        """Let the running requests finish and stop the threads."""
        for pool in self._pools.values():
            pool.shutdown(wait=True)
