"""Sending a local file to S3: one request or several parts; visible at the end or never."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from s3transfer.utils import ReadFileChunk

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from services.storage.adapters.s3_calls import S3Calls

PART_BYTES = 8 * 1024 * 1024
PARTS_IN_FLIGHT = 3
MAX_PARTS = 10_000


@dataclass(frozen=True, slots=True)
class Sending:
    """One file on its way to one key."""

    calls: S3Calls
    path: Path
    key: str
    size_bytes: int

    async def whole(self, headers: Mapping[str, object]) -> None:
        """Send everything in one request."""

        def put() -> None:
            with self.path.open("rb") as body:
                self.calls.client.put_object(
                    Bucket=self.calls.bucket, Key=self.key, Body=body, **headers
                )

        await self.calls.run(self.key, put)

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
        abort = self.calls.request("abort_multipart_upload", self.key, UploadId=upload)
        await asyncio.shield(abort)

    async def _send(self, upload: str) -> list[dict[str, object]]:
        size = max(PART_BYTES, -(-self.size_bytes // MAX_PARTS))
        room = asyncio.Semaphore(PARTS_IN_FLIGHT)

        async def send(number: int) -> dict[str, object]:
            async with room:
                return await self._part(upload, number, size)

        try:
            async with asyncio.TaskGroup() as group:
                count = -(-self.size_bytes // size)
                sending = [group.create_task(send(number + 1)) for number in range(count)]
        except BaseExceptionGroup as failures:
            raise failures.exceptions[0] from failures
        return [task.result() for task in sending]

    async def _part(self, upload: str, number: int, size: int) -> dict[str, object]:
        def put() -> dict[str, object]:
            body = ReadFileChunk.from_filename(str(self.path), (number - 1) * size, size)
            with body:
                answer = self.calls.client.upload_part(
                    Bucket=self.calls.bucket,
                    Key=self.key,
                    UploadId=upload,
                    PartNumber=number,
                    Body=body,
                )
            return {"PartNumber": number, **_receipt(answer)}

        return await self.calls.run(self.key, put)


def _receipt(answer: Mapping[str, object]) -> dict[str, object]:
    """Return what the completing request must say about a part."""
    return {k: v for k, v in answer.items() if k == "ETag" or k.startswith("Checksum")}
