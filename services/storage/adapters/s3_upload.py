"""Sending a local file to S3: one request or several parts; visible at the end or never."""

from __future__ import annotations

import asyncio
import base64
import os
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from services.storage.adapters.s3_calls import SEND
from services.storage.adapters.s3_errors import code
from services.storage.domain.ports import PART_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from services.storage.adapters.s3_calls import S3Calls
    from services.storage.domain.ports import StagedFile

PARTS_IN_FLIGHT = 3
# What one read returns at most. Below 128 KiB the allocator uses the same memory again and again.
_READ_BYTES = 96 * 1024
MAX_PARTS = 10_000
# A server that does not answer by then is away; nobody is to wait for it once more.
_ABORT_SECONDS = 5.0


class _Body:
    """So many bytes of a file from ``start`` on, as a file of their own that a request can send.

    A read returns at most 96 KiB, however much more is asked for: a few parts at once stay small in
    memory.
    """

    def __init__(self, file: int, start: int, size: int) -> None:
        self._file = file
        self._start = start
        self._size = size
        self._at = 0

    def __len__(self) -> int:
        return self._size

    def read(self, size: int = -1) -> bytes:
        left = self._size - self._at
        wanted = left if size < 0 else min(size, left, _READ_BYTES)
        data = os.pread(self._file, wanted, self._start + self._at)
        self._at += len(data)
        return data

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        self._at = min(max(0, base + offset), self._size)
        return self._at


@dataclass(frozen=True, slots=True)
class Sending:
    """One file on its way to one key; ``summed`` lets the store check what arrives by CRC-32."""

    calls: S3Calls
    staged: StagedFile
    key: str
    summed: bool = True

    async def whole(self, headers: Mapping[str, object]) -> None:
        """Send everything in one request."""
        facts = {**headers, **self._sum(1, PART_BYTES)}

        def put() -> None:
            with _opened(self.staged.path) as file:
                self.calls.client.put_object(
                    Bucket=self.calls.bucket,
                    Key=self.key,
                    Body=_Body(file, 0, self.staged.size_bytes),
                    **facts,
                )

        await self.calls.run(self.key, put, turn=SEND)

    async def parts(self, headers: Mapping[str, object], condition: Mapping[str, str]) -> None:
        """Send in parts, a few at a time; whatever goes wrong, no part stays behind."""
        upload = await self._begin(headers)
        try:
            await self.calls.request(
                "complete_multipart_upload",
                self.key,
                UploadId=upload,
                MultipartUpload={"Parts": await self._send(upload)},
                **condition,
            )
        except BaseException:
            # Also on cancellation: parts that nobody completes would be stored and paid for ever.
            await self._abort(upload)
            raise

    async def _begin(self, headers: Mapping[str, object]) -> str:
        """Open the upload; one that is opened while we are cancelled is aborted again."""
        creating = asyncio.ensure_future(
            self.calls.request("create_multipart_upload", self.key, **headers)
        )
        try:
            started = await asyncio.shield(creating)
        except asyncio.CancelledError:
            await self._abort(str((await creating)["UploadId"]))
            raise
        return str(started["UploadId"])

    async def _abort(self, upload: str) -> None:
        """Let the parts go, or leave them to the sweep: what went wrong before is what counts."""
        aborting = asyncio.gather(abort(self.calls, self.key, upload), return_exceptions=True)
        with suppress(TimeoutError):
            async with asyncio.timeout(_ABORT_SECONDS):
                await asyncio.shield(aborting)

    async def _send(self, upload: str) -> list[dict[str, object]]:
        size = max(PART_BYTES, -(-self.staged.size_bytes // MAX_PARTS))
        room = asyncio.Semaphore(PARTS_IN_FLIGHT)

        async def send(number: int) -> dict[str, object]:
            async with room:
                return await self._part(upload, number, size)

        try:
            async with asyncio.TaskGroup() as group:
                count = -(-self.staged.size_bytes // size)
                sending = [group.create_task(send(number + 1)) for number in range(count)]
        except BaseExceptionGroup as failures:
            raise failures.exceptions[0] from failures
        return [task.result() for task in sending]

    async def _part(self, upload: str, number: int, size: int) -> dict[str, object]:
        start = (number - 1) * size
        length = min(size, self.staged.size_bytes - start)
        facts = {"UploadId": upload, "PartNumber": number, **self._sum(number, size)}

        def put() -> dict[str, object]:
            with _opened(self.staged.path) as file:
                answer = self.calls.client.upload_part(
                    Bucket=self.calls.bucket,
                    Key=self.key,
                    Body=_Body(file, start, length),
                    **facts,
                )
            return {"PartNumber": number, **_receipt(answer)}

        return await self.calls.run(self.key, put, turn=SEND)

    def _sum(self, number: int, size: int) -> dict[str, str]:
        """Return the CRC-32 of a part as it arrived; where it is not known, botocore takes it."""
        if not self.summed or size != PART_BYTES or not self.staged.part_crcs:
            return {}
        crc = self.staged.part_crcs[number - 1].to_bytes(4, "big")
        return {"ChecksumCRC32": base64.b64encode(crc).decode()}


async def abort(calls: S3Calls, key: str, upload: str) -> None:
    """Let the parts of an upload go; one that is over already, here or elsewhere, is no error."""

    def ask() -> None:
        try:
            calls.client.abort_multipart_upload(Bucket=calls.bucket, Key=key, UploadId=upload)
        except ClientError as error:
            if code(error) != "NoSuchUpload":
                raise

    await calls.run(key, ask)


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    file = os.open(path, os.O_RDONLY)
    try:
        yield file
    finally:
        os.close(file)


def _receipt(answer: Mapping[str, object]) -> dict[str, object]:
    """Return what the completing request must say about a part."""
    return {k: v for k, v in answer.items() if k == "ETag" or k.startswith("Checksum")}
