"""Below HTTP: connections that break, answers that never come, forms."""

from __future__ import annotations

import asyncio
from email.parser import BytesParser
from email.policy import HTTP
from typing import TYPE_CHECKING, Any

from starlette.responses import Response
from typing_extensions import override
from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

CHUNK = 16 * 1024


class Connection(H11Protocol):
    """An HTTP/1.1 connection that the application can break."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.app_state = {**self.app_state, "connection": self}


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


class HangUp(Response):
    """Breaks the connection, after holding it open for `seconds` where the client lets us."""

    def __init__(self, seconds: float = 0.0) -> None:
        super().__init__()
        self._seconds = seconds

    @override
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        del send
        try:
            async with asyncio.timeout(self._seconds):
                await _gone(receive)
        except TimeoutError:
            scope["state"]["connection"].transport.abort()
            await _gone(receive)


class Stream(Response):
    """A file in chunks. It drips over `seconds`, and breaks off after `until` bytes."""

    def __init__(
        self,
        data: bytes,
        headers: dict[str, str],
        *,
        status: int = 200,
        seconds: float = 0.0,
        until: int | None = None,
    ) -> None:
        super().__init__(data, status_code=status, headers=headers)
        self._seconds = seconds
        self._until = until

    @override
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        head = {"type": "http.response.start", "status": self.status_code}
        await send({**head, "headers": self.raw_headers})
        data = bytes(self.body)[: self._until]
        step = max(1, len(data) // 40) if self._seconds else CHUNK
        for begin in range(0, len(data), step):
            part = data[begin : begin + step]
            await send({"type": "http.response.body", "body": part, "more_body": True})
            if self._seconds:
                await asyncio.sleep(self._seconds * step / len(data))
        if self._until is None:
            await send({"type": "http.response.body", "body": b""})
            return
        scope["state"]["connection"].transport.close()
        await _gone(receive)


def form_of(content_type: str, raw: bytes) -> tuple[dict[str, str], dict[str, bytes]]:
    """Return the plain values and the files of a multipart body."""
    head = f"content-type: {content_type}\r\n\r\n".encode()
    message = BytesParser(policy=HTTP).parsebytes(head + raw)
    values: dict[str, str] = {}
    files: dict[str, bytes] = {}
    for part in message.iter_parts():
        name = str(part.get_param("name", header="content-disposition"))
        payload = part.get_payload(decode=True)
        data = payload if isinstance(payload, bytes) else b""
        if part.get_filename():
            files[name] = data
        else:
            values[name] = data.decode("utf-8", "replace")
    return values, files
