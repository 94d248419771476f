"""From the caller's words to what a vendor is sent, through every service."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from reelmesh.orchestrator.v1 import video_service_pb2 as pb
from services.common.errors import InvalidArgument
from services.common.wording import units
from services.suite.simulator.server import simulating
from services.suite.simulator.world import World
from tests.fakes.simulator import quick
from tests.fakes.vendored_suite import vendored_suite
from tests.stack import Client

pytestmark = pytest.mark.timeout(180)
SWAHILI = "Simba anatembea savana usiku, bila watu"
LONG = "Emma walks slowly through the crowded market and looks at every stall. " * 30


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with simulating(quick()) as found:
        yield found


@pytest.fixture
async def client(world: World, tmp_path: Path, nats_url: str) -> AsyncIterator[Client]:
    async with vendored_suite(world, ["HF", "RUNWAY"], folder=tmp_path, nats_url=nats_url) as found:
        yield found


def wish(prompt: str, model: str, **more: Any) -> pb.GenerateVideoRequest:
    return pb.GenerateVideoRequest(
        prompt=prompt, model=model, cache=pb.CacheOptions(mode=pb.CACHE_MODE_OFF), **more
    )


async def made(client: Client, asked: pb.GenerateVideoRequest) -> Any:
    job = await client.end((await client.stub.GenerateVideo(asked)).job.name, 90)
    assert job.state == job.STATE_SUCCEEDED, job
    assert job.prompt == asked.prompt  # byte for byte
    return job


async def test_each_vendor_is_sent_what_it_takes_and_the_job_tells_what_was_done(
    world: World, client: Client
) -> None:
    job = await made(client, wish(SWAHILI, "huggingface_api", variations=2))
    assert job.language == "sw"  # nobody said it: that of the words
    assert (job.quantified_prompt.language, job.quantified_prompt.prompt_language) == ("sw", "")
    sent = {order.prompt for _, order in world.orders}
    assert sent == {attempt.sent.prompt for attempt in job.attempts}
    [english] = sent
    assert english.startswith("Lion walks savannah at night, without people")
    assert {attempt.sent.prompt_language for attempt in job.attempts} == {"en"}
    assert any("yametafsiriwa neno kwa neno" in told for told in job.warnings)
    plan = await client.stub.PlanVideo(
        pb.PlanVideoRequest(request=wish(SWAHILI, "huggingface_api"))
    )
    assert plan.quantified_prompt.prompt == english  # the preview is what is sent
    assert set(plan.warnings) <= set(job.warnings)

    asked = wish(LONG, "runway_gen4_5", negative_prompt="cars", camera_motion="orbit")
    job = await made(client, asked)
    vendor, order = world.orders[-1]
    assert vendor == "runway"
    assert order.prompt == job.attempts[0].sent.prompt
    assert units(order.prompt) <= 1_000
    assert order.prompt.startswith("Emma walks slowly")
    assert order.prompt.endswith("Camera: orbit. Avoid: cars.")
    told = " ".join(job.warnings)
    assert all(word in told for word in ("the end was cut", "negative prompt", "camera move"))


async def test_words_that_may_not_be_changed_reach_the_vendor_byte_for_byte_or_not_at_all(
    world: World, client: Client
) -> None:
    words = "Slow pan left over a lake,  two spaces and a  tab\tstay.\n"
    asked = wish(words, "runway_gen4_5", enhance=pb.ENHANCE_OFF, style="anime")
    job = await made(client, asked)
    assert [order.prompt for _, order in world.orders] == [words]
    assert any("anime" in told for told in job.warnings)
    swahili = await made(client, wish(SWAHILI, "huggingface_api", enhance=pb.ENHANCE_OFF))
    assert world.orders[-1][1].prompt == SWAHILI
    assert any('huenda isielewe "sw"' in told for told in swahili.warnings)
    with pytest.raises(InvalidArgument, match=r"prompt.*at most 1000 characters"):
        await client.stub.GenerateVideo(wish(LONG, "runway_gen4_5", enhance=pb.ENHANCE_OFF))
    assert len(world.orders) == 2
