"""The HTTP client that fetches large files: what the loop has read is handed on as it is.

httpx by itself reads 64 KiB at a time through another layer, which takes all that the kernel has
before anybody asks: 8 MiB for each download from a fast host, and half as much CPU again.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import httpcore
import httpx
from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# What one read of the loop returns at most; the source waits while as much is here.
_HELD_BYTES = 256 * 1024
_CONNECTIONS = 64


def fetching_client(*, timeout: httpx.Timeout, ca_bundle: str = "") -> httpx.AsyncClient:
    """Return a client fit for ``open_url``: no proxy of the machine, no shared connections.

    ``ca_bundle`` is a PEM file of the authorities to trust, "" those of the package certifi.
    Connections are not kept alive: two names on one address must not share a TLS session.
    """
    own = ssl.create_default_context(cafile=ca_bundle) if ca_bundle else None
    context = own or httpx.create_ssl_context(trust_env=False)
    return httpx.AsyncClient(timeout=timeout, transport=_Transport(context), trust_env=False)


class _Transport(httpx.AsyncHTTPTransport):
    """httpx's own, with another way to the network: there is no argument for that."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=context,
            max_connections=_CONNECTIONS,
            max_keepalive_connections=0,
            network_backend=_Network(),
        )


class _Network(httpcore.AsyncNetworkBackend):
    @override
    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        with _told(httpcore.ConnectTimeout, httpcore.ConnectError):
            async with asyncio.timeout(timeout):
                loop = asyncio.get_running_loop()
                transport, arriving = await loop.create_connection(_Arriving, host, port)
        return _Stream(transport, arriving)


class _Arriving(asyncio.Protocol):
    """What has come over one connection, in pieces; holds the source back while much is here."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._pieces: deque[bytes] = deque()
        self._held = 0
        self._come = asyncio.Event()
        self._writable = asyncio.Event()
        self._ended = False
        self._error: Exception | None = None
        self.lost = asyncio.Event()

    async def read(self) -> bytes:
        """Return the next piece, ``b""`` at the end; raises what has broken the connection."""
        while not self._pieces:
            if self._ended:
                self._check()
                return b""
            self._come.clear()
            await self._come.wait()
        piece = self._pieces.popleft()
        was, self._held = self._held, self._held - len(piece)
        if was >= _HELD_BYTES > self._held and self._transport and not self._ended:
            self._transport.resume_reading()
        return piece

    async def drained(self) -> None:
        """Wait until the connection takes more; raises what has broken it."""
        await self._writable.wait()
        self._check()

    def _check(self) -> None:
        if self._error is not None:
            raise self._error

    def use(self, transport: asyncio.Transport) -> None:
        """Hold back ``transport`` from now on."""
        self._transport = transport

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports do all that asyncio's do, and are none of them by name.
        self.use(cast("asyncio.Transport", transport))
        self._writable.set()

    @override
    def data_received(self, data: bytes) -> None:
        self._pieces.append(data)
        was, self._held = self._held, self._held + len(data)
        if was < _HELD_BYTES <= self._held and self._transport:
            self._transport.pause_reading()
        self._come.set()

    @override
    def eof_received(self) -> None:
        self._end(None)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._end(exc)
        self._writable.set()
        self.lost.set()

    @override
    def pause_writing(self) -> None:
        self._writable.clear()

    @override
    def resume_writing(self) -> None:
        self._writable.set()

    def _end(self, error: Exception | None) -> None:
        self._ended, self._error = True, error
        self._come.set()


class _Stream(httpcore.AsyncNetworkStream):
    def __init__(self, transport: asyncio.Transport, arriving: _Arriving) -> None:
        self._transport = transport
        self._arriving = arriving

    @override
    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Return what is there, up to more than was asked for: httpcore takes any number."""
        with _told(httpcore.ReadTimeout, httpcore.ReadError):
            async with asyncio.timeout(timeout):
                return await self._arriving.read()

    @override
    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        with _told(httpcore.WriteTimeout, httpcore.WriteError):
            async with asyncio.timeout(timeout):
                self._transport.write(buffer)
                await self._arriving.drained()

    @override
    async def aclose(self) -> None:
        # At once: a host that does not say goodbye would keep us waiting for it.
        self._transport.abort()
        await self._arriving.lost.wait()

    @override
    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.AsyncNetworkStream:
        loop, name = asyncio.get_running_loop(), server_hostname
        with _told(httpcore.ConnectTimeout, httpcore.ConnectError):
            async with asyncio.timeout(timeout):
                encrypted = await loop.start_tls(
                    self._transport, self._arriving, ssl_context, server_hostname=name
                )
                if encrypted is None:
                    msg = "the connection was closed"
                    raise ConnectionAbortedError(msg)
        self._arriving.use(encrypted)
        self._transport = encrypted
        return self

    @override
    def get_extra_info(self, info: str) -> Any:
        return self._transport.get_extra_info(info)


@contextmanager
def _told(late: type[Exception], broken: type[Exception]) -> Iterator[None]:
    """Turn the errors of sockets and of TLS into those that httpx knows."""
    try:
        yield
    except TimeoutError as error:
        raise late(str(error)) from error
    except OSError as error:
        raise broken(str(error)) from error
