"""The bytes of an object as S3 answers them, let go of without waiting for the server."""

from __future__ import annotations

import asyncio
import socket
import threading
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

from services.storage.adapters.s3_calls import READ

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from services.storage.adapters.s3_calls import S3Calls


class _Body:
    """A body of botocore's that one thread reads and another closes, one after the other.

    Closed in the midst of a read, urllib3 keeps the connection for further requests.
    """

    def __init__(self, body: Any) -> None:
        self._body = body
        self._turn = threading.Lock()

    def read(self, size: int) -> bytes:
        """Return up to ``size`` bytes, ``b""`` at the end; blocks."""
        with self._turn:
            return bytes(self._body.read(size))

    def end(self) -> None:
        """End the read that is under way, and the connection; does not block.

        What has come to its end has given its connection back, for further requests.
        """
        connection = self._body._raw_stream._connection
        # The other thread may see to it at the same moment (AttributeError: the socket is gone).
        with suppress(AttributeError, OSError):
            connection.sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the connection unless it was given back; waits for the read."""
        with self._turn:
            self._body.close()


@asynccontextmanager
async def body_of(calls: S3Calls, key: str, ask: Callable[[], Any]) -> AsyncIterator[_Body]:
    """Yield the body of the answer that ``ask`` gets in a thread.

    Whoever leaves early does not wait for the server; an answer that comes only then is let go of
    as well.
    """
    opening = asyncio.ensure_future(calls.run(key, lambda: _Body(ask()), turn=READ))
    try:
        body = await asyncio.shield(opening)
    except asyncio.CancelledError:
        opening.add_done_callback(lambda late: _let_go_late(calls, late))
        raise
    try:
        yield body
    finally:
        _let_go(calls, body)


def _let_go_late(calls: S3Calls, late: asyncio.Future[_Body]) -> None:
    if not late.cancelled() and late.exception() is None:
        _let_go(calls, late.result())


def _let_go(calls: S3Calls, body: _Body) -> None:
    # Closing waits for the read, hence never on the loop.
    body.end()
    calls.leave(body.close)
