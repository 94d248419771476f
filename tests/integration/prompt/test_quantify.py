"""QuantifyPrompt over real gRPC, by rules and by a language model behind real HTTP."""

import time
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration

from reelmesh.prompt.v1 import prompt_pb2, prompt_service_pb2
from tests.fakes.llm import SUNSET, FakeLlm, serving
from tests.integration.prompt.conftest import Connect

pytestmark = pytest.mark.timeout(60)


async def test_the_seeds_sunset_over_the_wire(connect: Connect) -> None:
    async with connect() as service:
        answer = await service.QuantifyPrompt(
            prompt_service_pb2.QuantifyPromptRequest(prompt="Create a cool video of a sunset")
        )
    quantified = answer.quantified_prompt
    assert quantified.original == "Create a cool video of a sunset"
    assert quantified.prompt == (
        "Create a cool video of a sunset, cinematic, golden hour lighting, peaceful atmosphere"
    )
    assert quantified.parameters.duration == Duration(seconds=5)
    assert quantified.parameters.style == "cinematic"
    assert quantified.parameters.quality == "high"
    assert quantified.parameters.time_of_day == "sunset"
    assert quantified.provenance["duration"] == "default"
    assert quantified.provenance["time_of_day"] == "rules"
    assert quantified.source == "rules"
    assert not quantified.HasField("cost")


async def test_what_the_caller_set_comes_back_unchanged(connect: Connect) -> None:
    mine = prompt_pb2.VideoParameters(
        duration=Duration(seconds=2, nanos=500_000_000),
        aspect_ratio="4:3",
        resolution="540p",
        fps=12,
        style="my style",
        quality="draft",
        camera_motion="whirl",
        shot_type="odd",
        mood="blue",
        time_of_day="noon",
        negative_prompt="cats",
        variations=2,
        characters=["Zed"],
        landscapes=["moor"],
    )
    async with connect() as service:
        answer = await service.QuantifyPrompt(
            prompt_service_pb2.QuantifyPromptRequest(
                prompt="10 s 16:9 4K 60 fps anime sunset, wide shot, happy, zoom in, no dogs",
                parameters=mine,
                enhance=prompt_pb2.ENHANCE_OFF,
            )
        )
    assert answer.quantified_prompt.parameters == mine
    assert set(answer.quantified_prompt.provenance.values()) == {"caller"}
    assert len(answer.quantified_prompt.warnings) == 9


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        ({"prompt": ""}, "prompt"),
        ({"prompt": "x" * 20_001}, "prompt"),
        ({"prompt": "a", "parameters": {"fps": -1}}, "parameters.fps"),
        ({"prompt": "a", "parameters": {"duration": {"seconds": -1}}}, "parameters.duration"),
        ({"prompt": "a", "parameters": {"aspect_ratio": "x"}}, "parameters.aspect_ratio"),
        ({"prompt": "a", "language": "x" * 50}, "language"),
        ({"prompt": "a", "packs": ["kenya"] * 201}, "packs"),
        ({"prompt": "a", "limits": {"fps": [24] * 201}}, "limits.fps"),
        ({"prompt": "a", "limits": {"max_prompt_characters": -1}}, "max_prompt_characters"),
    ],
)
async def test_a_wrong_value_is_refused_by_name(
    request_: dict[str, Any], field: str, connect: Connect
) -> None:
    async with connect() as service:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await service.QuantifyPrompt(prompt_service_pb2.QuantifyPromptRequest(**request_))
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert field in (refused.value.details() or "")


async def test_a_configured_model_answers_and_its_cost_is_told(connect: Connect) -> None:
    async with serving(FakeLlm("deepseek")) as fake:
        settings = {
            "llm_model": "deepseek-flash",
            "llm_base_url": fake.base_url,
            "llm_dialect": "deepseek",
            "llm_api_key": "sk-test-1234567890",
            "llm_input_price_micros": 1_000_000,
            "llm_output_price_micros": 2_000_000,
        }
        async with connect(**settings) as service:
            answer = await service.QuantifyPrompt(
                prompt_service_pb2.QuantifyPromptRequest(prompt="A sunset over the sea")
            )
    quantified = answer.quantified_prompt
    assert quantified.prompt == SUNSET["prompt"]
    assert quantified.source == "llm"
    assert quantified.llm_model == "deepseek-flash"
    assert quantified.llm_tokens == 400
    assert quantified.cost.nanos == 500_000


async def test_a_model_that_is_slower_than_the_callers_deadline_gives_way_to_rules(
    connect: Connect,
) -> None:
    async with serving(FakeLlm(delay=60)) as fake:
        settings = {"llm_model": "slow", "llm_base_url": fake.base_url, "llm_timeout": 60}
        async with connect(**settings) as service:
            answer = await service.QuantifyPrompt(
                prompt_service_pb2.QuantifyPromptRequest(prompt="A sunset"), timeout=6
            )
    assert answer.quantified_prompt.source == "rules"
    assert "timeout" in answer.quantified_prompt.warnings[0]


async def test_rules_answer_in_milliseconds(connect: Connect) -> None:
    request = prompt_service_pb2.QuantifyPromptRequest(prompt="A cat in the rain at night, 8 s")
    times = []
    async with connect() as service:
        for _ in range(30):
            started = time.process_time()
            await service.QuantifyPrompt(request)
            times.append(time.process_time() - started)
    assert sorted(times)[15] < 0.05
