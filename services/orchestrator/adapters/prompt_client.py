"""The prompt service over gRPC, on behalf of a tenant."""

from dataclasses import replace

from reelmesh.prompt.v1 import prompt_pb2, prompt_service_pb2
from reelmesh.prompt.v1.prompt_service_pb2_grpc import PromptServiceStub
from services.common.channels import Channel
from services.common.identity import Identity, acting_as
from services.orchestrator.adapters.wire import from_duration, from_money, to_duration
from services.orchestrator.domain.compiling import CompileOrder
from services.orchestrator.domain.models import Model
from services.orchestrator.domain.options import Enhance
from services.orchestrator.domain.request import VideoRequest
from services.orchestrator.domain.values import Compiled, Quantified
from services.orchestrator.usecases.accept import as_asked

_ENHANCE = {
    Enhance.AUTO: prompt_pb2.ENHANCE_AUTO,
    Enhance.ON: prompt_pb2.ENHANCE_ON,
    Enhance.OFF: prompt_pb2.ENHANCE_OFF,
}
# What both sides call by the same name.
_PLAIN = (
    *("aspect_ratio", "resolution", "fps", "style", "quality", "camera_motion", "shot_type"),
    *("mood", "time_of_day", "negative_prompt"),
)
_LIMITS = (
    *("max_prompt_characters", "negative_prompt", "style", "camera_motion", "text", "languages"),
    *("aspect_ratios", "resolutions", "fps", "min_fps", "max_fps", "whole_seconds"),
)

QUANTIFY = "/reelmesh.prompt.v1.PromptService/QuantifyPrompt"
COMPILE = "/reelmesh.prompt.v1.PromptService/CompilePrompt"


class PromptClient:
    """`domain.ports.PromptPort`."""

    def __init__(self, channel: Channel) -> None:
        """Make the channel with `retry=[QUANTIFY, COMPILE]`: neither changes anything."""
        self._stub = PromptServiceStub(channel)

    async def quantify(
        self, tenant: str, request: VideoRequest
    ) -> tuple[Quantified, tuple[str, ...]]:
        """See `PromptPort.quantify`."""
        asked = prompt_service_pb2.QuantifyPromptRequest(
            prompt=request.prompt,
            parameters=_parameters(request),
            enhance=_ENHANCE[request.enhance],
            language=request.language,
            packs=request.packs,
            preset=request.preset,
            rules_only=request.routing.local_only,
        )
        with acting_as(Identity(tenant)):
            answer = await self._stub.QuantifyPrompt(asked)
        found = answer.quantified_prompt
        made = replace(
            _quantified(found, request), template=request.template, preset=request.preset
        )
        return made, tuple(found.warnings)

    async def compile(self, order: CompileOrder) -> Compiled:
        """See `PromptPort.compile`."""
        wanted = order.wanted
        asked = prompt_service_pb2.CompilePromptRequest(
            quantified_prompt=_message(wanted, order.request),
            limits=_limits(order.model),
            enhance=_ENHANCE[order.request.enhance],
            language=order.language,
            fixed=order.fixed,
            rules_only=order.request.routing.local_only,
        )
        with acting_as(Identity(order.tenant)):
            answer = await self._stub.CompilePrompt(asked)
        found = answer.quantified_prompt
        made = _quantified(found, order.request)
        # Who understood the words is told already; here it is who translated them.
        made = replace(made, source=wanted.source, template=wanted.template, preset=wanted.preset)
        return Compiled(made, tuple(found.warnings))


def _parameters(request: VideoRequest) -> prompt_pb2.VideoParameters:
    return prompt_pb2.VideoParameters(
        duration=to_duration(request.duration_seconds),
        aspect_ratio=request.aspect_ratio,
        resolution=request.resolution,
        fps=request.fps or 0,
        style=request.style,
        camera_motion=request.camera_motion,
        shot_type=request.facets.shot_type,
        mood=request.facets.mood,
        time_of_day=request.facets.time_of_day,
        negative_prompt=request.negative_prompt,
        characters=request.facets.characters,
        landscapes=request.facets.landscapes,
    )


def _quantified(found: prompt_pb2.QuantifiedPrompt, request: VideoRequest) -> Quantified:
    said, unsaid = found.parameters, as_asked(request)
    return Quantified(
        prompt=found.prompt,
        language=found.language,
        duration_seconds=from_duration(said.duration) or unsaid.duration_seconds,
        aspect_ratio=said.aspect_ratio or unsaid.aspect_ratio,
        resolution=said.resolution or unsaid.resolution,
        fps=said.fps or unsaid.fps,
        style=said.style,
        quality=said.quality,
        camera_motion=said.camera_motion,
        shot_type=said.shot_type,
        mood=said.mood,
        time_of_day=said.time_of_day,
        negative_prompt=said.negative_prompt,
        characters=tuple(said.characters),
        landscapes=tuple(said.landscapes),
        provenance=dict(found.provenance),
        source=found.source or "rules",
        template=found.template,
        prompt_language=found.prompt_language,
        llm_model=found.llm_model,
        llm_tokens=found.llm_tokens,
        llm_cost_micros=from_money("cost", found.cost) if found.HasField("cost") else None,
    )


def _message(wanted: Quantified, request: VideoRequest) -> prompt_pb2.QuantifiedPrompt:
    """The prompt as the service returned it before."""
    said = prompt_pb2.VideoParameters(
        duration=to_duration(wanted.duration_seconds),
        characters=wanted.characters,
        landscapes=wanted.landscapes,
        **{name: getattr(wanted, name) for name in _PLAIN},
    )
    return prompt_pb2.QuantifiedPrompt(
        original=request.prompt,
        prompt=wanted.prompt,
        language=wanted.language,
        parameters=said,
        provenance=wanted.provenance,
        prompt_language=wanted.prompt_language,
    )


def _limits(model: Model) -> prompt_service_pb2.ModelLimits:
    return prompt_service_pb2.ModelLimits(
        durations=[d for d in map(to_duration, model.durations) if d is not None],
        min_duration=to_duration(model.min_duration),
        max_duration=to_duration(model.max_duration),
        **{name: getattr(model, name) for name in _LIMITS},
    )
