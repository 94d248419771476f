"""Fetching over real sockets, plain and encrypted, on both event loops."""

import asyncio
import contextlib
import socket
import ssl
import struct
import threading
import tracemalloc
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
import uvloop

from services.common.errors import Unavailable
from services.common.fetching import fetching_client
from services.common.url_policy import UrlPolicy, open_url
from tests.servers.seaweedfs import make_certificate

MIB = 1024 * 1024
BLOCK = bytes(range(256)) * 4096
TIMEOUT = httpx.Timeout(20)
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
LOOPS = pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])


@asynccontextmanager
async def source(
    mib: int, *, announced: int = 0, tls: ssl.SSLContext | None = None
) -> AsyncIterator[int]:
    """Serve so many MiB on loopback; ``announced`` may promise more than are sent. 0 is silence."""
    serving: list[asyncio.Task[None] | None] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.append(asyncio.current_task())
        await reader.readuntil(b"\r\n\r\n")
        if mib:
            length = (announced or mib) * MIB
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % length)
        for _ in range(mib):
            writer.write(BLOCK)
            await writer.drain()
        with contextlib.suppress(ConnectionError):
            if not mib:
                await reader.read()
            writer.close()
            await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    async with server:
        yield server.sockets[0].getsockname()[1]
        await asyncio.gather(*filter(None, serving))


async def received(client: httpx.AsyncClient, url: str) -> int:
    """Bytes that arrive, each of them the right one."""
    count = 0
    async with client.stream("GET", url) as answer:
        async for chunk in answer.aiter_raw():
            at = count % MIB
            assert chunk == (BLOCK + BLOCK)[at : at + len(chunk)]
            count += len(chunk)
    return count


@LOOPS
def test_a_fast_source_waits_for_a_slow_reader(
    new_loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    async def scenario() -> tuple[int, int]:
        async with source(32) as port, fetching_client(timeout=TIMEOUT) as client:
            tracemalloc.start(1)
            before, _ = tracemalloc.get_traced_memory()
            count = await received(client, f"http://127.0.0.1:{port}/")
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            return count, peak - before

    with asyncio.Runner(loop_factory=new_loop) as runner:
        count, held = runner.run(scenario())
    assert count == 32 * MIB
    assert held < 6 * MIB, "the source's own block of 1 MiB and what is on its way are counted too"


@LOOPS
def test_an_encrypted_source_is_read_whole_and_its_name_is_checked(
    new_loop: Callable[[], asyncio.AbstractEventLoop], tmp_path: Path
) -> None:
    pem = make_certificate(tmp_path)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(pem, pem.with_suffix(".key"))

    async def scenario() -> None:
        async def at_home(host: str, port: int) -> list[str]:
            return ["127.0.0.1"]

        policy = UrlPolicy(allowed_hosts=frozenset({"localhost", "other.test"}), resolve=at_home)
        async with (
            source(3, tls=tls) as port,
            fetching_client(timeout=TIMEOUT, ca_bundle=str(pem)) as client,
            fetching_client(timeout=TIMEOUT) as stranger,
        ):
            async with open_url(client, f"https://localhost:{port}/", policy) as answer:
                assert await answer.aread() == BLOCK * 3
            for who, host in ((client, "other.test"), (stranger, "localhost")):
                with pytest.raises(Unavailable, match="ConnectError"):
                    async with open_url(who, f"https://{host}:{port}/", policy):
                        pytest.fail("it was opened")

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(scenario())


@LOOPS
def test_a_body_that_ends_with_its_connection_is_whole_only_if_that_was_meant(
    new_loop: Callable[[], asyncio.AbstractEventLoop], tmp_path: Path
) -> None:
    """RFC 9112, 9.8: by TLS's closure alert; a length or a last chunk tells without one."""

    async def scenario() -> None:
        async with fetching_client(timeout=TIMEOUT, ca_bundle=str(pem)) as client:
            with hanging_up(pem, b"\r\nhello") as url:
                assert (await client.get(url)).content == b"hello"
            cut_off = pytest.raises(httpx.ReadError, match="without the alert")
            with hanging_up(pem, b"\r\nhello", goodbye=False) as url, cut_off:
                await client.get(url)
            for told in (b"Content-Length: 5\r\n\r\nhello", CHUNKED + b"5\r\nhello\r\n0\r\n\r\n"):
                with hanging_up(pem, told, goodbye=False) as url:
                    assert (await client.get(url)).content == b"hello"

    pem = make_certificate(tmp_path)
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(scenario())


@LOOPS
@pytest.mark.parametrize("length", [b"", b"Content-Length: %d\r\n" % (8 * MIB)])
def test_a_slow_reader_gets_the_end_of_what_was_encrypted_as_well(
    new_loop: Callable[[], asyncio.AbstractEventLoop], tmp_path: Path, length: bytes
) -> None:
    """uvloop takes the end of a connection for the end of all that has come over it."""

    async def scenario() -> int:
        async with fetching_client(timeout=TIMEOUT, ca_bundle=str(pem)) as client:
            with hanging_up(pem, length + b"\r\n" + BLOCK * 8) as url:
                async with client.stream("GET", url) as answer:
                    count, pieces = 0, answer.aiter_raw()
                    async for piece in pieces:
                        count += len(piece)
                        # Nobody reads until all that has come waits here, and the end with it.
                        if count > 4 * MIB:
                            for _ in range(20):
                                await asyncio.sleep(0)
                    return count

    pem = make_certificate(tmp_path)
    with asyncio.Runner(loop_factory=new_loop) as runner:
        assert runner.run(scenario()) == 8 * MIB


@contextlib.contextmanager
def hanging_up(pem: Path, said: bytes, *, goodbye: bool = True) -> Iterator[str]:
    """Say this to one caller and close the connection, with TLS's alert before that or without.

    Whether the caller hears it is not waited for.
    """
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(pem, pem.with_suffix(".key"))

    def serve() -> None:
        with tls.wrap_socket(listening.accept()[0], server_side=True) as connection:
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\n" + said)
            connection.setblocking(False)
            if goodbye:
                with contextlib.suppress(ssl.SSLWantReadError):
                    connection.unwrap()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(20)
        server = threading.Thread(target=serve, daemon=True)
        server.start()
        yield f"https://localhost:{listening.getsockname()[1]}/"
        server.join()


async def test_a_source_that_breaks_off_or_says_nothing_is_told_apart() -> None:
    async with source(1, announced=2) as port, fetching_client(timeout=TIMEOUT) as client:
        with pytest.raises(httpx.RemoteProtocolError):
            await received(client, f"http://127.0.0.1:{port}/")
    with pytest.raises(httpx.ConnectError):
        async with fetching_client(timeout=TIMEOUT) as client:
            await client.get("http://127.0.0.1:9/")
    async with (
        source(0) as port,
        fetching_client(timeout=httpx.Timeout(20, read=0.05)) as client,
    ):
        with pytest.raises(httpx.ReadTimeout):
            await client.get(f"http://127.0.0.1:{port}/")


@LOOPS
def test_a_host_that_never_shakes_hands_is_left_in_time(
    new_loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    async def scenario() -> None:
        gone = asyncio.Event()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(ConnectionError):
                await reader.read()
            writer.close()
            gone.set()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with server, asyncio.timeout(20):
            async with fetching_client(timeout=httpx.Timeout(30, connect=0.1)) as client:
                with pytest.raises(httpx.ConnectTimeout):
                    await client.get(f"https://127.0.0.1:{port}/")
            await gone.wait()

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(scenario())


@LOOPS
def test_a_slow_server_holds_back_what_is_sent(
    new_loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    async def take_slowly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for _ in range(32):
            await reader.readexactly(MIB)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    async def body() -> AsyncIterator[bytes]:
        for _ in range(32):
            yield bytes(MIB)

    async def scenario() -> int:
        server = await asyncio.start_server(take_slowly, "127.0.0.1", 0, limit=64 * 1024)
        port = server.sockets[0].getsockname()[1]
        headers = {"Content-Length": str(32 * MIB)}
        async with server, fetching_client(timeout=TIMEOUT) as client:
            tracemalloc.start(1)
            await client.put(f"http://127.0.0.1:{port}/", content=body(), headers=headers)
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            return peak

    with asyncio.Runner(loop_factory=new_loop) as runner:
        assert runner.run(scenario()) < 10 * MIB


@LOOPS
def test_a_connection_that_is_reset_under_a_slow_reader_is_a_read_error(
    new_loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    async def scenario() -> None:
        went = asyncio.Event()

        async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\n" + BLOCK)
            await writer.drain()
            sock = writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
            went.set()

        server = await asyncio.start_server(reset, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        async with server, fetching_client(timeout=TIMEOUT) as client:

            async def read_slowly() -> None:
                async with client.stream("GET", url) as answer:
                    async for _ in answer.aiter_raw():
                        await went.wait()

            with pytest.raises(httpx.ReadError):
                await read_slowly()

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(scenario())
