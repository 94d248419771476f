"""Objects in S3 or in anything that speaks it."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError, ReadTimeoutError
from tenacity import (
    AsyncRetrying,
    retry_if_exception_type,
    stop_after_attempt,
    wait_random_exponential,
)

from services.common.errors import FailedPrecondition, Unavailable
from services.common.telemetry import get_logger
from services.storage.adapters.s3_body import body_of
from services.storage.adapters.s3_calls import READ
from services.storage.adapters.s3_errors import absent, gone
from services.storage.adapters.s3_signer import S3Signer
from services.storage.adapters.s3_upload import Sending, abort
from services.storage.domain.keys import KeyLayout
from services.storage.domain.ports import CHUNK_BYTES, PART_BYTES, BlobInfo, KeyTakenError
from services.storage.domain.refusals import NotCopiedError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
    from datetime import timedelta
    from typing import Any

    from services.storage.adapters.s3_calls import S3Calls
    from services.storage.domain.assets import Asset
    from services.storage.domain.ports import ObjectFacts, StagedFile

log = get_logger(__name__)

_READ_BYTES = 4 * CHUNK_BYTES


class _BrokeOffError(Unavailable):
    """Go on from there: the answer broke off after it had begun."""


# The client tries again by itself what never began.
_GOING_ON = AsyncRetrying(
    retry=retry_if_exception_type(_BrokeOffError),
    stop=stop_after_attempt(4),
    wait=wait_random_exponential(multiplier=0.2, max=5),
    reraise=True,
)


class S3Blobs:
    """A blob store in one bucket, below one prefix."""

    def __init__(
        self,
        calls: S3Calls,
        *,
        now: Callable[[], datetime],
        prefix: str = "",
        conditional_writes: bool = True,
        storage_class: str = "",
        signer: S3Signer | None = None,
    ) -> None:
        """Use ``conditional_writes=False`` only with servers that do not know ``If-None-Match``."""
        config = calls.client.meta.config
        self._summed = config.request_checksum_calculation == "when_supported"
        self._calls = calls
        self._now = now
        self._check: asyncio.Future[None] | None = None
        self._layout = KeyLayout(prefix)
        self._signer = signer or S3Signer(calls, now=now)
        self._condition = {"IfNoneMatch": "*"} if conditional_writes else {}
        self._class = {"StorageClass": storage_class} if storage_class else {}

    async def publish(self, staged: StagedFile, key: str, facts: ObjectFacts) -> None:
        """Send the staged file; the object appears with the last request or not at all."""
        if staged.size_bytes > PART_BYTES or not self._condition:
            await self._free(key)
        sending = Sending(self._calls, staged, key, summed=self._summed)
        headers = self._headers(facts)
        if staged.size_bytes <= PART_BYTES:
            await sending.whole({**headers, **self._condition})
        else:
            await sending.parts(headers, self._condition)

    async def clone(self, source: str, key: str, facts: ObjectFacts) -> None:
        """Copy inside the store: the bytes are not sent again.

        Looks first, for the servers that know conditions of a PUT and pass over those of a copy.
        """
        await self._free(key)
        asked = {
            "CopySource": {"Bucket": self._calls.bucket, "Key": source},
            "MetadataDirective": "REPLACE",
            **self._headers(facts),
            **self._condition,
        }
        try:
            await self._calls.request("copy_object", key, **asked)
        except Unavailable as error:
            if isinstance(error.__cause__, ReadTimeoutError):
                # It would be silent at the next try, too; if it gets there all the same, the
                # object in the way is known as ours.
                raise NotCopiedError(error.message) from error
            raise

    async def head(self, key: str) -> BlobInfo | None:
        """Return what is known about the object, ``None`` when there is none."""
        answer = await self._calls.run(key, lambda: self._head(key))
        if answer is None:
            return None
        modified = answer["LastModified"].astimezone(UTC)
        return BlobInfo(
            key, answer["ContentLength"], answer["ContentType"], answer["Metadata"], modified
        )

    async def read(
        self, key: str, *, offset: int = 0, length: int | None = None
    ) -> AsyncIterator[bytes]:
        """Yield the bytes as they arrive; an answer that breaks off is gone on with."""
        if length == 0:
            return
        at, end = offset, None if length is None else offset + length
        async for attempt in _GOING_ON.copy():
            with attempt:
                async with aclosing(self._blocks(key, at, end)) as blocks:
                    async for block in blocks:
                        at += len(block)
                        for start in range(0, len(block), CHUNK_BYTES):
                            yield block[start : start + CHUNK_BYTES]

    async def _blocks(self, key: str, start: int, end: int | None) -> AsyncGenerator[bytes]:
        last = "" if end is None else str(end - 1)
        span = {"Range": f"bytes={start}-{last}"} if start or last else {}
        async with body_of(self._calls, key, lambda: self._open(key, span)) as body:
            read = partial(body.read, _READ_BYTES)
            try:
                while block := await self._calls.run(key, read, turn=READ):
                    yield block
            except Unavailable as error:
                raise _BrokeOffError(error.message) from error

    async def delete(self, key: str) -> None:
        """Remove the object; S3 says nothing when there is none, and others that it is gone."""
        await self._calls.run(key, lambda: self._delete(key))

    async def sign(
        self, asset: Asset, *, expires: datetime, download_name: str
    ) -> tuple[str, datetime]:
        """Return a presigned GET that answers with the asset's content type and disposition."""
        return await self._signer.sign(asset, expires=expires, download_name=download_name)

    def url(self, key: str) -> str:
        """Return ``s3://bucket/key``."""
        return f"s3://{self._calls.bucket}/{key}"

    async def sweep(self, older_than: timedelta) -> int:
        """Abort multipart uploads of ours that were begun before ``older_than``.

        Ours is what lies below the prefix; without one, what has the form of our keys: the bucket
        may be shared. One that is refused is told and passed over.
        """
        before = self._now() - older_than
        uploads = await self._calls.run(self._layout.folder, self._uploads)
        ours = [item for item in uploads if self._layout.owns(item["Key"])]
        stale = [item for item in ours if item["Initiated"].astimezone(UTC) < before]
        return sum([await self._aborted(item["Key"], item["UploadId"]) for item in stale])

    async def check(self) -> None:
        """Raise ``Unavailable`` or ``FailedPrecondition`` when the bucket cannot be used."""
        if self._check is None or self._check.done():
            self._check = asyncio.ensure_future(self._look())
        # Shared: whoever is tired of waiting must not leave one more thread behind that waits.
        await asyncio.shield(self._check)

    async def _look(self) -> None:
        bucket = self._calls.bucket
        await self._calls.run(bucket, lambda: self._calls.client.head_bucket(Bucket=bucket))

    async def _aborted(self, key: str, upload: str) -> bool:
        try:
            await abort(self._calls, key, upload)
        except FailedPrecondition as error:
            log.warning("upload_not_aborted", key=key, reason=error.reason, message=error.message)
            return False
        return True

    async def _free(self, key: str) -> None:
        """Look before sending: saves the transfer, and stands in where conditions are not known."""
        if await self.head(key) is not None:
            raise KeyTakenError(key)

    def _headers(self, facts: ObjectFacts) -> dict[str, object]:
        return {
            "ContentType": facts.content_type,
            "Metadata": dict(facts.metadata),
            **self._class,
        }

    def _head(self, key: str) -> Any:
        try:
            return self._calls.client.head_object(Bucket=self._calls.bucket, Key=key)
        except ClientError as error:
            if absent(error):
                return None
            raise

    def _delete(self, key: str) -> None:
        try:
            self._calls.client.delete_object(Bucket=self._calls.bucket, Key=key)
        except ClientError as error:
            if not gone(error):
                raise

    def _open(self, key: str, span: Mapping[str, str]) -> Any:
        answer = self._calls.client.get_object(Bucket=self._calls.bucket, Key=key, **span)
        return answer["Body"]

    def _uploads(self) -> Sequence[Any]:
        pages = self._calls.client.get_paginator("list_multipart_uploads")
        found = pages.paginate(Bucket=self._calls.bucket, Prefix=self._layout.folder)
        return [item for page in found for item in page.get("Uploads", ())]
