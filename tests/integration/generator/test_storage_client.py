"""What the generator tells storage of a result: parents, cost and the recipe."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
from google.protobuf.json_format import MessageToDict

from reelmesh.storage.v1 import storage_service_pb2 as pb
from reelmesh.storage.v1.storage_service_pb2_grpc import StorageServiceStub
from services.common.channels import Channel
from services.common.errors import DataLoss, NotFound, ServiceError, Unavailable
from services.common.identity import Identity, IdentitySigner
from services.generator.adapters.storage_client import StorageClient
from services.generator.domain.generation import State
from services.generator.domain.orders import asset_media
from services.generator.domain.ports import Content, Entry, Made
from services.generator.domain.tasks import Edit, Media, VideoTask
from services.generator.usecases.machine import Machine
from services.storage.__main__ import running
from services.storage.settings import Settings
from tests.fakes.generator_parts import ScriptedBackend, entry, order
from tests.fakes.waiting import until
from tests.unit.generator.usecases.conftest import Plant
from tests.unit.storage.clips import mp4

pytestmark = pytest.mark.timeout(60)
PICTURE = "docs/images/demo-frame.jpg"
KEY = "the signing key of the tests"


async def chunks(data: bytes) -> AsyncIterator[bytes]:
    yield data


def content_of_a_clip(*, cost_micros: int = 0) -> Content:
    return Content(content_type="video/mp4", chunks=chunks(mp4()), cost_micros=cost_micros)


async def test_a_result_is_stored_with_its_parents_its_cost_and_its_recipe(tmp_path: Path) -> None:
    settings = Settings(
        address="127.0.0.1:0", data_dir=tmp_path, signing_key=KEY, min_free_bytes=0, derive=""
    )
    task = VideoTask(
        prompt="A fox",
        duration_seconds=5,
        aspect_ratio="16:9",
        seed=2**62 + 1,
        image=asset_media("01parent"),
        last_image=Media(data=b"picture"),
        options={"runway": {"a": 1}},
    )
    made = Entry(entry("g1").generation, order("r-g1", task=task))
    tenant = made.generation.tenant
    content = content_of_a_clip(cost_micros=1_250_000)
    async with (
        running(settings) as address,
        Channel(address, IdentitySigner(KEY), identity=Identity(tenant)) as channel,
    ):
        stored = await StorageClient(channel).upload(made, content)
        answer = await StorageServiceStub(channel).GetAsset(pb.GetAssetRequest(name=stored.asset))
        longer = VideoTask(prompt="on", video=asset_media("01clip"), edit=Edit.EXTEND)
        went_on = Entry(entry("g2").generation, order("r-g2", task=longer))
        extended = await StorageClient(channel).upload(went_on, content_of_a_clip())
        found = await StorageServiceStub(channel).GetAsset(pb.GetAssetRequest(name=extended.asset))
    assert list(found.asset.lineage.parents) == ["assets/01clip"]
    done = {"edit": "extend", "video": "assets/01clip"}
    assert MessageToDict(found.asset.lineage.parameters) == done
    lineage = answer.asset.lineage
    assert (lineage.prompt, lineage.seed) == ("A fox", 2**62 + 1)
    assert list(lineage.parents) == ["assets/01parent"]
    assert (lineage.cost.units, lineage.cost.nanos) == (1, 250_000_000)
    told = MessageToDict(lineage.parameters)
    assert told.pop("last_image").startswith("sha256:")
    assert told == {
        "duration_seconds": 5.0,
        "aspect_ratio": "16:9",
        "image": "assets/01parent",
        "options": {"runway": {"a": 1.0}},
    }


async def test_what_a_worker_says_it_stored_is_looked_up_in_the_tenants_name(
    tmp_path: Path,
) -> None:
    settings = Settings(
        address="127.0.0.1:0", data_dir=tmp_path, signing_key=KEY, min_free_bytes=0, derive=""
    )
    mine, twin = entry("g1"), entry("g2")
    stranger = entry("g1", tenant="umbrella")
    async with (
        running(settings) as address,
        Channel(address, IdentitySigner(KEY), identity=Identity("acme")) as channel,
    ):
        client = StorageClient(channel)
        stored = await client.upload(mine, Content(content_type="video/mp4", chunks=chunks(mp4())))
        assert await client.look(mine, stored.asset) == stored
        with pytest.raises(DataLoss, match="not made by this generation"):
            await client.look(twin, stored.asset)
        with pytest.raises(NotFound):
            await client.look(stranger, stored.asset)
        await StorageServiceStub(channel).DeleteAsset(pb.DeleteAssetRequest(name=stored.asset))
        with pytest.raises(NotFound):
            await client.look(mine, stored.asset)
        with pytest.raises(NotFound):
            await client.upload(mine, content_of_a_clip())


class Broken:
    """A result that begins as a clip and breaks off each time with the same error."""

    def __init__(self, error: ServiceError) -> None:
        self.error = error
        self.openings = 0

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Content]:
        self.openings += 1
        yield Content(content_type="video/mp4", chunks=self._chunks())

    async def _chunks(self) -> AsyncIterator[bytes]:
        yield mp4()[:128]
        raise self.error


def idle(machine: Machine) -> bool:
    return not machine.generations()


async def test_a_result_that_breaks_off_on_its_way_to_storage_ends_its_generation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.generator.usecases.storing._FIRST_WAIT_SECONDS", 0.05)
    settings = Settings(
        address="127.0.0.1:0", data_dir=tmp_path, signing_key=KEY, min_free_bytes=0, derive=""
    )
    async with (
        running(settings) as address,
        Channel(address, IdentitySigner(KEY), identity=Identity("acme")) as channel,
    ):
        for error, least in ((DataLoss("bigger than allowed"), 1), (Unavailable("too slow"), 2)):
            result = Broken(error)
            plant = Plant(backend=ScriptedBackend([Made(opened=result.opened)]), patience=0.5)
            plant.storage = StorageClient(channel)  # type: ignore[assignment]  # the real one
            machine = plant.machine()
            opened, _ = await plant.ledger.open(entry(), "local/1")
            machine.start(opened)
            await until(partial(idle, machine))
            done = await plant.present(entry())
            assert (done.state, plant.broken) == (State.FAILED, [])
            assert done.failure is not None
            assert done.failure.reason == error.reason
            assert result.openings >= least
            assert len(plant.backend.submitted) == 1


async def test_a_picture_that_is_kept_is_one_asset_however_often_it_is_sent(tmp_path: Path) -> None:
    settings = Settings(
        address="127.0.0.1:0", data_dir=tmp_path, signing_key=KEY, min_free_bytes=0, derive=""
    )
    data = (Path(__file__).parents[3] / PICTURE).read_bytes()
    picture = Media(data=data, media_type="image/jpeg")
    async with (
        running(settings) as address,
        Channel(address, IdentitySigner(KEY), identity=Identity("acme")) as channel,
    ):
        client = StorageClient(channel)
        kept = [await client.keep("acme", picture, "g1-image") for _ in range(2)]
        assert kept[0] == kept[1]
        found, media_type = await client.read("acme", kept[0])
    assert (found, media_type) == (data, "image/jpeg")
