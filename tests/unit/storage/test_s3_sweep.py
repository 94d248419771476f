"""Multipart uploads that nobody finished: what is refused of one does not keep the others."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from services.common.errors import Unavailable
from services.storage.adapters.s3_blobs import S3Blobs
from services.storage.adapters.s3_calls import S3Calls
from tests.fakes.logs import logged

NOW = datetime(2026, 11, 22, tzinfo=UTC)


class Uploads:
    """A client as far as a sweep goes: uploads of a week ago; what ``errors`` says of each."""

    meta = SimpleNamespace(config=SimpleNamespace(request_checksum_calculation="when_supported"))

    def __init__(self, count: int, errors: dict[str, Exception]) -> None:
        self.open = [f"videos/{number}.mp4" for number in range(count)]
        self._errors = errors

    def get_paginator(self, _operation: str) -> Any:
        return self

    def paginate(self, **_asked: str) -> Iterator[dict[str, object]]:
        begun = NOW - timedelta(days=7)
        yield {"Uploads": [{"Key": key, "UploadId": key, "Initiated": begun} for key in self.open]}

    def abort_multipart_upload(self, *, Key: str, **_asked: str) -> None:
        if Key in self._errors:
            raise self._errors[Key]
        self.open.remove(Key)


def refusal() -> ClientError:
    told: Any = {
        "Error": {"Code": "AccessDenied", "Message": "by a bucket policy"},
        "ResponseMetadata": {"HTTPStatusCode": 403},
    }
    return ClientError(told, "AbortMultipartUpload")


@asynccontextmanager
async def sweeping(client: Uploads) -> AsyncIterator[S3Blobs]:
    calls = S3Calls(client, "clips")
    try:
        yield S3Blobs(calls, now=lambda: NOW, prefix="videos")
    finally:
        await asyncio.to_thread(calls.close)


async def test_uploads_that_are_refused_are_told_and_the_others_go() -> None:
    stuck = ["videos/0.mp4", "videos/2.mp4"]
    client = Uploads(5, {key: refusal() for key in stuck})
    async with sweeping(client) as blobs:
        with logged() as told:
            assert await blobs.sweep(timedelta(days=1)) == 3
    assert client.open == stuck
    assert [line["key"] for line in told] == stuck
    assert "AccessDenied" in told[0]["message"]


async def test_a_store_that_goes_away_ends_the_sweep() -> None:
    gone = EndpointConnectionError(endpoint_url="https://s3.example.com")
    client = Uploads(3, {"videos/1.mp4": gone})
    async with sweeping(client) as blobs:
        with pytest.raises(Unavailable):
            await blobs.sweep(timedelta(days=1))
    assert client.open == ["videos/1.mp4", "videos/2.mp4"]
