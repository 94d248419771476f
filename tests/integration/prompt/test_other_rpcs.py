"""Analyse, regenerate, presets and scripts over real gRPC."""

from typing import Any

import grpc
import pytest

from reelmesh.prompt.v1 import prompt_pb2
from reelmesh.prompt.v1 import prompt_service_pb2 as pb
from tests.fakes.llm import FakeLlm, serving
from tests.integration.prompt.conftest import Connect

pytestmark = pytest.mark.timeout(60)


async def test_analysis_has_all_six_keys_on_the_wire(connect: Connect) -> None:
    async with connect() as service:
        answer = await service.AnalyzePrompt(
            pb.AnalyzePromptRequest(
                prompt="Simba near Mount Kenya at dawn, then a matatu in Nairobi, 20 seconds",
                user_preferences={"Quality": " high "},
                network_status="online",
                available_models=["google_veo", "google_veo", "storyboard"],
            )
        )
    found = answer.analysis
    assert 0 < found.complexity < 1
    assert [e.element for e in found.cultural_elements] == [
        "lion",
        "mount_kenya",
        "matatu",
        "nairobi",
    ]
    assert found.resource_requirements.scenes == 2
    assert found.resource_requirements.duration.seconds == 20
    assert dict(found.user_preferences) == {"quality": "high"}
    assert found.network_status == "online"
    assert list(found.available_models) == ["google_veo", "storyboard"]


async def test_regeneration_over_the_wire_keeps_lineage_and_creative(connect: Connect) -> None:
    async with connect() as service:
        first = await service.QuantifyPrompt(pb.QuantifyPromptRequest(prompt="A cat at sunset"))
        second = await service.RegeneratePrompt(
            pb.RegeneratePromptRequest(
                previous=first.quantified_prompt, feedback="slower, 8 seconds", creative_id="c"
            )
        )
        third = await service.RegeneratePrompt(
            pb.RegeneratePromptRequest(
                previous=second.quantified_prompt,
                feedback="no people; zorble it",
                iteration=second.iteration,
            )
        )
    assert (second.parent_iteration, second.iteration, second.creative_id) == (1, 2, "c")
    assert [(c.field, c.because) for c in second.changes] == [
        ("prompt", "slower"),
        ("duration", "8 seconds"),
    ]
    assert second.quantified_prompt.parameters.duration.seconds == 8
    assert (third.parent_iteration, third.iteration) == (2, 3)
    assert third.quantified_prompt.original == "A cat at sunset"
    assert third.quantified_prompt.parameters.negative_prompt == "people"
    assert list(third.not_understood) == ["zorble it"]


async def test_presets_are_listed_by_pack(connect: Connect) -> None:
    async with connect() as service:
        every = (await service.ListPresets(pb.ListPresetsRequest())).presets
        kenya = (await service.ListPresets(pb.ListPresetsRequest(pack="kenya"))).presets
        news = await service.QuantifyPrompt(
            pb.QuantifyPromptRequest(prompt="A flood", preset="news")
        )
    assert len(every) > len(kenya) > 0
    assert {preset.pack for preset in kenya} == {"kenya"}
    assert [p.id for p in every] == sorted(p.id for p in every)
    assert news.quantified_prompt.parameters.style == "news"


async def test_a_script_is_broken_down_over_the_wire(connect: Connect) -> None:
    script = "INT. ATTIC - NIGHT\n\nDust.\n\nEMMA\n(softly)\nHello? [laughs]\n\n" * 2
    async with connect() as service:
        answer = await service.BreakDownScript(pb.BreakDownScriptRequest(script=script))
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await service.BreakDownScript(pb.BreakDownScriptRequest(script="[1"))
    found = answer.breakdown
    assert [scene.number for scene in found.scenes] == [1, 2]
    line = found.scenes[0].shots[0].dialogue[0]
    assert (line.speaker, line.text, list(line.cues)) == ("Emma", "Hello?", ["softly", "laughs"])
    assert found.scenes[0].shots[0].duration.seconds > 0
    assert found.characters[0].lines == 2
    assert found.source == "rules"
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_the_longest_script_fits_in_a_message(connect: Connect) -> None:
    async with connect() as service:
        answer = await service.BreakDownScript(
            pb.BreakDownScriptRequest(script="A night " * 250_000, format="prose"), timeout=9
        )
    assert len(answer.breakdown.scenes) == 1


async def test_templates_are_kept_across_a_restart(connect: Connect) -> None:
    template: Any = {"display_name": "Animal", "body": "a {animal}", "defaults": {"style": "anime"}}
    async with connect() as service:
        made = await service.CreateTemplate(pb.CreateTemplateRequest(template=template))
        again = await service.CreateTemplate(
            pb.CreateTemplateRequest(template=template | {"name": made.template.name})
        )
    async with connect() as service:
        found = await service.ListTemplates(pb.ListTemplatesRequest(page_size=1))
        with pytest.raises(grpc.aio.AioRpcError) as missing:
            await service.CreateTemplate(
                pb.CreateTemplateRequest(template=template | {"name": "templates/none"})
            )
        with pytest.raises(grpc.aio.AioRpcError) as bad:
            await service.ListTemplates(pb.ListTemplatesRequest(page_token="ß"))
    assert made.template.version == 1
    assert list(found.templates) == [again.template]
    assert again.template.version == 2
    assert again.template.defaults.style == "anime"
    assert again.template.create_time.seconds > 1_700_000_000
    assert found.next_page_token == ""
    assert missing.value.code() is grpc.StatusCode.NOT_FOUND
    assert bad.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_template_is_filled_and_its_version_told(connect: Connect) -> None:
    template: Any = {
        "display_name": "Animal",
        "body": "a {animal} at sunset, {prompt}",
        "defaults": {"style": "anime", "mood": "joyful"},
    }
    async with connect() as service:
        made = (await service.CreateTemplate(pb.CreateTemplateRequest(template=template))).template
        filled = await service.QuantifyPrompt(
            pb.QuantifyPromptRequest(
                template=made.name,
                template_values={"animal": "lion"},
                prompt="slow zoom in",
                parameters=prompt_pb2.VideoParameters(mood="sad"),
            )
        )
        again = await service.RegeneratePrompt(
            pb.RegeneratePromptRequest(previous=filled.quantified_prompt, feedback="slower")
        )
        with pytest.raises(grpc.aio.AioRpcError) as missing:
            await service.QuantifyPrompt(pb.QuantifyPromptRequest(template=made.name))
        with pytest.raises(grpc.aio.AioRpcError) as useless:
            await service.QuantifyPrompt(
                pb.QuantifyPromptRequest(prompt="a cat", template_values={"animal": "lion"})
            )
    found = filled.quantified_prompt
    assert found.original == "a lion at sunset, slow zoom in"
    assert (found.parameters.style, found.parameters.mood) == ("anime", "sad")
    assert found.parameters.camera_motion == "zoom_in"
    assert found.template == f"{made.name}@1"
    assert again.quantified_prompt.template == f"{made.name}@1"
    assert "template_values.animal" in (missing.value.details() or "")
    assert "template_values" in (useless.value.details() or "")


async def test_a_configured_model_serves_feedback_and_stories(connect: Connect) -> None:
    revised = {"prompt": "A cat in a storm", "prompt_wishes": [1], "changes": []}
    labelled = {
        "scenes": [{"first_paragraph": 0, "place": "kitchen", "time_of_day": "night"}],
        "speakers": [],
        "people": [],
    }
    previous = prompt_pb2.QuantifiedPrompt(original="A cat", prompt="A cat", language="en")
    async with serving(FakeLlm(answers=[revised, labelled])) as fake:
        settings = {
            "llm_model": "local",
            "llm_base_url": fake.base_url,
            "llm_dialect": "vllm",
            "llm_input_price_micros": 1_000_000,
            "llm_output_price_micros": 2_000_000,
        }
        async with connect(**settings) as service:
            made = await service.RegeneratePrompt(
                pb.RegeneratePromptRequest(previous=previous, feedback="let hell break loose")
            )
            story = await service.BreakDownScript(
                pb.BreakDownScriptRequest(script="The kitchen was dark.\n\nNobody spoke.")
            )
    assert made.quantified_prompt.prompt == "A cat in a storm"
    told = (made.quantified_prompt, story.breakdown)
    assert [(t.source, t.llm_model, t.llm_tokens) for t in told] == [("llm", "local", 400)] * 2
    assert [t.cost.nanos for t in told] == [500_000] * 2
    assert story.breakdown.scenes[0].time_of_day == "night"
