"""What happens around every call: identity, request id, deadline, errors, log, metrics.

One interceptor, because six that wrap each other cost six times as much per message. It wraps the
kind of handler that is there and keeps its serializers. Health and reflection pass untouched.
"""

from __future__ import annotations

import asyncio
import re
import time
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import grpc
from structlog.contextvars import bind_contextvars
from typing_extensions import override

from services.common.database import away
from services.common.decoding import checked, checked_stream, tolerant
from services.common.errors import (
    DeadlineExceeded,
    PermissionDenied,
    ServiceError,
    Unavailable,
    Unimplemented,
)
from services.common.identity import IDENTITY_KEY, acting_as
from services.common.ids import new_id
from services.common.request_context import REQUEST_ID_KEY, TRACEPARENT_KEY, request_scope
from services.common.scopes import required_scope
from services.common.status import DETAILS_KEY, code_of, to_status
from services.common.telemetry import Metrics, get_logger

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    from services.common.authenticator import Authenticator

    _Read = Callable[[Any], Any]

EXEMPT = ("/grpc.health.", "/grpc.reflection.")
_REQUEST_ID = re.compile(r"[\w.:/-]{1,128}")
_OURS = frozenset({grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.DATA_LOSS})
_BY_NUMBER = {code.value[0]: code for code in grpc.StatusCode}

log = get_logger(__name__)


@dataclass(slots=True)
class _Call:
    """One call while it is served."""

    method: str
    context: Any
    metadata: dict[str, Any]
    request_id: str
    started: float = field(default_factory=time.perf_counter)
    code: grpc.StatusCode = grpc.StatusCode.OK
    reason: str = ""


class CallInterceptor(grpc.aio.ServerInterceptor):
    """The interceptor of every server.

    Args:
        authenticator: tells who is calling.
        metrics: where calls are counted.
        default_deadline: seconds for a unary call whose caller set no deadline.
        scopes: scope by full method name, where the verb does not tell it.
        new_request_id: makes an id for calls that bring none.
    """

    def __init__(
        self,
        authenticator: Authenticator,
        *,
        metrics: Metrics | None = None,
        default_deadline: float = 60.0,
        scopes: Mapping[str, str] | None = None,
        new_request_id: Callable[[], str] = new_id,
    ) -> None:
        self._authenticator = authenticator
        self._metrics = metrics or Metrics("service")
        self._default_deadline = default_deadline
        self._scopes = scopes
        self._new_request_id = new_request_id
        self._wrapped: dict[str, tuple[Any, Any]] = {}

    @override
    async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        """Return the handler of the method, wrapped; ``None`` where there is no such method."""
        method = handler_call_details.method
        handler = await continuation(handler_call_details)
        if handler is None or method.startswith(EXEMPT):
            return handler
        found = self._wrapped.get(method)
        if found is None or found[0] is not handler:
            found = self._wrapped[method] = (handler, self._wrap(method, handler))
        return found[1]

    def _wrap(self, method: str, handler: Any) -> Any:
        scope = required_scope(method, self._scopes)
        read = checked_stream if handler.request_streaming else checked
        if handler.response_streaming:
            inner = handler.stream_stream if handler.request_streaming else handler.unary_stream
            served = self._streaming(method, scope, inner, read)
        else:
            inner = handler.stream_unary if handler.request_streaming else handler.unary_unary
            served = self._unary(method, scope, inner, read)
        make = _HANDLERS[handler.request_streaming, handler.response_streaming]
        return make(
            served,
            request_deserializer=tolerant(handler.request_deserializer),
            response_serializer=handler.response_serializer,
        )

    def _unary(
        self, method: str, scope: str, inner: Any, read: _Read
    ) -> Callable[[Any, Any], Awaitable[Any]]:
        async def serve(request: Any, context: Any) -> Any:
            async with self._serving(method, scope, context, bounded=read is checked):
                return await inner(read(request), context)

        return serve

    def _streaming(
        self, method: str, scope: str, inner: Any, read: _Read
    ) -> Callable[[Any, Any], Awaitable[None]]:
        async def serve(request: Any, context: Any) -> None:
            async with self._serving(method, scope, context, bounded=False):
                answers = inner(read(request), context)
                if not hasattr(answers, "__aiter__"):
                    await answers  # a handler that writes to the context itself
                    return
                async with aclosing(answers):
                    async for answer in answers:
                        await context.write(answer)

        return serve

    @asynccontextmanager
    async def _serving(
        self, method: str, scope: str, context: Any, *, bounded: bool
    ) -> AsyncIterator[None]:
        metadata = dict(context.invocation_metadata() or ())
        call = _Call(method, context, metadata, self._request_id(metadata))
        context.set_trailing_metadata(((REQUEST_ID_KEY, call.request_id),))
        in_flight = self._metrics.in_flight.labels(method)
        in_flight.inc()
        bind_contextvars(request_id=call.request_id)
        try:
            with request_scope(call.request_id, str(metadata.get(TRACEPARENT_KEY, ""))):
                async with self._identified(call, scope), self._limited(context, bounded=bounded):
                    yield
            call.code = _code_set(context) or grpc.StatusCode.OK
        except asyncio.CancelledError:
            late = (context.time_remaining() or 1) <= 0
            call.code = grpc.StatusCode.DEADLINE_EXCEEDED if late else grpc.StatusCode.CANCELLED
            raise
        except Exception as error:
            await self._refuse(call, error)
        finally:
            in_flight.dec()
            self._observe(call)

    def _request_id(self, metadata: Mapping[str, Any]) -> str:
        given = metadata.get(REQUEST_ID_KEY, "")
        return given if _REQUEST_ID.fullmatch(given) else self._new_request_id()

    @asynccontextmanager
    async def _identified(self, call: _Call, scope: str) -> AsyncIterator[None]:
        identity = await self._authenticator.identify(
            str(call.metadata.get("authorization", "")), str(call.metadata.get(IDENTITY_KEY, ""))
        )
        bind_contextvars(tenant=identity.tenant)
        if not identity.allows(scope):
            msg = f"this call needs a key with the scope {scope!r}"
            raise PermissionDenied(msg, scope=scope)
        with acting_as(identity):
            yield

    @asynccontextmanager
    async def _limited(self, context: Any, *, bounded: bool) -> AsyncIterator[None]:
        remaining = context.time_remaining()
        if remaining is not None and remaining <= 0:
            msg = "the deadline had passed when the call arrived"
            raise DeadlineExceeded(msg)
        if remaining is not None or not bounded:
            yield
            return
        try:
            async with asyncio.timeout(self._default_deadline) as limit:
                yield
        except TimeoutError:
            if limit.expired():
                msg = f"not done in {self._default_deadline:g} s"
                raise DeadlineExceeded(msg) from None
            raise

    async def _refuse(self, call: _Call, error: Exception) -> None:
        """End the call with the status of ``error``; one that is already set is let through."""
        already = _code_set(call.context)
        if isinstance(error, grpc.aio.AbortError):
            call.code = already or grpc.StatusCode.UNKNOWN
            raise error
        if not isinstance(error, ServiceError):
            if already is grpc.StatusCode.UNIMPLEMENTED:
                error = Unimplemented()
            elif away(error):
                log.warning("database_away", method=call.method, error=repr(error)[:300])
                error = Unavailable("the database is away for the moment", 1.0)
            else:
                log.error("call_failed", method=call.method, exc_info=error)
                if isinstance(error, TimeoutError):
                    error = Unavailable("a part that was asked did not answer in time", 1.0)
        status = to_status(error, call.request_id)
        call.code = code_of(error)
        call.reason = error.reason if isinstance(error, ServiceError) else "INTERNAL"
        await call.context.abort(
            call.code,
            status.message,
            (
                *(call.context.trailing_metadata() or ()),
                (DETAILS_KEY, status.SerializeToString()),
            ),
        )

    def _observe(self, call: _Call) -> None:
        seconds = time.perf_counter() - call.started
        self._metrics.calls.labels(call.method, call.code.name).inc()
        self._metrics.seconds.labels(call.method).observe(seconds)
        write = log.error if call.code in _OURS else log.info
        reason = {"reason": call.reason} if call.reason else {}
        write("call", method=call.method, code=call.code.name, ms=round(seconds * 1e3, 2), **reason)


def _code_set(context: Any) -> grpc.StatusCode | None:
    code = context.code()
    found = _BY_NUMBER.get(code) if isinstance(code, int) else code
    return None if found in {None, grpc.StatusCode.OK} else found


_HANDLERS: dict[tuple[bool, bool], Any] = {
    (False, False): grpc.unary_unary_rpc_method_handler,
    (False, True): grpc.unary_stream_rpc_method_handler,
    (True, False): grpc.stream_unary_rpc_method_handler,
    (True, True): grpc.stream_stream_rpc_method_handler,
}
