"""Fetching from URLs under the policy, going on where a broken connection stopped."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from zlib import crc32

import httpx
from tenacity import AsyncRetrying, retry_if_exception_type, wait_random_exponential

from services.common.errors import DataLoss, ServiceError, Unavailable
from services.common.fetching import fetching_client
from services.common.url_policy import open_url
from services.storage.adapters.url_answers import accept, changed, extent, media_type, validator

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable

    from tenacity import RetryCallState

    from services.common.url_policy import UrlPolicy
    from services.storage.domain.media_ports import Answer

_TIMEOUT = httpx.Timeout(30.0, connect=10.0)
# Seconds: what a source may ask us to wait; whoever asks for more is left to our caller.
_LONGEST_REST = 20.0
_REST = wait_random_exponential(multiplier=0.2, max=_LONGEST_REST)


class _EndedEarlyError(DataLoss):
    """Try again: the source ended before the size that it had announced."""


@dataclass(slots=True)
class _Progress:
    """How far a download has come, and which version of the file it is.

    ``validator`` is a strong ETag or date (RFC 9110, 8.8); without one, only a CRC-32 of what came
    can tell whether a second answer goes on with the same file.
    """

    received: int = 0
    total: int | None = None
    validator: str = ""
    crc: int = 0
    content_type: str = ""

    @property
    def whole(self) -> bool:
        """Whether every announced byte has arrived; unknown sizes end with the connection."""
        return self.total is None or self.received == self.total

    def headers(self) -> dict[str, str]:
        """Return the request headers that ask for the rest of the same file, or for all of it."""
        # Without compression lengths and ranges mean the file's own bytes.
        plain = {"Accept-Encoding": "identity"}
        if not self.received or not self.validator:
            return plain
        return {**plain, "Range": f"bytes={self.received}-", "If-Range": self.validator}

    def begin(self, response: httpx.Response) -> int:
        """Take in an answer; returns how many bytes came before and come again.

        Raises ``DataLoss`` when it is of another version of the file, or of another part of it.
        """
        (start, total), version = extent(response), validator(response)
        if not self.received:
            self.validator, self.total = version, total
            self.content_type = media_type(response)
        # A date that was too young to tell versions apart may have come of age since.
        same_version = not self.validator or version == self.validator
        if not same_version or (None not in {self.total, total} and self.total != total):
            raise changed()
        if start not in {0, self.received}:
            msg = "the source answers with another part of the file than it was asked for"
            raise DataLoss(msg)
        if total is not None:
            self.total = total
        return self.received - start

    def take(self, chunk: bytes) -> None:
        """Count a chunk in; raises ``DataLoss`` when more came than the file has."""
        self.received += len(chunk)
        if self.total is not None and self.received > self.total:
            msg = f"the source sends more than the {self.total} bytes that it tells of"
            raise DataLoss(msg)
        if not self.validator:
            self.crc = crc32(chunk, self.crc)


class UrlSource:
    """Yields the bytes behind a URL; tries again ``resumes`` times from where it stopped."""

    def __init__(
        self,
        policy: UrlPolicy,
        *,
        resumes: int = 4,
        ca_bundle: str = "",
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._policy = policy
        self._resumes = resumes
        self._sleep = sleep
        self._client = fetching_client(timeout=_TIMEOUT, ca_bundle=ca_bundle)

    async def close(self) -> None:
        """Close what is open."""
        await self._client.aclose()

    @asynccontextmanager
    async def fetch(self, uri: str, answer: Answer) -> AsyncIterator[AsyncIterator[bytes]]:
        """Open the URL; see the port. A URL that can never work is refused here, before any I/O."""
        self._policy.check(uri)
        async with aclosing(self._chunks(uri, answer)) as chunks:
            yield chunks

    async def _chunks(self, uri: str, answer: Answer) -> AsyncGenerator[bytes]:
        progress = _Progress()
        tries = AsyncRetrying(
            retry=retry_if_exception_type((Unavailable, _EndedEarlyError)),
            stop=self._enough,
            wait=_rest,
            sleep=self._sleep,
            reraise=True,
        )
        async for attempt in tries:
            with attempt:
                async with aclosing(self._read(uri, progress)) as chunks:
                    async for chunk in chunks:
                        answer.content_type = progress.content_type
                        progress.take(chunk)
                        yield chunk

    def _enough(self, state: RetryCallState) -> bool:
        return state.attempt_number > self._resumes or (_asked(state) or 0.0) > _LONGEST_REST

    async def _read(self, uri: str, progress: _Progress) -> AsyncGenerator[bytes]:
        async with open_url(
            self._client, uri, self._policy, headers=progress.headers()
        ) as response:
            accept(response, resumed=progress.received > 0)
            again = _Again(progress.begin(response), progress.crc if not progress.validator else 0)
            try:
                # As they come: gathering would lose what had arrived when a connection breaks.
                async for chunk in response.aiter_raw():
                    if kept := again.cut(chunk):
                        yield kept
            except httpx.HTTPError as error:
                msg = f"the source broke off: {type(error).__name__}"
                raise Unavailable(msg) from error
        if not progress.whole or again.left:
            msg = f"the source ended after {progress.received} of {progress.total} bytes"
            raise _EndedEarlyError(msg)


class _Again:
    """Cuts away what comes a second time; ``crc`` is what its sum must be, 0 when not known."""

    def __init__(self, left: int, crc: int) -> None:
        self.left = left
        self._expected = crc
        self._crc = 0

    def cut(self, chunk: bytes) -> bytes:
        """Return what is new of ``chunk``; raises ``DataLoss`` when the old is not as it was."""
        if not self.left:
            return chunk
        old = chunk[: self.left]
        self.left -= len(old)
        if self._expected:
            self._crc = crc32(old, self._crc)
            if not self.left and self._crc != self._expected:
                raise changed()
        return chunk[len(old) :]


def _rest(state: RetryCallState) -> float:
    asked = _asked(state)
    return _REST(state) if asked is None else asked


def _asked(state: RetryCallState) -> float | None:
    """Return for how many seconds the source wants to be left alone, if it has said so."""
    error = state.outcome.exception() if state.outcome else None
    return error.retry_after if isinstance(error, ServiceError) else None
