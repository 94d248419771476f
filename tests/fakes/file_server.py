"""A web server on loopback that serves one file, and misbehaves when told to."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass
class FileServer:
    """Set attributes to change what the next requests get; ``ranges`` records what they asked."""

    data: bytes = b""
    port: int = 0
    etag: str = '"v1"'
    later_etag: str = ""
    status: int = 200
    honours_ranges: bool = True
    announces_length: bool = True
    break_after: list[int] = field(default_factory=list)
    repeat: int = 1
    ranges: list[str] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Address of the file."""
        return f"http://127.0.0.1:{self.port}/clip.mp4?token=secret"

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["FileServer"]:
        """Serve while the block runs."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        async with server:
            yield self

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            self.paths.append(lines[0].split(" ")[1])
            headers = dict(line.lower().split(": ", 1) for line in lines[1:] if line)
            await self._answer(headers, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _answer(self, headers: dict[str, str], writer: asyncio.StreamWriter) -> None:
        wanted = headers.get("range", "")
        self.ranges.append(wanted)
        start = int(wanted[6:].rstrip("-")) if wanted and self.honours_ranges else 0
        if headers.get("if-range", self.etag) != self.etag:
            start = 0
        status = 206 if start and self.status == 200 else self.status
        length = len(self.data) * self.repeat - start
        head = f"HTTP/1.1 {status} X\r\nETag: {self.etag}\r\nConnection: close\r\n"
        if self.announces_length:
            head += f"Content-Length: {length}\r\n"
        self.etag = self.later_etag or self.etag
        writer.write(head.encode() + b"\r\n")
        left = self.break_after.pop(0) if self.break_after else length
        if self.repeat > 1:
            for _ in range(self.repeat):
                writer.write(self.data)
                await writer.drain()
            return
        writer.write(self.data[start : start + left])
        await writer.drain()
