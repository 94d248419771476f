"""Requests that no service can take, refused before any of them looks at one.

Bytes that are no message, for which gRPC itself would tell a class name; and texts with a NUL,
which PostgreSQL does not keep and would call an error only once money has moved.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError

from services.common.errors import InvalidArgument

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

_FREE = frozenset(f"google.protobuf.{name}" for name in ("Struct", "Value", "ListValue"))


class _Unfit:
    """Stands for a request that is refused as soon as there is a call to refuse."""

    def __init__(self, field: str, description: str) -> None:
        self.error = InvalidArgument(field, description)


def tolerant(deserialize: Callable[[bytes], Any] | None) -> Callable[[bytes], Any] | None:
    """Return a deserializer that lets requests through that are unfit, for ``checked``."""
    if deserialize is None:
        return None

    def read(content: bytes) -> Any:
        try:
            message = deserialize(content)
        except DecodeError:
            return _Unfit("request", "its bytes are not a message of this call")
        # Most requests have no such byte at all.
        if b"\0" in content and (field := next(fields_with_nul(message), "")):
            return _Unfit(field, "must not have a NUL character")
        return message

    return read


def checked(request: Any) -> Any:
    """Return the request; raises ``InvalidArgument`` naming the field of one that is unfit."""
    if isinstance(request, _Unfit):
        raise request.error
    return request


async def checked_stream(requests: AsyncIterator[Any]) -> AsyncIterator[Any]:
    """Yield the requests; raises ``InvalidArgument`` at the first that is unfit."""
    async for request in requests:
        yield checked(request)


def fields_with_nul(message: Any, path: str = "") -> Iterator[str]:
    """Yield the paths, such as ``shots[2].prompt``, of the texts of a message that have a NUL.

    What lies in a free structure or a map goes by the name of that.
    """
    for field, value in message.ListFields():
        place = f"{path}.{field.name}" if path else field.name
        if field.type == FieldDescriptor.TYPE_STRING:
            texts = enumerate(value) if field.is_repeated else [(None, value)]
            yield from (_item(place, number) for number, text in texts if "\0" in text)
        elif field.type == FieldDescriptor.TYPE_MESSAGE:
            yield from _inside(field, value, place)


def _inside(field: Any, value: Any, place: str) -> Iterator[str]:
    kind = field.message_type
    if kind.GetOptions().map_entry:
        if any(_has_nul(part) for pair in value.items() for part in pair):
            yield place
    elif field.is_repeated:
        for number, item in enumerate(value):
            yield from fields_with_nul(item, _item(place, number))
    elif kind.full_name in _FREE:
        if _has_nul(value):
            yield place
    else:
        yield from fields_with_nul(value, place)


def _has_nul(part: Any) -> bool:
    if isinstance(part, str):
        return "\0" in part
    return hasattr(part, "ListFields") and any(fields_with_nul(part))


def _item(place: str, number: int | None) -> str:
    return place if number is None else f"{place}[{number}]"
