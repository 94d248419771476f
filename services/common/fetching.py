"""The HTTP client that fetches large files, on asyncio's own streams, which hold the source back.

httpx by itself reads 64 KiB at a time through another layer, which takes all that the kernel has
before anybody asks: 8 MiB for each download from a fast host, and half as much CPU again.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpcore
import httpx
from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# What one read returns at most. The kernel is told to wait at as much again.
_READ_BYTES = 256 * 1024
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
                streams = await asyncio.open_connection(host, port, limit=_READ_BYTES // 2)
        return _Stream(*streams)


class _Stream(httpcore.AsyncNetworkStream):
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @override
    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Return what is there, up to more than was asked for: httpcore takes any number."""
        with _told(httpcore.ReadTimeout, httpcore.ReadError):
            async with asyncio.timeout(timeout):
                return await self._reader.read(_READ_BYTES)

    @override
    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        with _told(httpcore.WriteTimeout, httpcore.WriteError):
            async with asyncio.timeout(timeout):
                self._writer.write(buffer)
                await self._writer.drain()

    @override
    async def aclose(self) -> None:
        # At once: a host that does not say goodbye would keep us waiting for it.
        self._writer.transport.abort()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()

    @override
    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.AsyncNetworkStream:
        with _told(httpcore.ConnectTimeout, httpcore.ConnectError):
            async with asyncio.timeout(timeout):
                await self._writer.start_tls(ssl_context, server_hostname=server_hostname)
        return self

    @override
    def get_extra_info(self, info: str) -> Any:
        return self._writer.get_extra_info(info)


@contextmanager
def _told(late: type[Exception], broken: type[Exception]) -> Iterator[None]:
    """Turn the errors of sockets and of TLS into those that httpx knows."""
    try:
        yield
    except TimeoutError as error:
        raise late(str(error)) from error
    except OSError as error:
        raise broken(str(error)) from error
