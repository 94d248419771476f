"""Analyses and presets."""

from reelmesh.prompt.v1 import prompt_pb2, prompt_service_pb2
from services.prompt.convert.prompts import duration_of, parameters_to
from services.prompt.domain.analysis import Analysis, AnalyzeRequest
from services.prompt.domain.culture import Found, Preset


def analyze_request_from(message: prompt_service_pb2.AnalyzePromptRequest) -> AnalyzeRequest:
    """The request."""
    return AnalyzeRequest(
        prompt=message.prompt,
        user_preferences=dict(message.user_preferences),
        network_status=message.network_status,
        available_models=tuple(message.available_models),
    )


def analysis_to(analysis: Analysis) -> prompt_pb2.PromptAnalysis:
    """The answer."""
    needs = analysis.resource_requirements
    return prompt_pb2.PromptAnalysis(
        complexity=analysis.complexity,
        cultural_elements=[_element_to(found) for found in analysis.cultural_elements],
        resource_requirements=prompt_pb2.ResourceRequirements(
            scenes=needs.scenes,
            duration=duration_of(needs.duration_seconds),
            vram_mib=needs.vram_mib,
            weight=needs.weight,
        ),
        user_preferences=dict(analysis.user_preferences),
        network_status=analysis.network_status,
        available_models=analysis.available_models,
        language=analysis.language,
    )


def _element_to(found: Found) -> prompt_pb2.CulturalElement:
    return prompt_pb2.CulturalElement(
        pack=found.pack,
        element=found.element.id,
        kind=found.element.kind,
        start=found.start,
        end=found.end,
        text=found.text,
    )


def preset_to(preset: Preset) -> prompt_pb2.Preset:
    """A preset, with its English words: a model understands them best."""
    return prompt_pb2.Preset(
        id=preset.id,
        display_name=preset.display_name["en"],
        kind=preset.kind,
        pack=preset.pack,
        phrase=preset.phrase["en"],
        parameters=parameters_to(preset.parameters),
    )
