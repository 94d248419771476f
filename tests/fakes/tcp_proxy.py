"""A TCP proxy on loopback that can go away, reset connections half-way, and swallow what comes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class TcpProxy:
    """Passes bytes on to ``port`` of this machine; its attributes may change meanwhile."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._writers: set[asyncio.StreamWriter] = set()
        self.port = 0
        self.away = False
        self.reset_after: list[int] = []
        self.resets = 0
        # What comes while this is not set is held, and nobody is told.
        self.flowing = asyncio.Event()
        self.flowing.set()
        self.held: list[bytes] = []

    @asynccontextmanager
    async def serving(self, port: int = 0) -> AsyncIterator["TcpProxy"]:
        """Serve on ``port``, or any that is free, while the block runs."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", port)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            self.leave()
            server.close()

    def leave(self) -> None:
        """Go away: open connections are reset, new ones closed at once."""
        self.away = True
        for writer in list(self._writers):
            writer.transport.abort()
        self.flowing.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.away:
            writer.transport.abort()
            return
        inner_reader, inner = await asyncio.open_connection("127.0.0.1", self._target)
        if self.away:  # it left while this connection was being made
            writer.transport.abort()
            inner.transport.abort()
            return
        self._writers |= {writer, inner}
        limit = self.reset_after.pop(0) if self.reset_after else -1
        try:
            await asyncio.gather(
                self._pass(reader, inner, limit), self._pass(inner_reader, writer, -1)
            )
        except OSError:
            pass
        finally:
            self._writers -= {writer, inner}
            writer.transport.abort()
            inner.transport.abort()

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, limit: int
    ) -> None:
        passed = 0
        while data := await reader.read(65536):
            passed += len(data)
            if 0 <= limit < passed:
                self.resets += 1
                raise ConnectionResetError
            if not self.flowing.is_set():
                self.held.append(data)
                await self.flowing.wait()
            writer.write(data)
            await writer.drain()
        writer.write_eof()
