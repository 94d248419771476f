"""The HTTP client that moves large files: what the loop has read is handed on as it is.

httpx's own transport passes each byte of a body through five buffers, which costs twice the CPU of
everything else that is done to receive a file. Here h11 reads and writes HTTP/1.1, and a body whose
length was announced goes past it: there is nothing in it to be read.
"""

from __future__ import annotations

import asyncio
import ssl
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING

import h11
import httpx
from typing_extensions import override

from services.common.arriving import Arriving
from services.common.cookies import no_cookies

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

_CONNECTIONS = 64
_HEAD_BYTES = 100 * 1024
_BODILESS = frozenset({204, 304})
# Heads before the answer's own (103 and the like) that are read.
_HINTS = 16
# What is parsed before the loop turns to others, about a millisecond's worth.
_IN_A_TURN = 128


def fetching_client(*, timeout: httpx.Timeout, ca_bundle: str = "") -> httpx.AsyncClient:
    """Return a client fit for ``open_url``: no proxy of the machine, no shared connections.

    ``ca_bundle`` is a PEM file of the authorities to trust, "" those of the package certifi.
    Connections are not kept alive: two names on one address must not share a TLS session.
    """
    return httpx.AsyncClient(
        timeout=timeout,
        transport=_Transport(ssl.create_default_context(cafile=ca_bundle) if ca_bundle else None),
        headers={"Connection": "close"},
        cookies=no_cookies(),
        trust_env=False,
    )


class _Transport(httpx.AsyncBaseTransport):
    """One connection for each request, so many at a time; certifi's authorities where none are."""

    def __init__(self, trusted: ssl.SSLContext | None) -> None:
        self._trusted = trusted
        self._room = asyncio.Semaphore(_CONNECTIONS)

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request and return the answer, whose body is still to be read."""
        times = request.extensions["timeout"]
        with _told(httpx.PoolTimeout, httpx.ConnectError):
            async with asyncio.timeout(times["pool"]):
                await self._room.acquire()
        exchange = None
        try:
            exchange = _Exchange(await self._connect(request), request, self._room)
            await exchange.send()
            head = await exchange.head()
        except BaseException:
            if exchange is None:
                self._room.release()
            else:
                await exchange.aclose()
            raise
        return httpx.Response(
            head.status_code,
            headers=head.headers.raw_items(),
            stream=exchange,
            extensions={
                "http_version": b"HTTP/" + head.http_version,
                "reason_phrase": bytes(head.reason),
            },
        )

    @cached_property
    def _context(self) -> ssl.SSLContext:
        context = self._trusted or httpx.create_ssl_context(trust_env=False)
        context.set_alpn_protocols(["http/1.1"])
        return context

    async def _connect(self, request: httpx.Request) -> Arriving:
        url, loop = request.url, asyncio.get_running_loop()
        encrypted = url.scheme == "https"
        name = request.extensions.get("sni_hostname") or url.host
        with _told(httpx.ConnectTimeout, httpx.ConnectError):
            async with asyncio.timeout(request.extensions["timeout"]["connect"]):
                _, arriving = await loop.create_connection(
                    Arriving,
                    url.host,
                    url.port or (443 if encrypted else 80),
                    ssl=self._context if encrypted else None,
                    server_hostname=name if encrypted else None,
                )
        return arriving


class _Exchange(httpx.AsyncByteStream):
    """One request and its answer; as a stream, the answer's body."""

    def __init__(self, arriving: Arriving, request: httpx.Request, room: asyncio.Semaphore) -> None:
        self._arriving = arriving
        self._request = request
        self._room: asyncio.Semaphore | None = room
        self._times = request.extensions["timeout"]
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=_HEAD_BYTES)
        self._parsed = 0
        # Bytes of the body that were announced, unless h11 has to find its end.
        self._length: int | None = None

    async def send(self) -> None:
        """Send the request; a server that has heard enough may answer before its end."""
        asked = self._request
        target, method = asked.url.raw_path, asked.method
        with _understood():
            head = h11.Request(method=method, target=target, headers=asked.headers.raw)
        try:
            await self._write(head)
            async for chunk in asked.stream:  # type: ignore[union-attr]  # clients give async ones
                await self._write(h11.Data(data=chunk))
            await self._write(h11.EndOfMessage())
        except httpx.WriteError:
            return

    async def head(self) -> h11.Response:
        """Return the beginning of the answer; all of it comes within the time of one read."""
        with _told(httpx.ReadTimeout, httpx.ReadError):
            async with asyncio.timeout(self._times["read"]):
                head = await self._head()
        self._length = _announced(self._request.method, head)
        return head

    async def _head(self) -> h11.Response:
        for _ in range(_HINTS):
            event = await self._event()
            if isinstance(event, h11.Response):
                return event
            if not isinstance(event, h11.InformationalResponse):
                msg = "the server closed the connection without an answer"
                raise httpx.RemoteProtocolError(msg)
        msg = f"the server says more than {_HINTS} things before it answers"
        raise httpx.RemoteProtocolError(msg)

    @override
    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the body as it comes."""
        if self._length is not None:
            async for piece in self._announced_body(self._length):
                yield piece
            return
        ended = False
        while not ended:
            piece, ended = await self._found_body()
            if piece:
                yield piece

    @override
    async def aclose(self) -> None:
        """Close the connection and make room for another; a second time does nothing."""
        room, self._room = self._room, None
        if room is not None:
            try:
                await self._arriving.close()
            finally:
                room.release()

    async def _announced_body(self, left: int) -> AsyncIterator[bytes]:
        piece, _ = self._http.trailing_data
        while left:
            piece = piece or await self._read()
            if not piece:
                msg = f"the server closed the connection {left} bytes before the end of the body"
                raise httpx.RemoteProtocolError(msg)
            yield piece[:left] if len(piece) > left else piece
            left -= min(left, len(piece))
            piece = b""

    async def _found_body(self) -> tuple[bytes, bool]:
        """Return what is here of the body, in however many chunks, and whether that was all."""
        found, event = bytearray(), await self._event()
        while isinstance(event, h11.Data):
            found += event.data
            event = await self._next()
        return bytes(found), event is not h11.NEED_DATA

    async def _event(self) -> object:
        while (event := await self._next()) is h11.NEED_DATA:
            with _understood():
                self._http.receive_data(await self._read())
        return event

    async def _next(self) -> object:
        self._parsed += 1
        if self._parsed % _IN_A_TURN == 0:
            await asyncio.sleep(0)
        with _understood():
            return self._http.next_event()

    async def _read(self) -> bytes:
        with _told(httpx.ReadTimeout, httpx.ReadError):
            return await self._arriving.read(self._times["read"])

    async def _write(self, event: h11.Event) -> None:
        with _understood():
            data = self._http.send(event)
        if data:
            with _told(httpx.WriteTimeout, httpx.WriteError):
                await self._arriving.write(data, self._times["write"])


def _announced(method: str, head: h11.Response) -> int | None:
    """Return how long the body is, where the head tells (RFC 9112, 6.3)."""
    told = {name: value for name, value in head.headers if name in _FRAMING}
    if method == "HEAD" or head.status_code in _BODILESS or b"transfer-encoding" in told:
        return None
    return int(told[b"content-length"]) if b"content-length" in told else None


_FRAMING = frozenset({b"content-length", b"transfer-encoding"})


@contextmanager
def _understood() -> Iterator[None]:
    """Turn the errors of h11 into those of httpx."""
    try:
        yield
    except h11.RemoteProtocolError as error:
        raise httpx.RemoteProtocolError(str(error)) from error
    except h11.LocalProtocolError as error:
        raise httpx.LocalProtocolError(str(error)) from error


@contextmanager
def _told(late: type[Exception], broken: type[Exception]) -> Iterator[None]:
    """Turn the errors of sockets and of TLS into those of httpx."""
    try:
        yield
    except TimeoutError as error:
        raise late(str(error)) from error
    except OSError as error:
        raise broken(str(error)) from error
