"""The URL policy against the attacks that it is there for, with a real HTTP server on loopback."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx
import pytest

from services.common.errors import InvalidArgument, PermissionDenied, ServiceError, Unavailable
from services.common.fetching import fetching_client
from services.common.url_policy import UrlPolicy, is_public, open_url

TIMEOUT = httpx.Timeout(5.0)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.8.8.8",
        "0.0.0.0",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "192.0.0.1",
        "198.18.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "240.0.0.1",
        "::1",
        "::",
        "fe80::1",
        "fe80::1%eth0",
        "fc00::1",
        "fd00:ec2::254",
        "ff02::1",
        "fec0::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "2002:7f00:1::",
        "2002:a00:1::",
        "2001:db8::1",
        "2001:0:4136:e378:8000:63bf:80ff:fffe",
        "not an address",
        "",
    ],
)
def test_addresses_that_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address",
    ["93.184.216.34", "8.8.8.8", "2606:2800:220:1::1", "64:ff9b::808:808", "::ffff:8.8.8.8"],
)
def test_addresses_that_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "file:///etc/passwd",
        "ftp://x/y",
        "gopher://x",
        "data:video/mp4;base64,AA",
        "x",
        "//host/x",
        "https://",
        "https:///x",
        "https://user:pw@example.com/x",
        "https://user@example.com/",
        "https://example.com:0/",
        "https://example.com:99999/",
        "https://exa mple.com/",
        "https://xn--a/",
        "https://x/\n",
        "concat:https://a|https://b",
        "https://" + "a" * 9000,
        "javascript:alert(1)",
    ],
)
def test_urls_that_can_never_work_name_the_field(url: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        UrlPolicy().check(url, "image.uri")
    assert caught.value.violations[0].field == "image.uri"


def test_plain_http_needs_leave() -> None:
    with pytest.raises(PermissionDenied):
        UrlPolicy().check("http://example.com/x")
    assert UrlPolicy(allow_http=True).check("http://example.com/x#y") == "http://example.com/x"
    named = UrlPolicy(allowed_hosts=frozenset({"sim:8000"}))
    assert named.check("http://sim:8000/x").host == "sim"
    with pytest.raises(PermissionDenied):
        named.check("http://sim:8001/x")


def answers(*addresses: str) -> Callable[[str, int], Awaitable[list[str]]]:
    async def resolve(host: str, port: int) -> list[str]:
        return list(addresses)

    return resolve


@pytest.mark.parametrize(
    "addresses", [("127.0.0.1",), ("93.184.216.34", "10.0.0.1"), ("::ffff:10.0.0.1",)]
)
async def test_one_private_address_refuses_the_host(addresses: tuple[str, ...]) -> None:
    policy = UrlPolicy(resolve=answers(*addresses))
    with pytest.raises(PermissionDenied, match="public"):
        await policy.pin(policy.check("https://example.com/"))


async def test_a_host_without_an_address_is_unavailable() -> None:
    async def resolve(host: str, port: int) -> list[str]:
        raise OSError

    policy = UrlPolicy(resolve=resolve)
    with pytest.raises(Unavailable):
        await policy.pin(policy.check("https://example.com/"))
    with pytest.raises(Unavailable):
        await UrlPolicy(resolve=answers()).pin(policy.check("https://example.com/"))


@pytest.mark.parametrize(
    "host", ["2130706433", "0x7f.1", "017700000001", "127.1", "[::1]", "localhost"]
)
async def test_spellings_of_loopback_are_refused_by_the_real_resolver(host: str) -> None:
    policy = UrlPolicy()
    with pytest.raises((PermissionDenied, Unavailable, InvalidArgument)):
        await policy.pin(policy.check(f"https://{host}/"))


async def test_the_connection_goes_to_the_checked_address_with_the_original_name() -> None:
    policy = UrlPolicy(resolve=answers("2606:2800:220:1::1"))
    pinned = await policy.pin(policy.check("https://example.com:8443/a?b=c"))
    assert str(pinned.target) == "https://[2606:2800:220:1::1]:8443/a?b=c"
    assert pinned.host_header == "example.com:8443"


Handler = Callable[[str, dict[str, str]], tuple[str, dict[str, str], bytes]]


@asynccontextmanager
async def http_server(handler: Handler) -> AsyncIterator[int]:
    """A real server on loopback; the handler gets path and headers, and returns the answer."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        pairs = (line.split(": ", 1) for line in lines[1:] if line)
        status, headers, body = handler(lines[0].split(" ")[1], {k.lower(): v for k, v in pairs})
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        text = (
            f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n{head}\r\n"
        )
        writer.write(text.encode() + body)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def fetch(url: str, policy: UrlPolicy, headers: dict[str, str] | None = None) -> bytes:
    async with (
        fetching_client(timeout=TIMEOUT) as client,
        open_url(client, url, policy, headers=headers) as response,
    ):
        return await response.aread()


async def test_an_allowed_host_is_fetched_by_its_name() -> None:
    seen: list[dict[str, str]] = []

    def handler(path: str, headers: dict[str, str]) -> tuple[str, dict[str, str], bytes]:
        seen.append(headers)
        return "200 OK", {}, b"the clip"

    async with http_server(handler) as port:
        policy = UrlPolicy(allowed_hosts=frozenset({"vendor.test"}), resolve=answers("127.0.0.1"))
        assert await fetch(f"http://vendor.test:{port}/x", policy) == b"the clip"
    assert seen[0]["host"] == f"vendor.test:{port}"


@pytest.mark.parametrize(
    "location",
    [
        "http://169.254.169.254/latest/meta-data/",
        "https://10.0.0.1/",
        "file:///etc/passwd",
        "//[::1]/",
        "http://localhost/",
        "https://u:p@evil.test/",
        "https://evil.test:0/",
    ],
)
async def test_a_redirect_into_the_own_network_is_refused(location: str) -> None:
    def handler(path: str, headers: dict[str, str]) -> tuple[str, dict[str, str], bytes]:
        return "302 Found", {"Location": location}, b""

    async with http_server(handler) as port:
        policy = UrlPolicy(allowed_hosts=frozenset({f"127.0.0.1:{port}"}))
        with pytest.raises((PermissionDenied, InvalidArgument)):
            await fetch(f"http://127.0.0.1:{port}/", policy)


async def test_a_name_that_changes_its_address_between_check_and_use_gains_nothing() -> None:
    calls = 0

    async def rebinding(host: str, port: int) -> list[str]:
        nonlocal calls
        calls += 1
        return ["127.0.0.1"] if calls == 1 else ["127.0.0.2"]

    async with http_server(lambda path, headers: ("200 OK", {}, b"first")) as port:
        policy = UrlPolicy(allowed_hosts=frozenset({"vendor.test"}), resolve=rebinding)
        assert await fetch(f"http://vendor.test:{port}/", policy) == b"first"
    assert calls == 1, "the name was looked up again after the check"


async def test_redirects_end_after_the_limit() -> None:
    async with http_server(
        lambda path, headers: ("302 Found", {"Location": path + "x"}, b"")
    ) as port:
        policy = UrlPolicy(allowed_hosts=frozenset({"127.0.0.1"}), max_redirects=3)
        with pytest.raises(PermissionDenied, match="redirects"):
            await fetch(f"http://127.0.0.1:{port}/", policy)


async def test_credentials_stay_with_the_first_port_of_a_host() -> None:
    seen: list[dict[str, str]] = []

    def end(path: str, headers: dict[str, str]) -> tuple[str, dict[str, str], bytes]:
        seen.append(headers)
        return "200 OK", {}, b"clip"

    async with http_server(end) as other:

        def begin(path: str, headers: dict[str, str]) -> tuple[str, dict[str, str], bytes]:
            seen.append(headers)
            return "302 Found", {"Location": f"http://vendor.test:{other}/there"}, b""

        async with http_server(begin) as port:
            allowed = frozenset({"vendor.test"})
            policy = UrlPolicy(allowed_hosts=allowed, resolve=answers("127.0.0.1"))
            await fetch(f"http://vendor.test:{port}/here", policy, {"Authorization": "Bearer k"})
    assert [("authorization" in headers) for headers in seen] == [True, False]


async def test_credentials_stay_with_the_first_host() -> None:
    seen: list[tuple[str, dict[str, str]]] = []

    def handler(path: str, headers: dict[str, str]) -> tuple[str, dict[str, str], bytes]:
        seen.append((path, headers))
        if path == "/there":
            return "200 OK", {}, b"clip"
        port = headers["host"].rpartition(":")[2]
        return "307 Temporary Redirect", {"Location": f"http://other.test:{port}/there"}, b""

    async with http_server(handler) as port:
        policy = UrlPolicy(
            allowed_hosts=frozenset({"vendor.test", "other.test"}), resolve=answers("127.0.0.1")
        )
        headers = {"Authorization": "Bearer k", "X-Api-Key": "k", "Range": "bytes=0-"}
        await fetch(f"http://vendor.test:{port}/here", policy, headers)
    assert "authorization" in seen[0][1]
    assert {"authorization", "x-api-key"}.isdisjoint(seen[1][1])
    assert seen[1][1]["range"] == "bytes=0-"


async def test_a_host_that_does_not_answer_is_unavailable() -> None:
    policy = UrlPolicy(allowed_hosts=frozenset({"127.0.0.1"}))
    with pytest.raises(Unavailable):
        await fetch("http://127.0.0.1:9/", policy)


async def test_a_redirect_to_nonsense_is_an_error_of_ours() -> None:
    async with http_server(
        lambda path, headers: ("302 Found", {"Location": "http://[x"}, b"")
    ) as port:
        policy = UrlPolicy(allowed_hosts=frozenset({"127.0.0.1"}))
        with pytest.raises(ServiceError):
            await fetch(f"http://127.0.0.1:{port}/", policy)


async def test_what_one_host_hands_us_is_shown_to_no_other_and_no_connection_is_kept() -> None:
    seen: list[dict[str, str]] = []

    def handler(path: str, headers: dict[str, str]) -> tuple[str, dict[str, str], bytes]:
        seen.append(headers)
        return "200 OK", {"Set-Cookie": "sid=hers; Path=/; Max-Age=9999"}, b"clip"

    hosts = frozenset({"vendor.test", "other.test"})
    policy = UrlPolicy(allowed_hosts=hosts, resolve=answers("127.0.0.1"))
    async with http_server(handler) as port, fetching_client(timeout=TIMEOUT) as client:
        for host in ("vendor.test", "other.test", "vendor.test"):
            async with open_url(client, f"http://{host}:{port}/", policy) as response:
                await response.aread()
    assert [headers.get("cookie") for headers in seen] == [None] * 3
    assert {headers["connection"] for headers in seen} == {"close"}
