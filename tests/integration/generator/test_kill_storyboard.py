"""kill -9 at each named step while the storyboard engine works: nothing lost, nothing doubled."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration

from reelmesh.generator.v1 import generation_pb2
from reelmesh.generator.v1 import generator_service_pb2 as pb
from reelmesh.storage.v1 import storage_service_pb2
from services.generator.domain.steps import Step
from tests.fakes.generator_process import GeneratorProcess, State

pytestmark = pytest.mark.timeout(90)

# An engine dies with its process: what it was drawing is free to be ordered again as a new attempt.
INTERRUPTED = {Step.AFTER_ID, Step.POLLING}
# Before, during and after the drawing always; every step of a generation at a vendor's is in
# test_kill_vendor.py, `make stress` takes all of them here too.
ALWAYS = {Step.LEDGER_WRITTEN, Step.POLLING, Step.AFTER_UPLOAD}
STEPS = [step if step in ALWAYS else pytest.param(step, marks=pytest.mark.stress) for step in Step]


def request(request_id: str = "job1/n1/1") -> pb.CreateGenerationRequest:
    video = generation_pb2.VideoTask(
        prompt="a heron at dawn",
        duration=Duration(seconds=1),
        aspect_ratio="16:9",
        resolution="480p",
        fps=8,
    )
    task = generation_pb2.Task(video=video)
    return pb.CreateGenerationRequest(request_id=request_id, model="storyboard", task=task)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.stress)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Every step on one database always; `make stress` takes both."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'test.sqlite'}"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
async def generator(
    tmp_path: Path, database_url: str, storage_address: str
) -> AsyncIterator[GeneratorProcess]:
    settings = {"DATABASE_URL": database_url, "STORAGE_ADDRESS": storage_address}
    process = GeneratorProcess(tmp_path, settings)
    yield process
    await process.close()


@pytest.mark.parametrize("step", STEPS)
async def test_a_generation_ends_once_wherever_its_process_is_killed(
    generator: GeneratorProcess, storage: Any, step: Step
) -> None:
    await generator.start(GENERATOR_FAULT_POINT=step.value)
    first = (await generator.stub.CreateGeneration(request())).generation
    assert await generator.died() == -9
    await generator.start()
    again = await generator.create(request())
    assert again.name == first.name
    seen = await generator.follow(first.name)
    last = seen[-1]
    sequences = [generation.sequence for generation in seen]
    assert sequences == sorted(set(sequences))
    assert last.submissions == 1
    assets = (await storage.ListAssets(storage_service_pb2.ListAssetsRequest())).assets
    if step in INTERRUPTED:
        assert last.state == State.STATE_FAILED
        assert "interrupted by a restart" in last.error.message
        assert last.cost.units == last.cost.nanos == 0
        assert last.cost_source == "free"
        assert len(assets) == 0
    else:
        assert last.state == State.STATE_SUCCEEDED
        assert [asset.name for asset in assets] == [last.asset]
        assert assets[0].sha256 == last.output.sha256
        assert assets[0].placeholder
    assert (await generator.create(request())).sequence == last.sequence
