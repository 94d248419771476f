"""What comes over one connection, in the pieces in which the loop has read it."""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from typing import cast

from typing_extensions import override

# What one read of the loop returns at most; the source waits while as much is here.
_HELD_BYTES = 256 * 1024
# Pieces are joined up to this while they wait, so that few have to be read in one turn of the loop.
_JOINED_BYTES = 4096
_CUT_OFF = "EOF without the alert that closes a TLS connection: it may have been cut off"


class Arriving(asyncio.Protocol):
    """A connection as its reader and its writer see it; holds the source back while much is here.

    Each of the methods raises what has broken the connection, an ``OSError``.
    """

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._encrypted: ssl.SSLObject | None = None
        self._pieces: deque[bytes] = deque()
        self._held = 0
        self._come = asyncio.Event()
        self._writable = asyncio.Event()
        self._ended = self._whole = False
        self._error: Exception | None = None
        self._lost = asyncio.Event()

    async def read(self, timeout: float | None) -> bytes:
        """Return the next piece, ``b""`` at the end.

        Raises ``TimeoutError`` where none comes for so many seconds.
        """
        if not self._pieces:
            async with asyncio.timeout(timeout):
                while not self._pieces:
                    if self._ended:
                        self._check(unless=self._whole)
                        return b""
                    self._come.clear()
                    await self._come.wait()
        piece = self._pieces.popleft()
        was, self._held = self._held, self._held - len(piece)
        if was >= _HELD_BYTES > self._held and self._transport and not self._ended:
            self._transport.resume_reading()
        return piece

    async def write(self, data: bytes, timeout: float | None) -> None:
        """Send, and wait until there is room for more; raises ``TimeoutError`` as ``read`` does."""
        if self._transport is not None:
            self._transport.write(data)
        async with asyncio.timeout(timeout):
            await self._writable.wait()
        self._check()

    async def close(self) -> None:
        """Close at once: a host that does not say goodbye would keep us waiting for it."""
        if self._transport is not None:
            self._encrypted = None
            self._transport.abort()
            await self._lost.wait()

    def _check(self, *, unless: bool = False) -> None:
        if self._error is not None and not unless:
            raise self._error

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports do all that asyncio's do, and are none of them by name.
        self._transport = cast("asyncio.Transport", transport)
        self._encrypted = transport.get_extra_info("ssl_object")
        self._writable.set()

    @override
    def data_received(self, data: bytes) -> None:
        was = self._held
        self._keep(data)
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
        self._lost.set()

    @override
    def pause_writing(self) -> None:
        self._writable.clear()

    @override
    def resume_writing(self) -> None:
        self._writable.set()

    def _keep(self, data: bytes) -> None:
        if self._pieces and len(self._pieces[-1]) + len(data) <= _JOINED_BYTES:
            self._pieces[-1] += data
        else:
            self._pieces.append(data)
        self._held += len(data)

    def _end(self, error: Exception | None) -> None:
        encrypted, self._encrypted = self._encrypted, None
        if encrypted is not None and not self._closed_by_alert(encrypted):
            error = error or ssl.SSLEOFError(ssl.SSL_ERROR_EOF, _CUT_OFF)
        # What was ended is whole, whatever becomes of the connection after that.
        self._whole = self._whole or (error is None and not self._ended)
        self._ended, self._error = True, self._error or error
        self._come.set()

    def _closed_by_alert(self, encrypted: ssl.SSLObject) -> bool:
        """Take what is left, and return whether the other side has ended it, and nobody on the way.

        RFC 8446, 6.1. Event loops do not tell: asyncio says the same of both, and uvloop of neither
        when the connection ends while reading pauses; then it drops what it has not decrypted yet.
        """
        try:
            while data := encrypted.read(_HELD_BYTES):
                self._keep(data)
        except ssl.SSLError:
            return False
        return True
