"""What breaks the messages of a call off is what the call fails with."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest

from services.common.channels import Channel
from services.common.errors import DataLoss, Unavailable

ANSWER = b"taken"


class _Taking(grpc.GenericRpcHandler):
    """Takes a stream of bytes and answers, with one message or several, once it has ended."""

    def __init__(self) -> None:
        self.came = 0
        self.first = asyncio.Event()

    async def _take(self, messages: AsyncIterator[bytes], _: object) -> bytes:
        async for _message in messages:
            self.came += 1
            self.first.set()
        return ANSWER

    async def _echo(self, messages: AsyncIterator[bytes], _: object) -> AsyncIterator[bytes]:
        async for message in messages:
            yield message

    def service(self, details: Any) -> Any:
        make: Any = grpc.stream_unary_rpc_method_handler
        if details.method.endswith("Echo"):
            make = grpc.stream_stream_rpc_method_handler
            return make(self._echo)
        return make(self._take)


@asynccontextmanager
async def serving() -> AsyncIterator[tuple[_Taking, Channel]]:
    server, taking = grpc.aio.server(), _Taking()
    server.add_generic_rpc_handlers((taking,))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with Channel(f"127.0.0.1:{port}") as channel:
            yield taking, channel
    finally:
        await server.stop(0)


def broken_off(error: Exception) -> Iterable[bytes]:
    yield b"one"
    raise error


async def broken_off_later(error: Exception) -> AsyncIterator[bytes]:
    yield b"one"
    await asyncio.sleep(0)
    raise error


@pytest.mark.parametrize("broken", [broken_off, broken_off_later])
@pytest.mark.parametrize(
    "error", [DataLoss("torn"), Unavailable("too slow"), OSError("unreadable")]
)
async def test_a_call_fails_with_what_broke_its_messages_off(
    broken: Callable[[Exception], Any], error: Exception
) -> None:
    async with serving() as (_, channel):
        with pytest.raises(type(error)) as caught:
            await channel.stream_unary("/test.v1.Service/Take")(broken(error), timeout=30)
    assert caught.value is error


async def test_a_stream_of_answers_ends_with_what_broke_its_messages_off() -> None:
    error = DataLoss("torn")
    async with serving() as (_, channel):
        echo = channel.stream_stream("/test.v1.Service/Echo")
        with pytest.raises(DataLoss) as caught:
            async for _ in echo(broken_off_later(error)):
                pass
    assert caught.value is error


async def test_the_cause_of_the_break_stays_with_it() -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"one"
        raise Unavailable("broke off") from ConnectionResetError("by peer")

    async with serving() as (_, channel):
        with pytest.raises(Unavailable) as caught:
            await channel.stream_unary("/test.v1.Service/Take")(broken(), timeout=30)
    assert isinstance(caught.value.__cause__, ConnectionResetError)


async def test_whoever_is_cancelled_during_a_call_is_told_so() -> None:
    async def endless() -> AsyncIterator[bytes]:
        try:
            yield b"one"
            await asyncio.Event().wait()
        finally:
            raise DataLoss("torn by the cancel")

    async with serving() as (taking, channel):
        call = channel.stream_unary("/test.v1.Service/Take")

        async def calling() -> bytes:
            answer: bytes = await call(endless(), timeout=30)
            return answer

        task = asyncio.create_task(calling())
        await taking.first.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


@pytest.mark.parametrize("messages", [[b"one", b"two"], (b for b in (b"one", b"two"))])
async def test_messages_may_be_any_iterable(messages: Iterable[bytes]) -> None:
    async with serving() as (taking, channel):
        call = channel.stream_unary("/test.v1.Service/Take")
        assert await call(messages, timeout=30) == ANSWER
    assert taking.came == 2
