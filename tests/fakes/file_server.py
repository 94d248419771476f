"""A web server on loopback that serves one file, and misbehaves when told to."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass
class FileServer:
    """Set attributes to change what the next requests get; ``ranges`` records what they asked.

    ``later_etag`` and ``later_data`` are what the file turns into after the first answer, and
    ``later_date`` is what the clock then says, and ``later_announces_length`` whether its size is
    told still;
    ``refusals`` are (status, headers) of the next answers; ``shift`` is by how many bytes ranges
    begin beside what was asked for.
    """

    data: bytes = b""
    port: int = 0
    etag: str = '"v1"'
    content_type: str = ""
    later_etag: str = ""
    later_data: bytes = b""
    modified: str = ""
    date: str = "Sun, 22 Nov 2026 12:00:00 GMT"
    later_date: str = ""
    refusals: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    shift: int = 0
    status: int = 200
    honours_ranges: bool = True
    announces_length: bool = True
    later_announces_length: bool = True
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
        if self.refusals:
            writer.write(_head(*self.refusals.pop(0)))
            return
        start = int(wanted[6:].rstrip("-")) if wanted and self.honours_ranges else 0
        if headers.get("if-range", self._version()) != self._version():
            start = 0
        start += self.shift if start else 0
        data, size = self.data, len(self.data) * self.repeat
        told = {"ETag": self.etag, "Last-Modified": self.modified, "Date": self.date}
        told["Content-Type"] = self.content_type
        if self.announces_length:
            told["Content-Length"] = str(size - start)
        if start:
            told["Content-Range"] = f"bytes {start}-{size - 1}/{size}"
        status = 206 if start and self.status == 200 else self.status
        writer.write(_head(status, told))
        self.etag, self.data = self.later_etag or self.etag, self.later_data or self.data
        self.date = self.later_date or self.date
        self.announces_length = self.announces_length and self.later_announces_length
        left = self.break_after.pop(0) if self.break_after else size
        if self.repeat > 1:
            for _ in range(self.repeat):
                writer.write(data)
                await writer.drain()
            return
        writer.write(data[start : start + left])
        await writer.drain()

    def _version(self) -> str:
        """What If-Range must say, in small letters as headers are read here."""
        return (self.etag or self.modified).lower()


def _head(status: int, told: dict[str, str]) -> bytes:
    lines = [f"{name}: {value}" for name, value in told.items() if value]
    return "\r\n".join([f"HTTP/1.1 {status} X", "Connection: close", *lines, "", ""]).encode()
