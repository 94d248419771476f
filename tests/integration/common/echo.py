"""A service of one message type, to try servers, interceptors and channels with."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf.wrappers_pb2 import StringValue

from services.common.authenticator import Keys
from services.common.channels import Channel
from services.common.errors import NotFound, RateLimited, Unauthenticated
from services.common.identity import Identity, IdentitySigner, current_identity
from services.common.readiness import Readiness
from services.common.request_context import current_request_id, current_traceparent
from services.common.server import Listening, serve
from services.common.settings import ServiceSettings
from services.common.telemetry import Metrics

NAME = "test.v1.EchoService"


@dataclass
class Echo:
    """Does what the text of the request says."""

    draining: asyncio.Event = field(default_factory=asyncio.Event)
    started: asyncio.Event = field(default_factory=asyncio.Event)
    release: asyncio.Event = field(default_factory=asyncio.Event)
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)
    calls: int = 0
    fail_next: int = 0
    relay: Callable[[StringValue], Awaitable[StringValue]] | None = None

    async def GetEcho(self, request: StringValue, context: Any) -> StringValue:
        self.calls += 1
        if self.fail_next:
            self.fail_next -= 1
            await context.abort(grpc.StatusCode.UNAVAILABLE, "not yet")
        answer = getattr(self, f"_{request.value.partition(':')[0]}", None)
        return await answer(context) if answer else request

    CreateEcho = GetEcho

    async def _boom(self, _: Any) -> StringValue:
        raise RuntimeError("password is hunter2")

    async def _missing(self, _: Any) -> StringValue:
        raise NotFound("echo", "echoes/1")

    async def _abort(self, context: Any) -> StringValue:
        await context.abort(grpc.StatusCode.OUT_OF_RANGE, "too far")
        raise AssertionError

    async def _set(self, context: Any) -> StringValue:
        context.set_code(grpc.StatusCode.UNIMPLEMENTED)
        context.set_details("Method not implemented!")
        raise NotImplementedError("Method not implemented!")

    async def _wait(self, _: Any) -> StringValue:
        self.started.set()
        try:
            await self.release.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        return StringValue(value="done")

    async def _who(self, _: Any) -> StringValue:
        return StringValue(value=current_identity().tenant)

    async def _trace(self, _: Any) -> StringValue:
        return StringValue(value=f"{current_request_id()} {current_traceparent()}")

    async def _relay(self, _: Any) -> StringValue:
        assert self.relay is not None
        return await self.relay(StringValue(value="who"))

    async def _remaining(self, context: Any) -> StringValue:
        return StringValue(value=str(context.time_remaining()))

    async def WatchEcho(self, request: StringValue, context: Any) -> AsyncIterator[StringValue]:
        for number in range(3):
            yield StringValue(value=f"{request.value} {number}")
        self.started.set()
        if request.value == "limited":
            raise RateLimited("slow down", 1.5)
        if request.value == "open":
            try:
                await self.draining.wait()
                yield StringValue(value="the end")
            except asyncio.CancelledError:
                self.cancelled.set()
                raise

    async def WriteEcho(self, request: StringValue, context: Any) -> None:
        for number in range(3):
            await context.write(StringValue(value=f"{request.value} {number}"))

    async def UploadEcho(self, requests: AsyncIterator[StringValue], context: Any) -> StringValue:
        return StringValue(value=" ".join([part.value async for part in requests]))

    async def ChatEcho(
        self, requests: AsyncIterator[StringValue], context: Any
    ) -> AsyncIterator[StringValue]:
        async for part in requests:
            yield StringValue(value=part.value.upper())


_KINDS: dict[str, Any] = {
    "GetEcho": grpc.unary_unary_rpc_method_handler,
    "CreateEcho": grpc.unary_unary_rpc_method_handler,
    "WatchEcho": grpc.unary_stream_rpc_method_handler,
    "WriteEcho": grpc.unary_stream_rpc_method_handler,
    "UploadEcho": grpc.stream_unary_rpc_method_handler,
    "ChatEcho": grpc.stream_stream_rpc_method_handler,
}


def add_echo(servicer: Echo, server: Any) -> None:
    """What a generated `add_EchoServiceServicer_to_server` does."""
    handlers = {
        name: make(
            getattr(servicer, name),
            request_deserializer=StringValue.FromString,
            response_serializer=StringValue.SerializeToString,
        )
        for name, make in _KINDS.items()
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(NAME, handlers),))
    server.add_registered_method_handlers(NAME, handlers)


class EchoStub:
    """What a generated stub does."""

    def __init__(self, channel: Any) -> None:
        kinds = {
            "GetEcho": channel.unary_unary,
            "CreateEcho": channel.unary_unary,
            "WatchEcho": channel.unary_stream,
            "WriteEcho": channel.unary_stream,
            "UploadEcho": channel.stream_unary,
            "ChatEcho": channel.stream_stream,
        }
        for name, make in kinds.items():
            call = make(
                f"/{NAME}/{name}",
                request_serializer=StringValue.SerializeToString,
                response_deserializer=StringValue.FromString,
                _registered_method=True,
            )
            setattr(self, name, call)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)


def text(value: str) -> StringValue:
    return StringValue(value=value)


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
