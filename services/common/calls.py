"""Calls in flight whose failures are our errors; everything else is the gRPC call's own."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import grpc

from services.common.status import from_rpc_error

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Generator, Iterator


@contextmanager
def our_errors() -> Iterator[None]:
    """Turn an ``AioRpcError`` in the block into the ``ServiceError`` that the servicer raised."""
    try:
        yield
    except grpc.aio.AioRpcError as error:
        raise from_rpc_error(error) from error


class _Call:
    def __init__(self, call: Any) -> None:
        self._call = call

    def __getattr__(self, name: str) -> Any:
        return getattr(self._call, name)

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
        with our_errors():
            return (yield from self._call.__await__())


class StreamCall(_Call):
    """A call with a stream of answers: iterate over it once, or ``read`` one by one."""

    async def __aiter__(self) -> AsyncIterator[Any]:
        try:
            with our_errors():
                async for message in self._call:
                    yield message
        finally:
            self._call.cancel()  # does nothing to a call that has ended

    async def read(self) -> Any:
        """Return the next answer, ``grpc.aio.EOF`` after the last."""
        with our_errors():
            return await self._call.read()
