"""Templates and presets over gRPC, on behalf of a tenant."""

from collections.abc import Mapping
from typing import Any

from reelmesh.prompt.v1 import prompt_pb2, prompt_service_pb2
from reelmesh.prompt.v1.prompt_service_pb2_grpc import PromptServiceStub
from services.common.channels import Channel
from services.common.identity import Identity, acting_as
from services.orchestrator.adapters.wire import from_duration
from services.orchestrator.domain.request import ASPECT_RATIOS, CAMERA_MOTIONS, RESOLUTIONS
from services.orchestrator.domain.styles import Filled, Looks, StylePreset

FILL = "/reelmesh.prompt.v1.PromptService/FillTemplate"
PRESETS = "/reelmesh.prompt.v1.PromptService/ListPresets"
# What a request can carry; a value that it has no word for is left to the prompt service.
_CARRIED = {
    "aspect_ratio": ASPECT_RATIOS,
    "resolution": RESOLUTIONS,
    "camera_motion": CAMERA_MOTIONS,
    "style": (),
    "negative_prompt": (),
    "fps": (),
}


class StylesClient:
    """`domain.styles.StylesPort`."""

    def __init__(self, channel: Channel) -> None:
        """Make the channel with `retry=[FILL, PRESETS]`: both only read."""
        self._stub = PromptServiceStub(channel)

    async def fill(self, tenant: str, template: str, values: Mapping[str, str]) -> Filled:
        """See `StylesPort.fill`."""
        request = prompt_service_pb2.FillTemplateRequest(template=template, template_values=values)
        with acting_as(Identity(tenant)):
            answer = await self._stub.FillTemplate(request)
        found = answer.template
        return Filled(
            name=f"{found.name}@{found.version}",
            text=answer.text,
            defaults=_fields(found.defaults),
        )

    async def looks(self, tenant: str) -> Looks:
        """See `StylesPort.looks`."""
        with acting_as(Identity(tenant)):
            answer = await self._stub.ListPresets(prompt_service_pb2.ListPresetsRequest())
        presets = (
            StylePreset(
                id=found.id,
                pack=found.pack,
                phrase=found.phrase,
                parameters=_fields(found.parameters),
            )
            for found in answer.presets
        )
        return Looks(presets=tuple(presets), packs=tuple(answer.packs))


def _fields(said: prompt_pb2.VideoParameters) -> dict[str, Any]:
    """What is set, by the names that a request has for it."""
    told = {name: getattr(said, name) for name in _CARRIED}
    found = {n: v for n, v in told.items() if v and (not _CARRIED[n] or v in _CARRIED[n])}
    seconds = from_duration(said.duration) if said.HasField("duration") else None
    return found | ({"duration_seconds": seconds} if seconds else {})
