"""Real servers and real channels: what a caller sees of a call."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest

from services.common.channels import Channel
from services.common.errors import (
    DeadlineExceeded,
    Internal,
    InvalidArgument,
    NotFound,
    RateLimited,
    ResourceExhausted,
    Unavailable,
    Unimplemented,
)
from services.common.request_context import request_scope
from services.common.telemetry import configure_logging
from tests.integration.common.echo import (
    NAME,
    Echo,
    EchoStub,
    calling,
    echoing,
    settings,
    text,
)


async def test_all_four_kinds_of_calls_go_through() -> None:
    async def parts() -> AsyncIterator[Any]:
        for value in ("a", "b"):
            yield text(value)

    async with echoing() as listening, calling(listening) as stub:
        assert (await stub.GetEcho(text("hi"))).value == "hi"
        assert [m.value async for m in stub.WatchEcho(text("w"))] == ["w 0", "w 1", "w 2"]
        assert [m.value async for m in stub.WriteEcho(text("w"))] == ["w 0", "w 1", "w 2"]
        assert (await stub.UploadEcho(parts())).value == "a b"
        assert [m.value async for m in stub.ChatEcho(parts())] == ["A", "B"]


async def test_an_error_of_the_servicer_is_the_same_error_in_the_caller() -> None:
    async with echoing() as listening, calling(listening) as stub:
        with pytest.raises(NotFound) as caught:
            await stub.GetEcho(text("missing"))
        assert caught.value.metadata == {"kind": "echo", "name": "echoes/1"}
        stream = aiter(stub.WatchEcho(text("limited")))
        seen = [(await anext(stream)).value for _ in range(3)]
        with pytest.raises(RateLimited) as limited:
            await anext(stream)
        assert limited.value.retry_after == 1.5
        assert seen == ["limited 0", "limited 1", "limited 2"]


async def test_a_defect_tells_the_request_id_and_nothing_else(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logging(settings())
    async with echoing() as listening, calling(listening) as stub:
        call = stub.GetEcho(text("boom"), metadata=(("x-request-id", "req-7"),))
        with pytest.raises(Internal) as caught:
            await call
        assert caught.value.message == "internal error, request id req-7"
        trailing = repr(await call.trailing_metadata())
        assert "hunter2" not in trailing
        assert "RuntimeError" not in trailing
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    [failure] = [line for line in lines if line["event"] == "call_failed"]
    assert failure["request_id"] == "req-7"
    assert "RuntimeError" in failure["exception"]


async def test_every_call_is_one_line_in_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(settings())
    async with echoing() as listening, calling(listening) as stub:
        await stub.GetEcho(text("hi"))
        with pytest.raises(NotFound):
            await stub.GetEcho(text("missing"))
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    calls = [line for line in lines if line["event"] == "call"]
    assert [line["code"] for line in calls] == ["OK", "NOT_FOUND"]
    assert calls[0]["method"] == f"/{NAME}/GetEcho"
    assert calls[0]["tenant"] == "default"
    assert calls[0]["ms"] >= 0
    assert len(calls[0]["request_id"]) == 26
    assert calls[1]["reason"] == "NOT_FOUND"


async def test_a_status_that_is_already_set_is_let_through() -> None:
    async with echoing() as listening, calling(listening) as stub:
        with pytest.raises(InvalidArgument, match="too far"):
            await stub.GetEcho(text("abort"))
        with pytest.raises(Unimplemented):
            await stub.GetEcho(text("set"))


async def test_the_request_id_is_answered_and_an_unusable_one_is_replaced() -> None:
    async with echoing() as listening, calling(listening) as stub:
        for given, kept in (("abc-1", True), ("a b;c", False), ("x" * 200, False)):
            call = stub.GetEcho(text("hi"), metadata=(("x-request-id", given),))
            await call
            answered = dict(await call.trailing_metadata())["x-request-id"]
            assert (answered == given) is kept
            assert answered


async def test_request_id_and_trace_travel_on() -> None:
    async with echoing() as listening, calling(listening) as stub:
        with request_scope("req-9", "00-11-22-01"):
            assert (await stub.GetEcho(text("trace"))).value == "req-9 00-11-22-01"


async def test_an_expired_deadline_is_refused_and_nothing_is_stuck() -> None:
    echo = Echo()
    async with echoing(echo) as listening, calling(listening) as stub:
        with pytest.raises(DeadlineExceeded):
            await stub.GetEcho(text("wait"), timeout=0)
        assert (await stub.GetEcho(text("hi"))).value == "hi"
        assert listening.metrics.in_flight.labels(f"/{NAME}/GetEcho")._value.get() == 0


async def test_a_unary_call_without_a_deadline_gets_one_from_the_server() -> None:
    async with (
        echoing(default_deadline=0.05) as listening,
        grpc.aio.insecure_channel(listening.address) as channel,
    ):
        stub: Any = EchoStub(channel)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.GetEcho(text("wait"))
        assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_a_channel_gives_every_unary_call_a_deadline() -> None:
    async with echoing() as listening, calling(listening, deadline=20.0) as stub:
        remaining = float((await stub.GetEcho(text("remaining"))).value)
        assert 10 < remaining < 21  # gRPC rounds it up on the wire


async def test_a_call_that_the_caller_cancels_is_no_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logging(settings())
    echo = Echo()
    async with echoing(echo) as listening, calling(listening) as stub:
        call = stub.GetEcho(text("wait"))
        waiting = asyncio.ensure_future(call)
        await echo.started.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await echo.cancelled.wait()
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line["code"] for line in lines if line["event"] == "call"] == ["CANCELLED"]
    assert not [line for line in lines if line["level"] == "error"]


async def test_leaving_a_stream_early_ends_the_call_on_the_server() -> None:
    echo = Echo()
    async with echoing(echo) as listening, calling(listening) as stub:
        stream = aiter(stub.WatchEcho(text("open")))
        await anext(stream)
        await echo.started.wait()
        await stream.aclose()
        await echo.cancelled.wait()


async def test_an_oversized_message_is_refused_and_the_server_lives_on() -> None:
    async with echoing(max_message_bytes=10_000) as listening, calling(listening) as stub:
        with pytest.raises(ResourceExhausted):
            await stub.GetEcho(text("x" * 20_000))
        assert (await stub.GetEcho(text("hi"))).value == "hi"


async def test_garbage_bytes_are_refused_without_a_traceback() -> None:
    async with (
        echoing() as listening,
        grpc.aio.insecure_channel(listening.address) as channel,
    ):
        raw: Any = channel.unary_unary(f"/{NAME}/GetEcho")
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await raw(b"\xff\xff\xff\xff")
        assert "Traceback" not in (caught.value.details() or "")
        nothing: Any = channel.unary_unary(f"/{NAME}/Nothing")
        with pytest.raises(grpc.aio.AioRpcError) as unknown:
            await nothing(b"")
        assert unknown.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_only_safe_calls_are_sent_again() -> None:
    echo = Echo()
    async with (
        echoing(echo) as listening,
        calling(listening) as stub,
        calling(listening, retry=[f"/{NAME}/CreateEcho"]) as bold,
    ):
        echo.fail_next = 2
        assert (await stub.GetEcho(text("hi"))).value == "hi"
        assert echo.calls == 3
        echo.fail_next = 1
        with pytest.raises(Unavailable):
            await stub.CreateEcho(text("hi"))
        assert echo.calls == 4
        echo.fail_next = 1
        assert (await bold.CreateEcho(text("hi"))).value == "hi"


async def test_calls_are_spread_over_all_addresses() -> None:
    one, two = Echo(), Echo()
    async with (
        echoing(one) as first,
        echoing(two) as second,
        Channel(f"{first.address},{second.address}") as channel,
    ):
        stub: Any = EchoStub(channel)
        async with asyncio.timeout(30):
            while not (one.calls and two.calls):
                await stub.GetEcho(text("hi"))
