"""A file that a task refers to."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias
from urllib.parse import urlsplit

from services.common.errors import InvalidArgument

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"

NO_OPTIONS: Mapping[str, Json] = {}


@dataclass(frozen=True, slots=True)
class Media:
    """A reference file: exactly one of an absolute URL and the bytes themselves.

    `placed` tells that a vendor gave the address for what was uploaded to it.
    """

    url: str = ""
    data: bytes = field(default=b"", repr=False)
    media_type: str = "image/png"
    placed: bool = False

    def __post_init__(self) -> None:
        """Refuse none, both, and addresses that are not http(s)."""
        if bool(self.url) == bool(self.data):
            raise InvalidArgument("image", "give either a URL or bytes, not both and not neither")
        web = self.placed or urlsplit(self.url).scheme in {"http", "https"}
        if self.url and not web:
            raise InvalidArgument("image", "is not an http(s) URL", allowed=("http", "https"))

    @property
    def base64(self) -> str:
        """The bytes in base64 without a prefix."""
        return base64.b64encode(self.data).decode("ascii")

    @property
    def uri(self) -> str:
        """The URL, or the bytes as a data URI."""
        return self.url or f"data:{self.media_type};base64,{self.base64}"
