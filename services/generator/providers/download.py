"""Fetches the results that vendors point to: untrusted, capped, checked, resumed."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime

import httpx

from services.common.errors import DataLoss, PermissionDenied, ProviderRefused, Unavailable
from services.common.pace import Pace
from services.common.packing import packed
from services.common.url_policy import UNREACHED, UrlPolicy, joined
from services.generator.providers.adapter import Adapter, Output, media_type_of

CHUNK = 256 * 1024
MAGIC_BYTES = 64
RESUMES = 3
REDIRECTS = frozenset({301, 302, 303, 307, 308})
EXPIRED = frozenset({401, 403, 404, 410})


class ResultExpired(Unavailable):
    """Ask the vendor for a new address: this one no longer opens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """A result on its way: its type as the bytes say, its size where known, and the chunks."""

    content_type: str
    size: int | None
    chunks: AsyncIterator[bytes] = field(repr=False)


class Downloader:
    """Opens results under the operator's URL policy."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        policy: UrlPolicy,
        *,
        now: Callable[[], datetime],
        max_bytes: int = 4 * 1024**3,
        pace: Pace | None = None,
    ) -> None:
        """Use `http`, made by `fetching.fetching_client` and closed by the caller.

        What comes more slowly than `pace` is left.
        """
        self._http = http
        self._policy = policy
        self._now = now
        self._max_bytes = max_bytes
        self._pace = pace or Pace()

    @asynccontextmanager
    async def open(self, output: Output, adapter: Adapter) -> AsyncIterator[Download]:
        """Yield a result. Credentials go to the vendor's own hosts only and never past a redirect.

        Raises ResultExpired (ask for a new address), Unavailable (try again), PermissionDenied (the
        address is not allowed), ProviderRefused (a foreign host wants our key) and DataLoss (not
        media, truncated, too big); the last two also from within the chunks.
        """
        if output.data:
            kind = media_type_of(output.data[:MAGIC_BYTES]) or _lost(
                "the vendor's answer is not a media file"
            )
            yield Download(content_type=kind, size=len(output.data), chunks=_once(output.data))
            return
        limits = _Limits(self._max_bytes, self._pace)
        transfer = _Transfer(self._http, self._policy, limits, output.url)
        if output.authenticated:
            transfer.trust(adapter, self._now())
        try:
            yield await transfer.start()
        finally:
            await transfer.close()


@dataclass(frozen=True, slots=True)
class _Limits:
    """How many bytes a result may have, and how fast it has to come."""

    max_bytes: int
    pace: Pace


class _Transfer:
    """One download with its resumptions."""

    def __init__(
        self, http: httpx.AsyncClient, policy: UrlPolicy, limits: _Limits, url: str
    ) -> None:
        self._http = http
        self._policy = policy
        self._max_bytes = limits.max_bytes
        self._pace = limits.pace
        self._url = url
        self._headers: Mapping[str, str] = {}
        self._response: httpx.Response | None = None
        self._received = 0
        self._size: int | None = None
        self._etag = ""

    def trust(self, adapter: Adapter, now: datetime) -> None:
        """Send the vendor's credentials along, if the address is the vendor's own.

        The operator chose that address: it may be a private one.
        """
        base = httpx.URL(adapter.base_url)
        port = base.port or (443 if base.scheme == "https" else 80)
        allowed = self._policy.allowed_hosts | {f"{base.host}:{port}"}
        self._policy = replace(self._policy, allowed_hosts=allowed)
        url = self._policy_url(self._url)
        own = (url.scheme, url.netloc) == (base.scheme, base.netloc)
        if not own and url.host not in adapter.result_hosts:
            message = "a result on another host wants our credentials; they were not sent"
            raise ProviderRefused(message)
        self._headers = adapter.auth(now)

    async def start(self) -> Download:
        """Open the first connection and look at the first bytes."""
        response = await self._open({})
        length = response.headers.get("content-length", "")
        self._size = int(length) if length.isdigit() else None
        etag = response.headers.get("etag", "")
        # One that is not ASCII cannot be sent back as it came.
        self._etag = etag if etag.isascii() else ""
        if self._size is not None and self._size > self._max_bytes:
            _lost(f"the result has {self._size} bytes, more than are allowed")
        stream = _chunked(self._pace.keep(response.aiter_raw()))
        try:
            first = await anext(stream, b"")
        except httpx.HTTPError as error:
            message = f"the result broke off at once: {type(error).__name__}"
            raise Unavailable(message) from error
        if len(first) < MAGIC_BYTES < (self._size or 0):
            message = "the result broke off before it could be told what it is"
            raise Unavailable(message)
        kind = media_type_of(first[:MAGIC_BYTES]) or _lost("the result is not a media file")
        return Download(content_type=kind, size=self._size, chunks=self._chunks(first, stream))

    async def close(self) -> None:
        """Let go of the connection."""
        if self._response is not None:
            await self._response.aclose()
            self._response = None

    async def _chunks(self, first: bytes, stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        self._received = len(first)
        yield first
        for attempt in range(RESUMES + 1):
            try:
                async for chunk in stream:
                    self._received += len(chunk)
                    if self._received > self._max_bytes:
                        _lost("the result is bigger than allowed")
                    yield chunk
            except httpx.HTTPError as error:
                if attempt == RESUMES:
                    message = f"the result broke off {attempt + 1} times"
                    raise Unavailable(message) from error
            else:
                if self._size is None or self._received == self._size:
                    return
            stream = await self._resumed()
        _lost(f"the result ended after {self._received} of {self._size} bytes")

    async def _resumed(self) -> AsyncIterator[bytes]:
        await self.close()
        wanted = {"range": f"bytes={self._received}-"}
        response = await self._open(wanted | ({"if-range": self._etag} if self._etag else {}))
        begins, told = f"bytes {self._received}-", response.headers.get("content-range", "")
        same = self._size is None or told.endswith((f"/{self._size}", "/*"))  # not a newer file
        if response.status_code != 206 or not (told.startswith(begins) and same):
            message = "the result broke off and cannot be resumed"
            raise Unavailable(message)
        return _chunked(self._pace.keep(response.aiter_raw()))

    async def _open(self, extra: Mapping[str, str]) -> httpx.Response:
        url, headers = self._policy_url(self._url), dict(self._headers)
        for _ in range(self._policy.max_redirects + 1):
            response = self._response = await self._get(url, {**headers, **extra})
            location = response.headers.get("location", "")
            if response.status_code not in REDIRECTS or not location:
                return _usable(response)
            await self.close()
            following = self._policy_url(str(joined(url, location)))
            if (following.scheme, following.netloc) != (url.scheme, url.netloc):
                headers = {}
            url = following
        message = f"more than {self._policy.max_redirects} redirects"
        raise PermissionDenied(message)

    async def _get(self, url: httpx.URL, headers: Mapping[str, str]) -> httpx.Response:
        pinned = await self._policy.pin(url)
        try:
            request = self._http.build_request(
                "GET",
                pinned.target,
                headers={**headers, "accept-encoding": "identity", "host": pinned.host_header},
                extensions={"sni_hostname": url.host},
            )
            return await self._http.send(request, stream=True, follow_redirects=False)
        except UNREACHED as error:
            message = f"the host {url.host!r} cannot be reached: {type(error).__name__}"
            raise Unavailable(message) from error

    def _policy_url(self, text: str) -> httpx.URL:
        return self._policy.check(text, "result")


def _usable(response: httpx.Response) -> httpx.Response:
    if response.status_code in EXPIRED:
        raise ResultExpired
    if response.status_code not in {200, 206}:
        message = f"HTTP {response.status_code} instead of the result"
        raise Unavailable(message)
    if kind := packed(response.headers):
        _lost(f"the result comes packed ({kind}), which was not asked for")
    return response


async def _chunked(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield chunks of one size; what came before a break is yielded before it is raised."""
    waiting = bytearray()
    try:
        async for piece in pieces:
            waiting += piece
            while len(waiting) >= CHUNK:
                yield bytes(waiting[:CHUNK])
                del waiting[:CHUNK]
    except httpx.HTTPError:
        if waiting:
            yield bytes(waiting)
        raise
    if waiting:
        yield bytes(waiting)


async def _once(data: bytes) -> AsyncIterator[bytes]:
    for begin in range(0, len(data), CHUNK):
        yield data[begin : begin + CHUNK]


def _lost(message: str) -> str:
    raise DataLoss(message)
