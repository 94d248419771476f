"""What is uploaded again by a life after a crash is the same to storage."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

from reelmesh.storage.v1 import asset_pb2
from reelmesh.storage.v1 import storage_service_pb2 as pb
from services.common.channels import Channel
from services.generator.adapters.storage_client import StorageClient
from services.generator.domain.orders import (
    Hints,
    Labels,
    asset_media,
    order_from_json,
    order_to_json,
)
from services.generator.domain.ports import Content, Entry
from services.generator.domain.tasks import Edit, VideoTask
from services.generator.ledger.rows import columns_of, generation_of
from services.storage.convert import upload_intake
from tests.fakes.generator_parts import START, entry


class Headers:
    """A stub of storage that keeps what uploads say of themselves."""

    def __init__(self) -> None:
        self.seen: list[pb.UploadHeader] = []

    async def UploadAsset(
        self, parts: AsyncIterator[pb.UploadAssetRequest], timeout: float
    ) -> pb.UploadAssetResponse:
        async for part in parts:
            if part.HasField("header"):
                self.seen.append(part.header)
        return pb.UploadAssetResponse(asset=asset_pb2.Asset(state=asset_pb2.Asset.STATE_STORED))


def ordered() -> Entry:
    """A generation with everything that an asset can be told of."""
    plain = entry().order
    task = VideoTask(
        prompt="it lands",
        duration_seconds=5,
        seed=2**40,
        style="woodcut",
        video=asset_media("parent"),
        edit=Edit.EXTEND,
        options={"deep": {"list": [1, 2.5, None]}},
    )
    labels = Labels(
        job="videoJobs/1",
        creative_id="c",
        iteration=2,
        labels={"b": "2", "a": "1"},
        characters=("Emma",),
        landscapes=("attic",),
    )
    hints = Hints(shot_type="wide", mood="calm", time_of_day="dusk", original_prompt="land")
    return replace(entry(), order=replace(plain, task=task, labels=labels, hints=hints))


def reloaded(row: Entry) -> Entry:
    """The entry as another process reads it, later in its life."""
    running = row.generation.submitting(START).accepted("j", "j", at=START).storing(("told",))

    class Row:
        """A row of the table."""

    kept = Row()
    vars(kept).update(columns_of(running))
    return Entry(generation_of(kept), order_from_json(order_to_json(row.order)))


async def _chunks() -> AsyncIterator[bytes]:
    yield b"clip"


async def test_a_later_life_uploads_the_same_asset_from_another_address() -> None:
    client, headers = StorageClient(Channel("127.0.0.1:9")), Headers()
    stub: Any = headers
    client._stub = stub
    first = Content(
        content_type="video/mp4", chunks=_chunks(), source_url="https://cdn/a?sig=1", cost_micros=7
    )
    await client.upload(ordered(), first)
    later = replace(first, chunks=_chunks(), source_url="https://cdn/a?sig=2", cost_micros=9)
    await client.upload(reloaded(ordered()), later)
    one, two = headers.seen
    assert one.request_id == two.request_id
    assert upload_intake("acme", one).fingerprint == upload_intake("acme", two).fingerprint
    other = replace(ordered(), order=replace(ordered().order, task=VideoTask(prompt="else")))
    await client.upload(other, replace(first, chunks=_chunks()))
    assert upload_intake("acme", headers.seen[2]).fingerprint != (
        upload_intake("acme", one).fingerprint
    )
