"""Names and pages of edits and characters."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeVar

from services.common.errors import InvalidArgument


class Identified(Protocol):
    """Something with an id."""

    @property
    def id(self) -> str:
        """Its id."""


T = TypeVar("T", bound=Identified)


def id_in(name: str, collection: str, field: str = "name") -> str:
    """The id in "{collection}/{id}". Raises InvalidArgument naming the field."""
    prefix, _, found = name.partition("/")
    if prefix != collection or not (found.isascii() and found.isalnum()) or len(found) > 64:
        raise InvalidArgument(field, "is no such name", allowed=(f"{collection}/{{id}}",))
    return found


async def paged(
    read: Callable[[int], Awaitable[Sequence[T]]], size: int, token: str
) -> tuple[Sequence[T], str]:
    """One page and the token of the next. Raises InvalidArgument."""
    if not 0 <= size <= 200:
        raise InvalidArgument("page_size", "is out of range", allowed=("1 to 200",))
    if token and not (token.isascii() and token.isalnum() and len(token) <= 64):
        raise InvalidArgument("page_token", "is not one of ours", allowed=("next_page_token",))
    wanted = size or 50
    found = await read(wanted + 1)
    page = found[:wanted]
    return page, page[-1].id if len(found) > wanted else ""
