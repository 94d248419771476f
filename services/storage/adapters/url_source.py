"""Fetching from URLs under the policy, going on where a broken connection stopped."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx

from services.common.errors import DataLoss, FailedPrecondition, NotFound, ServiceError, Unavailable
from services.common.fetching import fetching_client
from services.common.url_policy import open_url

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from services.common.url_policy import UrlPolicy

KIND = "uri"
_PARTIAL = 206
_NOT_SATISFIABLE = 416
_TIMEOUT = httpx.Timeout(30.0, connect=10.0)


@dataclass(slots=True)
class _Progress:
    """How far a download has come, and which version of the file it is."""

    received: int = 0
    total: int | None = None
    etag: str = ""

    @property
    def whole(self) -> bool:
        """Whether every announced byte has arrived; unknown sizes end with the connection."""
        return self.total is None or self.received >= self.total

    def headers(self) -> dict[str, str]:
        """Return the request headers that ask for the rest of the same file."""
        # Without compression lengths and ranges mean the file's own bytes.
        plain = {"Accept-Encoding": "identity"}
        if not self.received:
            return plain
        same = {"If-Range": self.etag} if self.etag else {}
        return {**plain, "Range": f"bytes={self.received}-", **same}


class UrlSource:
    """Yields the bytes behind a URL; tries again ``resumes`` times from where it stopped."""

    def __init__(self, policy: UrlPolicy, *, resumes: int = 4, ca_bundle: str = "") -> None:
        self._policy = policy
        self._resumes = resumes
        self._client = fetching_client(timeout=_TIMEOUT, ca_bundle=ca_bundle)

    async def close(self) -> None:
        """Close what is open."""
        await self._client.aclose()

    @asynccontextmanager
    async def fetch(self, uri: str) -> AsyncIterator[AsyncIterator[bytes]]:
        """Open the URL; see the port. A URL that can never work is refused here, before any I/O."""
        self._policy.check(uri)
        yield self._chunks(uri)

    async def _chunks(self, uri: str) -> AsyncIterator[bytes]:
        progress = _Progress()
        for attempt in range(self._resumes + 1):
            try:
                async for chunk in self._read(uri, progress):
                    progress.received += len(chunk)
                    yield chunk
            except Unavailable:
                if attempt == self._resumes:
                    raise
            else:
                if progress.whole:
                    return
        msg = f"the source ended after {progress.received} of {progress.total} bytes"
        raise DataLoss(msg)

    async def _read(self, uri: str, progress: _Progress) -> AsyncIterator[bytes]:
        async with open_url(
            self._client, uri, self._policy, headers=progress.headers()
        ) as response:
            skip = _begin(response, progress)
            try:
                # As they come: gathering would lose what had arrived when a connection breaks.
                async for chunk in response.aiter_raw():
                    kept = chunk[skip:]
                    skip = max(0, skip - len(chunk))
                    if kept:
                        yield kept
            except httpx.HTTPError as error:
                msg = f"the source broke off: {type(error).__name__}"
                raise Unavailable(msg) from error


def _begin(response: httpx.Response, progress: _Progress) -> int:
    """Check the answer; return how many bytes to skip when the server starts over."""
    if response.status_code == _NOT_SATISFIABLE and progress.received:
        msg = "the source changed while it was being read"
        raise DataLoss(msg)
    if response.status_code not in {200, _PARTIAL}:
        raise _refused(response.status_code)
    etag = response.headers.get("etag", "")
    if progress.received and progress.etag and etag != progress.etag:
        msg = "the source changed while it was being read"
        raise DataLoss(msg)
    # A weak tag may stand for different bytes, so it cannot bind a range.
    progress.etag = "" if etag.startswith("W/") else etag
    resumed = progress.received if response.status_code == _PARTIAL else 0
    length = response.headers.get("content-length", "")
    progress.total = resumed + int(length) if length.isdecimal() else None
    return progress.received - resumed


def _refused(status: int) -> ServiceError:
    if status in {404, 410}:
        return NotFound(KIND, f"HTTP {status}")
    if status in {408, 425, 429} or status >= 500:
        return Unavailable(f"the source answers HTTP {status}")
    return FailedPrecondition(f"the source answers HTTP {status}")
