"""What surrounds every call costs next to nothing."""

import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import grpc
import pytest
import structlog

from services.common.authenticator import Authenticator
from services.common.identity import current_identity
from services.common.interceptors import CallInterceptor
from services.common.telemetry import configure_logging


class Context:
    """As much of a gRPC context as a call that goes well asks for."""

    def __init__(self) -> None:
        self.trailing: Any = ()
        self.ended: Any = None

    def invocation_metadata(self) -> Any:
        return (("user-agent", "test"),)

    def set_trailing_metadata(self, metadata: Any) -> None:
        self.trailing = metadata

    def trailing_metadata(self) -> Any:
        return self.trailing

    def time_remaining(self) -> float:
        return 5.0

    def code(self) -> int:
        return 0

    async def abort(self, code: grpc.StatusCode, words: str, _: Any) -> None:
        self.ended = (code, words)


@pytest.fixture(autouse=True)
def _logging() -> Iterator[None]:
    configure_logging(SimpleNamespace(log_level="info", log_format="json"))
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


async def wrapped(behaviour: Any) -> Any:
    make: Any = grpc.unary_unary_rpc_method_handler
    handler = make(behaviour, lambda content: content.decode().upper(), str.lower)

    async def continuation(_: Any) -> Any:
        return handler

    interceptor = CallInterceptor(Authenticator(required=False))
    details = SimpleNamespace(method="/test.v1.EchoService/GetEcho")
    once = await interceptor.intercept_service(continuation, details)
    assert await interceptor.intercept_service(continuation, details) is once
    return once


async def test_serializers_are_kept() -> None:
    async def echo(request: str, _: Any) -> str:
        return request

    handler = await wrapped(echo)
    assert handler.request_deserializer(b"a") == "A"
    assert handler.response_serializer("A") == "a"


@pytest.mark.usefixtures("capsys")
async def test_identity_log_metrics_and_the_rest_cost_less_than_200_microseconds() -> None:
    async def tenant(_: str, __: Any) -> str:
        return current_identity().tenant

    handler = await wrapped(tenant)
    best = float("inf")
    for _ in range(10):
        began = time.process_time()
        for _ in range(200):
            assert await handler.unary_unary("x", Context()) == "default"
        best = min(best, (time.process_time() - began) / 200)
    assert best < 200e-6


@pytest.mark.usefixtures("capsys")
@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ConnectionRefusedError(), "the database is away for the moment"),
        (TimeoutError("of whoever"), "a part that was asked did not answer in time"),
    ],
)
async def test_a_time_that_was_up_is_not_taken_for_the_databases(
    error: Exception, words: str
) -> None:
    async def late(_: str, __: Any) -> str:
        raise error

    handler, context = await wrapped(late), Context()
    await handler.unary_unary("x", context)
    assert context.ended == (grpc.StatusCode.UNAVAILABLE, words)
