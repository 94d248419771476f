"""Requests that are no message are refused like any wrong value; gRPC itself tells a class name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from google.protobuf.message import DecodeError

from services.common.errors import InvalidArgument

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

_UNREADABLE = object()


def tolerant(deserialize: Callable[[bytes], Any] | None) -> Callable[[bytes], Any] | None:
    """Return a deserializer that lets bytes through which are no message, for ``checked``."""
    if deserialize is None:
        return None

    def read(content: bytes) -> Any:
        try:
            return deserialize(content)
        except DecodeError:
            return _UNREADABLE

    return read


def checked(request: Any) -> Any:
    """Return the request; raises ``InvalidArgument`` where its bytes were no message."""
    if request is _UNREADABLE:
        msg = "request"
        raise InvalidArgument(msg, "its bytes are not a message of this call")
    return request


async def checked_stream(requests: AsyncIterator[Any]) -> AsyncIterator[Any]:
    """Yield the requests; raises ``InvalidArgument`` at the first that is no message."""
    async for request in requests:
        yield checked(request)
