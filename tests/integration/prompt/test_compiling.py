"""Compiling for a model, and filling templates, over real gRPC."""

from typing import Any

import grpc
import pytest

from reelmesh.prompt.v1 import prompt_pb2
from reelmesh.prompt.v1 import prompt_service_pb2 as pb
from services.prompt.adapters.llm.answers import QuantifyAnswer
from tests.fakes.llm import FakeLlm, serving
from tests.integration.prompt.conftest import Connect

pytestmark = pytest.mark.timeout(60)
SWAHILI = "Simba anatembea savana usiku, bila watu"
ENGLISH = "A lion walks over the savannah at night, without people"


async def test_a_prompt_is_compiled_with_what_the_caller_has_set(connect: Connect) -> None:
    limits = pb.ModelLimits(
        max_prompt_characters=300, languages=["en"], min_fps=8, max_fps=30, style=True
    )
    limits.durations.add(seconds=6)
    asked = prompt_pb2.VideoParameters(style="anime", camera_motion="orbit", fps=60)
    asked.duration.FromSeconds(5)
    async with connect() as service:
        first = await service.QuantifyPrompt(
            pb.QuantifyPromptRequest(prompt=SWAHILI, parameters=asked)
        )
        made = await service.CompilePrompt(
            pb.CompilePromptRequest(
                quantified_prompt=first.quantified_prompt,
                limits=limits,
                language="en",
                fixed=["duration"],
            )
        )
    found = made.quantified_prompt
    assert (found.original, found.language, found.prompt_language) == (SWAHILI, "sw", "en")
    assert found.prompt.startswith("Lion walks")
    assert "camera orbits" in found.prompt
    said = found.parameters
    assert (said.duration.seconds, said.fps, said.style, said.camera_motion) == (5, 30, "anime", "")
    assert found.provenance == first.quantified_prompt.provenance
    assert all("model" in told or "translated" in told for told in found.warnings)
    assert len(found.warnings) == 2


async def test_a_translation_by_a_language_model_is_paid_for_and_told(connect: Connect) -> None:
    previous = prompt_pb2.QuantifiedPrompt(original=SWAHILI, prompt=SWAHILI, language="sw")
    order = pb.CompilePromptRequest(
        quantified_prompt=previous, limits=pb.ModelLimits(languages=["en"])
    )
    answer = {**dict.fromkeys(QuantifyAnswer.model_fields), "prompt": ENGLISH, "language": "en"}
    async with serving(FakeLlm(answers=[answer])) as fake:
        settings = {
            "llm_model": "local",
            "llm_base_url": fake.base_url,
            "llm_dialect": "vllm",
            "llm_input_price_micros": 1_000_000,
            "llm_output_price_micros": 2_000_000,
        }
        async with connect(**settings) as service:
            made = (await service.CompilePrompt(order)).quantified_prompt
    assert (made.source, made.llm_model, made.llm_tokens) == ("llm", "local", 400)
    assert made.prompt == ENGLISH


async def test_what_cannot_be_compiled_is_refused_by_name(connect: Connect) -> None:
    previous = prompt_pb2.QuantifiedPrompt(original="A cat", prompt="A cat", language="en")
    async with connect() as service:
        with pytest.raises(grpc.aio.AioRpcError) as nothing:
            await service.CompilePrompt(pb.CompilePromptRequest())
        with pytest.raises(grpc.aio.AioRpcError) as unknown:
            await service.CompilePrompt(
                pb.CompilePromptRequest(quantified_prompt=previous, fixed=["colour"])
            )
    for refused, field in ((nothing, "prompt"), (unknown, "fixed")):
        assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert field in (refused.value.details() or "")


async def test_a_template_is_filled_without_being_understood(connect: Connect) -> None:
    template: Any = {
        "display_name": "House",
        "body": "{prompt}, seen by {who}",
        "defaults": {"style": "anime"},
    }
    async with connect() as service:
        made = (await service.CreateTemplate(pb.CreateTemplateRequest(template=template))).template
        values = {"prompt": "{prompt}", "who": "a child"}
        filled = await service.FillTemplate(
            pb.FillTemplateRequest(template=made.name, template_values=values)
        )
        with pytest.raises(grpc.aio.AioRpcError) as missing:
            await service.FillTemplate(pb.FillTemplateRequest(template="templates/none"))
    assert filled.text == "{prompt}, seen by a child"
    assert filled.template == made
    assert missing.value.code() is grpc.StatusCode.NOT_FOUND
