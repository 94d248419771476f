"""What is asked of other services again by a life after a crash is the same to them."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from reelmesh.generator.v1 import generator_service_pb2
from reelmesh.storage.v1 import asset_pb2, storage_service_pb2
from services.common.channels import Channel
from services.common.errors import NotFound, Unavailable
from services.generator.convert.orders import digest
from services.orchestrator.adapters.documents import dump, load
from services.orchestrator.adapters.generator_client import GeneratorClient
from services.orchestrator.adapters.storage_client import StorageClient
from services.orchestrator.domain.options import Facets, ImageInput, Operation, VideoInput
from services.orchestrator.usecases.ordering import order_of
from tests.unit.orchestrator.examples import attempt, running

PICTURE = b"\x89PNG\r\n\x1a\n" + b"0" * 16
DELETED = asset_pb2.Asset.STATE_DELETED
STORED = asset_pb2.Asset.STATE_STORED


class Generator:
    """A stub that keeps what it is asked for."""

    def __init__(self) -> None:
        self.seen: list[generator_service_pb2.CreateGenerationRequest] = []

    async def CreateGeneration(
        self, request: generator_service_pb2.CreateGenerationRequest
    ) -> generator_service_pb2.CreateGenerationResponse:
        self.seen.append(request)
        return generator_service_pb2.CreateGenerationResponse()


class Storage:
    """A stub that keeps an asset per request id; `delete` leaves its name and nothing else."""

    def __init__(self) -> None:
        self.assets: dict[str, asset_pb2.Asset] = {}

    async def UploadAsset(
        self, parts: Iterator[storage_service_pb2.UploadAssetRequest]
    ) -> storage_service_pb2.UploadAssetResponse:
        header = next(iter(parts)).header
        new = asset_pb2.Asset(name=f"assets/a{len(self.assets)}", state=STORED)
        assert len(header.request_id) <= 128
        return storage_service_pb2.UploadAssetResponse(
            asset=self.assets.setdefault(header.request_id, new)
        )

    async def ImportAsset(
        self, request: storage_service_pb2.ImportAssetRequest
    ) -> storage_service_pb2.ImportAssetResponse:
        return storage_service_pb2.ImportAssetResponse(asset=self.assets[request.request_id])


async def test_an_attempt_is_ordered_the_same_by_the_job_as_it_was_kept() -> None:
    client, generator = GeneratorClient(Channel("127.0.0.1:9")), Generator()
    stub: Any = generator
    client._stub = stub
    job = running(
        2,
        seed=2**32 - 1,
        labels={"b": "2", "a": "1"},
        options={"fal": {"z": [1, 2.5, None], "a": {"y": True}}},
        facets=Facets(characters=("Emma",), mood="calm"),
        video=VideoInput(asset="assets/a"),
        operation=Operation.EXTEND,
    )
    job = job.attempting(job.create_time, attempt(2))
    for known, most in ((job, 500_000), (load(dump(job)), 750_000), (load(dump(job)), None)):
        tried = known.attempt("j1/2/1")
        assert tried is not None
        await client.create(order_of(known, tried, most))
    # A price that has changed, and a hold that is raised by it, make no other order.
    assert len({digest(request) for request in generator.seen}) == 1
    changed = replace(job, request=replace(job.request, operation=Operation.REMIX))
    await client.create(order_of(changed, attempt(2), 500_000))
    assert len({digest(request) for request in generator.seen}) == 2


async def test_a_picture_is_the_same_asset_in_every_life_until_it_is_deleted() -> None:
    client, storage = StorageClient(Channel("127.0.0.1:9")), Storage()
    stub: Any = storage
    client._stub = stub
    names = [await client.store_image("acme", PICTURE) for _ in range(2)]
    assert names == ["assets/a0", "assets/a0"]
    for number in (0, 1):
        gone = next(a for a in storage.assets.values() if a.name == f"assets/a{number}")
        gone.state = DELETED
        names = [await client.store_image("acme", PICTURE) for _ in range(2)]
        assert names == [f"assets/a{number + 1}"] * 2


async def test_no_picture_is_taken_for_stored_before_its_bytes_are() -> None:
    client, storage = StorageClient(Channel("127.0.0.1:9")), Storage()
    stub: Any = storage
    client._stub = stub
    await client.store_image("acme", PICTURE)
    (kept,) = storage.assets.values()
    kept.state = asset_pb2.Asset.STATE_WRITING
    with pytest.raises(Unavailable, match="not stored yet"):
        await client.store_image("acme", PICTURE)


async def test_pictures_whose_bytes_never_came_are_not_one_picture() -> None:
    client, storage = StorageClient(Channel("127.0.0.1:9")), Storage()
    stub: Any = storage
    client._stub = stub
    storage.assets["once"] = asset_pb2.Asset(name="assets/a", state=DELETED)
    with pytest.raises(NotFound):
        await client.digest("acme", ImageInput(uri="https://a.example/1.png"), "once")
