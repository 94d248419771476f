"""Which URLs the suite may fetch, and how, without being turned against its own network.

A URL from a caller or from a vendor's answer is untrusted. The rules, applied to the first address
and to every redirect alike:

* scheme https (http only where the operator allows plain text), no user info, a host and a sane
  port;
* every address that the host resolves to is public: one private, loopback, link-local, metadata,
  multicast or otherwise special address refuses the host, also in its IPv4-in-IPv6 disguises;
* the connection goes to the address that was checked (pinned), so that a second answer of the name
  server cannot send it elsewhere; TLS still verifies the name;
* hosts that the operator names (``host`` or ``host:port``) are exempt from the scheme and address
  rules.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import httpx

from services.common.errors import InvalidArgument, PermissionDenied, ServiceError, Unavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    Resolver = Callable[[str, int], Awaitable[list[str]]]

MAX_URL_LENGTH = 8192
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
# The client looks at where a redirect leads also where it does not follow, and fails of some names.
UNREACHED = (httpx.HTTPError, UnicodeError)
_CREDENTIALS = frozenset({"authorization", "cookie", "proxy-authorization", "x-api-key"})


async def resolve_host(host: str, port: int) -> list[str]:
    """Return every address of ``host`` as text; raises ``OSError`` when there is none."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


@dataclass(frozen=True, slots=True)
class PinnedUrl:
    """A URL that passed the policy, with the address that was checked."""

    url: httpx.URL
    address: str

    @property
    def target(self) -> httpx.URL:
        """The same URL with the host replaced by the checked address."""
        return self.url.copy_with(host=self.address)

    @property
    def host_header(self) -> str:
        """Value of the Host header: the original name, with its port unless it is the default."""
        return self.url.netloc.decode("ascii")


@dataclass(frozen=True, slots=True)
class UrlPolicy:
    """The operator's rules for fetching URLs; see the module's docstring."""

    allow_http: bool = False
    allowed_hosts: frozenset[str] = frozenset()
    max_redirects: int = 5
    resolve: Resolver = field(default=resolve_host)

    def check(self, text: str, field_name: str = "uri") -> httpx.URL:
        """Return the parsed URL, or raise ``InvalidArgument`` or ``PermissionDenied``; no I/O."""
        if not text or len(text) > MAX_URL_LENGTH or not text.isprintable():
            raise InvalidArgument(field_name, f"must be a URL of 1 to {MAX_URL_LENGTH} characters")
        try:
            url = httpx.URL(text)
            host, port = url.host, url.port
        except (httpx.InvalidURL, ValueError) as error:
            raise InvalidArgument(field_name, "is not a URL") from error
        named = bool(host) and " " not in host and "%" not in host
        if url.scheme not in {"http", "https"} or not named:
            raise InvalidArgument(field_name, "must be a URL", allowed=("https", "http"))
        if url.userinfo:
            raise InvalidArgument(field_name, "must not carry a user name or password")
        if port is not None and not 0 < port < 65536:
            raise InvalidArgument(field_name, "has no usable port")
        if url.scheme == "http" and not (self.allow_http or self._exempt(url)):
            msg = f"{field_name}: plain http is not allowed here, use https"
            raise PermissionDenied(msg)
        return url.copy_with(fragment=None)

    async def pin(self, url: httpx.URL) -> PinnedUrl:
        """Resolve the host, check every address, and return the URL bound to the first of them."""
        port = url.port or (443 if url.scheme == "https" else 80)
        try:
            addresses = await self.resolve(url.host, port)
        except (OSError, UnicodeError) as error:
            msg = f"the host {url.host!r} has no address"
            raise Unavailable(msg) from error
        if not addresses:
            msg = f"the host {url.host!r} has no address"
            raise Unavailable(msg)
        if not self._exempt(url):
            for address in addresses:
                if not is_public(address):
                    msg = f"the host {url.host!r} is not on the public internet"
                    raise PermissionDenied(msg)
        return PinnedUrl(url, addresses[0])

    def _exempt(self, url: httpx.URL) -> bool:
        port = url.port or (443 if url.scheme == "https" else 80)
        return not self.allowed_hosts.isdisjoint({url.host, f"{url.host}:{port}"})


def is_public(address: str) -> bool:
    """Whether ``address`` is a global unicast address, also inside IPv6 transition forms."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(parsed, ipaddress.IPv6Address):
        inner = _embedded(parsed)
        if inner is not None:
            return is_public(str(inner))
        if parsed.is_site_local:
            return False
    special = parsed.is_multicast or parsed.is_reserved or parsed.is_unspecified
    return parsed.is_global and not special


def _embedded(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """Return the IPv4 address inside a mapped, 6to4, Teredo or NAT64 address."""
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    if address.teredo is not None:
        return address.teredo[1]
    return address.ipv4_mapped or address.sixtofour


@asynccontextmanager
async def open_url(
    client: httpx.AsyncClient,
    text: str,
    policy: UrlPolicy,
    *,
    headers: Mapping[str, str] | None = None,
) -> AsyncIterator[httpx.Response]:
    """Open a streamed GET under ``policy``, following redirects one checked hop at a time.

    Yields the first answer that is not a redirect, whatever its status. Credentials among
    ``headers`` go to the first host and port only. Raises ``InvalidArgument``, ``Unavailable`` or
    ``PermissionDenied``.
    """
    url = policy.check(text)
    sent = dict(headers or {})
    for _ in range(policy.max_redirects + 1):
        pinned = await policy.pin(url)
        response = await _send(client, pinned, sent)
        try:
            location = response.headers.get("location")
            if response.status_code not in _REDIRECTS or location is None:
                yield response
                return
        finally:
            await response.aclose()
        following = policy.check(str(joined(url, location)))
        if (following.scheme, following.netloc) != (url.scheme, url.netloc):
            sent = {key: value for key, value in sent.items() if key.lower() not in _CREDENTIALS}
        url = following
    msg = f"more than {policy.max_redirects} redirects"
    raise PermissionDenied(msg)


def joined(url: httpx.URL, location: str) -> httpx.URL:
    """Return where a redirect leads, unchecked; raises ``Unavailable`` where that is no URL."""
    try:
        return url.join(location)
    except (httpx.InvalidURL, ValueError) as error:
        raise _bad_redirect() from error


def _bad_redirect() -> ServiceError:
    return Unavailable("the server redirects to something that is not a URL")


async def _send(
    client: httpx.AsyncClient, pinned: PinnedUrl, headers: Mapping[str, str]
) -> httpx.Response:
    request = client.build_request(
        "GET",
        pinned.target,
        headers={**headers, "Host": pinned.host_header},
        extensions={"sni_hostname": pinned.url.host},
    )
    try:
        return await client.send(request, stream=True, follow_redirects=False)
    except UNREACHED as error:
        kind = type(error).__name__
        msg = f"the host {pinned.url.host!r} cannot be reached: {kind}"
        raise Unavailable(msg) from error
