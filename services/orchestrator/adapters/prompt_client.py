"""The prompt service over gRPC, on behalf of a tenant."""

from reelmesh.prompt.v1 import prompt_pb2, prompt_service_pb2
from reelmesh.prompt.v1.prompt_service_pb2_grpc import PromptServiceStub
from services.common.channels import Channel
from services.common.identity import Identity, acting_as
from services.orchestrator.adapters.wire import from_duration, to_duration
from services.orchestrator.domain.options import Enhance
from services.orchestrator.domain.request import VideoRequest
from services.orchestrator.domain.values import Quantified
from services.orchestrator.usecases.accept import as_asked

_ENHANCE = {
    Enhance.AUTO: prompt_pb2.ENHANCE_AUTO,
    Enhance.ON: prompt_pb2.ENHANCE_ON,
    Enhance.OFF: prompt_pb2.ENHANCE_OFF,
}


QUANTIFY = "/reelmesh.prompt.v1.PromptService/QuantifyPrompt"


class PromptClient:
    """`domain.ports.PromptPort`."""

    def __init__(self, channel: Channel) -> None:
        """Make the channel with `retry=[QUANTIFY]`: quantifying changes nothing."""
        self._stub = PromptServiceStub(channel)

    async def quantify(
        self, tenant: str, request: VideoRequest
    ) -> tuple[Quantified, tuple[str, ...]]:
        """See `PromptPort.quantify`."""
        asked = prompt_service_pb2.QuantifyPromptRequest(
            prompt=request.prompt,
            parameters=_parameters(request),
            enhance=_ENHANCE[request.enhance],
        )
        with acting_as(Identity(tenant)):
            answer = await self._stub.QuantifyPrompt(asked)
        found = answer.quantified_prompt
        return _quantified(found, request), tuple(found.warnings)


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
    )
