"""kill -9 at each named step of a paid generation: one charge on the bill, nothing lost."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration

from reelmesh.generator.v1 import generation_pb2
from reelmesh.generator.v1 import generator_service_pb2 as pb
from reelmesh.storage.v1 import storage_service_pb2
from services.generator.domain.steps import Step
from tests.fakes.counting_vendor import KEY, CountingVendor
from tests.fakes.generator_process import GeneratorProcess, State

pytestmark = pytest.mark.timeout(90)

ANSWER_LOST = {Step.BEFORE_SEND, Step.AFTER_SEND}


def request(model: str) -> pb.CreateGenerationRequest:
    video = generation_pb2.VideoTask(
        prompt="a heron at dawn",
        duration=Duration(seconds=5),
        aspect_ratio="16:9",
        resolution="720p",
    )
    if model == "kling":
        video.audio = False
    task = generation_pb2.Task(video=video)
    return pb.CreateGenerationRequest(request_id="job1/n1/1", model=model, task=task)


@pytest.fixture
async def vendor() -> AsyncIterator[CountingVendor]:
    async with CountingVendor().serving() as vendor:
        yield vendor


@pytest.fixture(params=["postgres", pytest.param("sqlite", marks=pytest.mark.stress)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Every step on one database always; `make stress` takes both."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'test.sqlite'}"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
async def generator(
    tmp_path: Path, database_url: str, storage_address: str, vendor: CountingVendor
) -> AsyncIterator[GeneratorProcess]:
    host = vendor.url.removeprefix("http://")
    settings = {
        "DATABASE_URL": database_url,
        "STORAGE_ADDRESS": storage_address,
        "RUNWAY_API_KEY": KEY,
        "RUNWAY_BASE_URL": vendor.url,
        "KLING_API_KEY": KEY,
        "KLING_BASE_URL": vendor.url,
        "GENERATOR_POLL_SECONDS": "0.1",
        "GENERATOR_RESULT_ALLOWED_HOSTS": f'["{host}"]',
    }
    process = GeneratorProcess(tmp_path, settings)
    yield process
    assert KEY not in process.log()
    await process.close()


async def assert_stored_once(
    storage: Any, last: generation_pb2.Generation, vendor: CountingVendor
) -> None:
    assets = (await storage.ListAssets(storage_service_pb2.ListAssetsRequest())).assets
    assert last.state == State.STATE_SUCCEEDED
    assert [asset.name for asset in assets] == [last.asset]
    assert (last.output.width, last.output.height) == (320, 180)
    assert not last.placeholder
    assert len(vendor.bill) == 1


@pytest.mark.parametrize("step", list(Step))
async def test_a_vendor_without_look_up_is_paid_once(
    generator: GeneratorProcess, storage: Any, vendor: CountingVendor, step: Step
) -> None:
    await generator.start(GENERATOR_FAULT_POINT=step.value)
    first = (await generator.stub.CreateGeneration(request("runway_gen4_5"))).generation
    assert await generator.died() == -9
    await generator.start()
    again = await generator.create(request("runway_gen4_5"))
    assert again.name == first.name
    seen = await generator.follow(first.name, until=(State.STATE_UNKNOWN_OUTCOME,))
    last = seen[-1]
    assert last.submissions == 1
    if step in ANSWER_LOST:
        assert last.state == State.STATE_UNKNOWN_OUTCOME
        assert len(vendor.bill) == (step is Step.AFTER_SEND)
        return
    await assert_stored_once(storage, last, vendor)
    assert (last.cost.nanos, last.cost_source) == (600_000_000, "reported")


async def test_a_vendor_with_look_up_is_asked_what_became_of_the_call(
    generator: GeneratorProcess, storage: Any, vendor: CountingVendor
) -> None:
    await generator.start(GENERATOR_FAULT_POINT=Step.AFTER_SEND.value)
    first = (await generator.stub.CreateGeneration(request("kling"))).generation
    assert await generator.died() == -9
    await generator.start()
    last = (await generator.follow(first.name))[-1]
    await assert_stored_once(storage, last, vendor)
