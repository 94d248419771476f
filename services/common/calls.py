"""Calls in flight whose failures are our errors; everything else is the gRPC call's own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import grpc

from services.common.background import asked_to_stop
from services.common.status import from_rpc_error

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Generator, Iterable, Iterator


@contextmanager
def our_errors() -> Iterator[None]:
    """Turn an ``AioRpcError`` in the block into the ``ServiceError`` that the servicer raised."""
    try:
        yield
    except grpc.aio.AioRpcError as error:
        raise from_rpc_error(error) from error


class Outgoing:
    """The messages of a client stream; remembers what broke them off.

    gRPC only notes what an iterator of messages raises, and cancels the call: whoever awaits it
    would be told of a cancel that nobody has asked for.
    """

    def __init__(self, messages: AsyncIterable[Any] | Iterable[Any]) -> None:
        self._messages = messages
        self.error: Exception | None = None

    async def __aiter__(self) -> AsyncIterator[Any]:
        try:
            if isinstance(self._messages, AsyncIterable):
                async for message in self._messages:
                    yield message
            else:
                for message in self._messages:
                    yield message
        except Exception as error:
            self.error = error
            raise


class _Call:
    def __init__(self, call: Any, sent: Outgoing | None = None) -> None:
        self._call = call
        self._sent = sent

    def __getattr__(self, name: str) -> Any:
        return getattr(self._call, name)

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """Raise what broke our own messages off in place of the cancel that gRPC made of it."""
        try:
            with our_errors():
                yield
        except asyncio.CancelledError:
            if self._sent is None or self._sent.error is None or asked_to_stop():
                raise
            raise self._sent.error  # noqa: B904 - it keeps its own cause

    async def write(self, request: Any) -> None:
        """Send one message of a client stream."""
        with our_errors():
            await self._call.write(request)

    async def done_writing(self) -> None:
        """End a client stream."""
        with our_errors():
            await self._call.done_writing()


class UnaryCall(_Call):
    """A call with one answer: await it."""

    def __await__(self) -> Generator[Any, None, Any]:
        with self._telling():
            return (yield from self._call.__await__())


class StreamCall(_Call):
    """A call with a stream of answers: iterate over it once, or ``read`` one by one."""

    async def __aiter__(self) -> AsyncIterator[Any]:
        try:
            with self._telling():
                async for message in self._call:
                    yield message
        finally:
            self._call.cancel()  # does nothing to a call that has ended

    async def read(self) -> Any:
        """Return the next answer, ``grpc.aio.EOF`` after the last."""
        with self._telling():
            return await self._call.read()
