"""Real servers: who is let in, health, and the end."""

import asyncio
import os
import signal
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from services.common.channels import Channel
from services.common.errors import (
    FailedPrecondition,
    NotFound,
    PermissionDenied,
    Unauthenticated,
    Unavailable,
)
from services.common.identity import Identity, IdentitySigner
from services.common.readiness import Readiness
from services.common.server import wait_for_signal
from services.common.telemetry import Metrics
from tests.integration.common.echo import (
    KEY,
    NAME,
    SIGNER,
    Echo,
    EchoStub,
    OneKey,
    calling,
    echoing,
    text,
)


async def test_with_authentication_a_call_needs_a_key_and_its_scope() -> None:
    async with (
        echoing(keys=OneKey(), auth=True, signing_key=KEY) as listening,
        calling(listening) as nobody,
        calling(listening, api_key="rmk_reader") as reader,
    ):
        for call in (nobody.GetEcho(text("who")), nobody.UploadEcho(iter(()))):
            with pytest.raises(Unauthenticated):
                await call
        for stream in (nobody.WatchEcho(text("w")), nobody.ChatEcho(iter(()))):
            with pytest.raises(Unauthenticated):
                await anext(aiter(stream))
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
        async with asyncio.timeout(30):
            while states[-1] != health_pb2.HealthCheckResponse.SERVING:
                states.append((await watch.read()).status)
        readiness.draining.set()
        async with asyncio.timeout(30):
            assert (await watch.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
            assert await watch.read() is grpc.aio.EOF


async def test_reflection_names_the_services() -> None:
    async with (
        echoing() as listening,
        grpc.aio.insecure_channel(listening.address) as channel,
    ):
        make: Any = reflection_pb2_grpc.ServerReflectionStub
        stub = make(channel)
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
        await echo.started.wait()
        echo.started.clear()
        stream = aiter(stub.WatchEcho(text("open")))
        seen = [(await anext(stream)).value]
        await echo.started.wait()
        leaving = asyncio.create_task(serving.__aexit__(None, None, None))
        async for message in stream:
            seen.append(message.value)
        assert seen[-1] == "the end"
        assert not leaving.done()
        with pytest.raises(Unavailable):
            await stub.CreateEcho(text("late"), timeout=30)
        echo.release.set()
        assert (await call).value == "done"
        async with asyncio.timeout(30):
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


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_service_waits_for_the_signal_to_end(number: signal.Signals) -> None:
    waiting = asyncio.create_task(wait_for_signal())
    await asyncio.sleep(0)
    os.kill(os.getpid(), number)
    assert await waiting is number
