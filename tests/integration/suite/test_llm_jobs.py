"""A job whose words a language model has understood and translated tells who, how much and what."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio

from reelmesh.orchestrator.v1 import video_service_pb2 as pb
from services.prompt.adapters.llm.answers import QuantifyAnswer
from services.suite.simulator.server import simulating
from services.suite.simulator.world import World
from tests.fakes.llm import KEY, FakeLlm, serving
from tests.fakes.simulator import quick
from tests.fakes.vendored_suite import vendored_suite
from tests.stack import Client

pytestmark = [pytest.mark.timeout(120), pytest.mark.asyncio(loop_scope="module")]
SWAHILI = "Simba anatembea savana usiku, bila watu"
ENGLISH = "A lion walks across the savannah at night, without people"
# 300 tokens in at $1 and 100 out at $2 a million, as the fake reports them.
TOKENS, NANOS = 400, 500_000


@dataclass
class Studio:
    """A suite with one vendor and one language model."""

    world: World
    client: Client
    llm: FakeLlm

    async def made(self, prompt: str, *answers: dict[str, Any] | str, **more: Any) -> Any:
        """The job as it ended, its words answered by the language model in this order."""
        self.llm.answers[:] = answers
        asked = pb.GenerateVideoRequest(
            prompt=prompt,
            model="runway_gen4_5",
            cache=pb.CacheOptions(mode=pb.CACHE_MODE_OFF),
            **more,
        )
        return await self.client.end((await self.client.stub.GenerateVideo(asked)).job.name, 90)


def answered(prompt: str, language: str) -> dict[str, Any]:
    return {**dict.fromkeys(QuantifyAnswer.model_fields), "prompt": prompt, "language": language}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def studio(tmp_path_factory: pytest.TempPathFactory, nats_url: str) -> AsyncIterator[Studio]:
    """One suite for all tests of this file."""
    folder = tmp_path_factory.mktemp("llm")
    async with serving(FakeLlm("openai")) as llm, simulating(quick()) as world:
        settings = {
            "PROMPT_LLM_MODEL": "small",
            "PROMPT_LLM_BASE_URL": llm.base_url,
            "PROMPT_LLM_DIALECT": "openai",
            "PROMPT_LLM_API_KEY": KEY,
            "PROMPT_LLM_INPUT_PRICE_MICROS": "1000000",
            "PROMPT_LLM_OUTPUT_PRICE_MICROS": "2000000",
        }
        suite = vendored_suite(world, ["RUNWAY"], folder=folder, nats_url=nats_url, **settings)
        async with suite as client:
            yield Studio(world, client, llm)


async def test_a_job_tells_which_model_understood_it_with_tokens_and_cost(studio: Studio) -> None:
    words = "A dhow off Lamu, slow pan left"
    better = f"{words}, golden light on the sails"
    job = await studio.made(words, answered(better, "en"))
    assert job.state == job.STATE_SUCCEEDED, job
    told = job.quantified_prompt
    assert (told.source, told.llm_model, told.llm_tokens) == ("llm", "small", TOKENS)
    assert (told.llm_cost.currency_code, told.llm_cost.nanos) == ("USD", NANOS)
    assert studio.world.orders[-1][1].prompt.startswith(better)
    # What words cost is told beside the clip's price, which alone is held against budgets.
    assert job.cost == job.attempts[0].cost
    listed = await studio.client.get(job.name)
    assert listed.quantified_prompt == told


async def test_a_translation_tells_its_own_tokens_and_cost_with_what_was_sent(
    studio: Studio,
) -> None:
    job = await studio.made(SWAHILI, answered(SWAHILI, "sw"), answered(ENGLISH, "en"))
    assert job.state == job.STATE_SUCCEEDED, job
    assert studio.world.orders[-1][1].prompt.startswith(ENGLISH)
    sent = job.attempts[0].sent
    assert (sent.llm_model, sent.llm_tokens, sent.llm_cost.nanos) == ("small", TOKENS, NANOS)
    assert (job.quantified_prompt.language, sent.prompt_language) == ("sw", "en")
    assert job.quantified_prompt.llm_tokens == TOKENS
    assert not any("neno kwa neno" in warning for warning in job.warnings)


async def test_a_model_that_answers_nonsense_is_paid_and_told_and_rules_do_the_work(
    studio: Studio,
) -> None:
    job = await studio.made("A dhow at sunset, 4 seconds", "no JSON", "still none")
    assert job.state == job.STATE_SUCCEEDED, job
    told = job.quantified_prompt
    assert (told.source, told.llm_model, told.llm_tokens) == ("rules", "small", 2 * TOKENS)
    assert told.llm_cost.nanos == 2 * NANOS
    assert told.duration.seconds == 4
    assert any("language model" in warning for warning in job.warnings)
