"""Real servers and real channels: what a caller sees."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from services.common.authenticator import Keys
from services.common.channels import Channel
from services.common.errors import (
    DeadlineExceeded,
    FailedPrecondition,
    Internal,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    RateLimited,
    ResourceExhausted,
    Unauthenticated,
    Unavailable,
    Unimplemented,
)
from services.common.identity import Identity, IdentitySigner
from services.common.readiness import Readiness
from services.common.request_context import request_scope
from services.common.server import Listening, serve
from services.common.settings import ServiceSettings
from services.common.telemetry import Metrics, configure_logging
from tests.integration.common.echo import NAME, Echo, EchoStub, add_echo, text

KEY = "a signing key of enough characters"
SIGNER = IdentitySigner(KEY)


class OneKey:
    async def authenticate(self, secret: str) -> Identity:
        if secret == "rmk_reader":
            return Identity("alice", frozenset({"read"}), "k1")
        raise Unauthenticated


def settings(**changes: Any) -> ServiceSettings:
    return ServiceSettings(**{"address": "127.0.0.1:0", "log_format": "json", **changes})


@asynccontextmanager
async def echoing(
    echo: Echo | None = None,
    *,
    readiness: Readiness | None = None,
    keys: Keys | None = None,
    metrics: Metrics | None = None,
    **changes: Any,
) -> AsyncIterator[Listening]:
    wanted = settings(**changes)
    registrations = [(add_echo, echo or Echo())]
    async with serve(
        wanted, registrations, readiness=readiness, keys=keys, metrics=metrics
    ) as listening:
        yield listening


@asynccontextmanager
async def calling(listening: Listening, **options: Any) -> AsyncIterator[Any]:
    async with Channel(listening.address, **options) as channel:
        yield EchoStub(channel)


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
        seen = []
        with pytest.raises(RateLimited) as limited:
            async for message in stub.WatchEcho(text("limited")):
                seen.append(message.value)
        assert limited.value.retry_after == 1.5
        assert len(seen) == 3


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


async def test_with_authentication_a_call_needs_a_key_and_its_scope() -> None:
    async with (
        echoing(keys=OneKey(), auth=True, signing_key=KEY) as listening,
        calling(listening) as nobody,
        calling(listening, api_key="rmk_reader") as reader,
    ):
        for call in (nobody.GetEcho(text("who")), nobody.UploadEcho(iter(())), nobody.ChatEcho()):
            with pytest.raises(Unauthenticated):
                await (call if hasattr(call, "__await__") else call.read())
        with pytest.raises(Unauthenticated):
            await nobody.WatchEcho(text("w")).read()
        assert (await reader.GetEcho(text("who"))).value == "alice"
        with pytest.raises(PermissionDenied) as caught:
            await reader.CreateEcho(text("who"))
        assert caught.value.metadata == {"scope": "write"}


async def test_the_tenant_travels_from_service_to_service_and_cannot_be_forged() -> None:
    front, back = Echo(), Echo()
    async with (
        echoing(back, keys=OneKey(), auth=True, signing_key=KEY) as behind,
        calling(behind, signer=SIGNER) as inner,
        echoing(front, keys=OneKey(), auth=True, signing_key=KEY) as before,
        calling(before, api_key="rmk_reader") as outer,
        calling(before) as nobody,
    ):
        front.relay = inner.GetEcho
        assert (await outer.GetEcho(text("relay"))).value == "alice"
        forged = IdentitySigner("the key of somebody else").sign(Identity("victim"))
        with pytest.raises(Unauthenticated):
            await nobody.GetEcho(text("who"), metadata=(("x-reelmesh-identity", forged),))


async def test_a_forged_identity_is_refused_even_without_authentication() -> None:
    forged = IdentitySigner("the key of somebody else").sign(Identity("victim"))
    metadata = (("x-reelmesh-identity", forged),)
    async with echoing(signing_key=KEY) as listening, calling(listening) as stub:
        with pytest.raises(Unauthenticated):
            await stub.GetEcho(text("who"), metadata=metadata)
        assert (await stub.GetEcho(text("who"))).value == "default"


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
        assert 10 < remaining <= 20


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
        raw = channel.unary_unary(f"/{NAME}/GetEcho")
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await raw(b"\xff\xff\xff\xff")
        assert "Traceback" not in (caught.value.details() or "")
        with pytest.raises(grpc.aio.AioRpcError) as unknown:
            await channel.unary_unary(f"/{NAME}/Nothing")(b"")
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
        async with asyncio.timeout(5):
            while not (one.calls and two.calls):
                await stub.GetEcho(text("hi"))


async def test_health_follows_readiness_and_the_drain() -> None:
    readiness = Readiness()
    parts = {"ready": False}
    readiness.add("part", lambda: parts["ready"])
    ask = health_pb2.HealthCheckRequest
    async with (
        echoing(readiness=readiness) as listening,
        grpc.aio.insecure_channel(listening.address) as channel,
    ):
        health: Any = health_pb2_grpc.HealthStub(channel)
        for service in ("", NAME):
            answer = await health.Check(ask(service=service))
            assert answer.status == health_pb2.HealthCheckResponse.NOT_SERVING
        parts["ready"] = True
        watch = health.Watch(ask(service=NAME))
        states = [(await watch.read()).status]
        async with asyncio.timeout(5):
            while states[-1] != health_pb2.HealthCheckResponse.SERVING:
                states.append((await watch.read()).status)
        readiness.draining.set()
        async with asyncio.timeout(5):
            assert (await watch.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
            assert await watch.read() is grpc.aio.EOF


async def test_reflection_names_the_services() -> None:
    async with (
        echoing() as listening,
        grpc.aio.insecure_channel(listening.address) as channel,
    ):
        stub: Any = reflection_pb2_grpc.ServerReflectionStub(channel)
        call = stub.ServerReflectionInfo(
            iter([reflection_pb2.ServerReflectionRequest(list_services="")])
        )
        answer = await call.read()
        names = {item.name for item in answer.list_services_response.service}
        assert {NAME, "grpc.health.v1.Health"} <= names


@pytest.mark.timeout(30)
async def test_draining_finishes_what_is_in_flight_and_refuses_what_is_new() -> None:
    readiness = Readiness()
    echo = Echo(draining=readiness.draining)
    serving = echoing(echo, readiness=readiness, drain_grace=10.0)
    listening = await serving.__aenter__()
    async with Channel(listening.address) as channel:
        stub: Any = EchoStub(channel)
        call = asyncio.ensure_future(stub.GetEcho(text("wait")))
        stream = stub.WatchEcho(text("open"))
        seen = [(await stream.read()).value]
        await echo.started.wait()
        echo.started.clear()
        leaving = asyncio.create_task(serving.__aexit__(None, None, None))
        async for message in stream:
            seen.append(message.value)
        assert seen[-1] == "the end"
        assert not leaving.done()
        with pytest.raises(Unavailable):
            await stub.CreateEcho(text("late"), timeout=2)
        echo.release.set()
        assert (await call).value == "done"
        async with asyncio.timeout(5):
            await leaving


async def test_a_call_that_does_not_finish_in_the_grace_is_cancelled() -> None:
    echo = Echo()
    async with echoing(echo, drain_grace=0.05) as listening:
        channel = Channel(listening.address)
        call = asyncio.ensure_future(EchoStub(channel).GetEcho(text("wait")))
        await echo.started.wait()
    with pytest.raises(Unavailable):
        await call
    assert echo.cancelled.is_set()
    await channel.close()


async def test_an_address_in_use_is_told() -> None:
    async with echoing() as listening:
        with pytest.raises(FailedPrecondition, match="in use"):
            async with echoing(address=listening.address):
                pytest.fail("two servers on one port")


async def test_calls_are_counted_by_method_and_code() -> None:
    metrics = Metrics("echo")
    async with echoing(metrics=metrics) as listening, calling(listening) as stub:
        await stub.GetEcho(text("hi"))
        with pytest.raises(NotFound):
            await stub.GetEcho(text("missing"))
    method = f"/{NAME}/GetEcho"
    sample = metrics.registry.get_sample_value
    for code in ("OK", "NOT_FOUND"):
        labels = {"method": method, "code": code}
        assert sample("reelmesh_grpc_calls_total", labels) == 1
    assert sample("reelmesh_grpc_call_seconds_count", {"method": method}) == 2
    assert sample("reelmesh_grpc_calls_in_flight", {"method": method}) == 0


async def test_what_surrounds_a_call_is_cheap() -> None:
    """All of it on CPU time, so that a busy machine does not matter; 200 us are allowed."""
    configure_logging(settings(log_level="warning"))
    rounds = 300

    async def cost(stub: Any) -> float:
        await stub.GetEcho(text("hi"))
        began = time.process_time()
        for _ in range(rounds):
            await stub.GetEcho(text("hi"))
        return (time.process_time() - began) / rounds

    bare = grpc.aio.server()
    add_echo(Echo(), bare)
    port = bare.add_insecure_port("127.0.0.1:0")
    await bare.start()
    async with (
        echoing() as listening,
        grpc.aio.insecure_channel(listening.address) as with_all,
        grpc.aio.insecure_channel(f"127.0.0.1:{port}") as without,
    ):
        added = min(
            [await cost(EchoStub(with_all)) - await cost(EchoStub(without)) for _ in range(5)]
        )
    await bare.stop(0)
    assert added < 200e-6
