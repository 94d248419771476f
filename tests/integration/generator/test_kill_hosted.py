"""kill -9 of the real process at every step, against simulated vendors: paid once, kept once."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration

from reelmesh.generator.v1 import generation_pb2
from reelmesh.generator.v1 import generator_service_pb2 as pb
from reelmesh.storage.v1 import storage_service_pb2
from services.common.database import Database
from services.generator.domain.steps import Step
from services.generator.ledger import SqlLedger
from services.generator.usecases.reconciliation import Reconciliation
from services.suite.simulator.exports import variables
from services.suite.simulator.world import World
from tests.fakes.generator_process import GeneratorProcess, State
from tests.fakes.mortal_generator import utc_now
from tests.fakes.simulator import Simulated, fresh, simulator_thread
from tests.fakes.waiting import until

# One vendor of each kind: polled, queued, asked by our own id, answering at once.
MODELS = {
    "runway": "runway_gen4_5",
    "pika": "pika_v2",
    "kling": "kling_2_5_turbo",
    "openai_speech": "openai_tts",
}
# The vendor has accepted and charged, and not answered yet.
IN_FLIGHT = "in_flight"
POINTS = [*(step.value for step in Step), IN_FLIGHT]
pytestmark = [pytest.mark.stress, pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with simulator_thread(hang_seconds=60.0) as running:
        yield running


@pytest.fixture
async def sim(world: World) -> AsyncIterator[Simulated]:
    async with fresh(world) as simulated:
        yield simulated


@pytest.fixture
async def generator(
    tmp_path: Path, storage_address: str, sim: Simulated
) -> AsyncIterator[GeneratorProcess]:
    process = GeneratorProcess(
        tmp_path,
        {
            **variables(sim.world),
            "STORAGE_ADDRESS": storage_address,
            "GENERATOR_POLL_SECONDS": "0.1",
            "GENERATOR_ABSENCE_SECONDS": "0.5",
            "GENERATOR_SECOND_LOOKS_SECONDS": "[0.5]",
        },
    )
    yield process
    await process.close()


def request(provider: str, words: str) -> pb.CreateGenerationRequest:
    if provider == "openai_speech":
        task = generation_pb2.Task(speech=generation_pb2.SpeechTask(text=words))
    else:
        video = generation_pb2.VideoTask(
            prompt=words, duration=Duration(seconds=5), aspect_ratio="16:9", resolution="720p"
        )
        task = generation_pb2.Task(video=video)
    return pb.CreateGenerationRequest(request_id="j/1/1", model=MODELS[provider], task=task)


async def kill_at(process: GeneratorProcess, sim: Simulated, provider: str, point: str) -> str:
    """Let it die there; returns the generation's name."""
    if point != IN_FLIGHT:
        await process.start(GENERATOR_FAULT_POINT=point)
        made = await process.stub.CreateGeneration(request(provider, "A heron"))
        await ended(process)
        return str(made.generation.name)
    await process.start()
    made = await process.stub.CreateGeneration(request(provider, "A heron [[sim:hung_response]]"))

    async def charged() -> bool:
        return bool((await sim.bill())["count"])

    await until(charged, 20)
    await process.kill()
    return str(made.generation.name)


async def ended(process: GeneratorProcess) -> None:
    """It dies at its point; a vendor that answers at once has none to be polled at."""
    try:
        async with asyncio.timeout(8):
            assert await process.died() == -9
    except TimeoutError:
        await process.kill()


@asynccontextmanager
async def office(folder: Path) -> AsyncIterator[Reconciliation]:
    async with Database(f"sqlite:///{folder / 'generator.db'}", schema="generator") as database:
        yield Reconciliation(SqlLedger(database), now=utc_now)


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("provider", list(MODELS))
async def test_a_killed_generation_is_paid_once_and_its_clip_is_kept(
    generator: GeneratorProcess,
    sim: Simulated,
    storage: Any,
    tmp_path: Path,
    provider: str,
    point: str,
) -> None:
    name = await kill_at(generator, sim, provider, point)
    await generator.start()
    seen = await generator.follow(name, until=(State.STATE_UNKNOWN_OUTCOME,))
    if seen[-1].state == State.STATE_UNKNOWN_OUTCOME and provider != "kling":
        charges = (await sim.bill())["rows"]
        async with office(tmp_path) as desk:
            identifier = name.removeprefix("generations/")
            if charges:
                await desk.found(identifier, charges[0]["job_id"])
            else:
                await desk.never_arrived(identifier)
    last = (await generator.follow(name))[-1]
    bill = await sim.bill()
    assets = (await storage.ListAssets(storage_service_pb2.ListAssetsRequest())).assets
    assert last.submissions == 1
    assert bill["count"] <= 1
    assert last.cost.units * 10**6 + last.cost.nanos // 1000 == bill["owed_micros"]
    # Nothing was charged, or the clip is here, or it was in an answer that never came.
    lost_in_flight = provider == "openai_speech" and point == IN_FLIGHT
    assert len(assets) == (bill["count"] if not lost_in_flight else 0)
    assert (last.state == State.STATE_SUCCEEDED) == bool(assets)
