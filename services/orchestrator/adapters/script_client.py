"""Scripts broken down by the prompt service, on behalf of a tenant."""

from reelmesh.prompt.v1 import prompt_pb2, prompt_service_pb2
from reelmesh.prompt.v1.prompt_service_pb2_grpc import PromptServiceStub
from services.common.channels import Channel
from services.common.identity import Identity, acting_as
from services.orchestrator.adapters.wire import from_duration
from services.orchestrator.domain.films.ports import Breakdown
from services.orchestrator.domain.films.shots import Line, Shot
from services.orchestrator.domain.request import CAMERA_MOTIONS

BREAK_DOWN = "/reelmesh.prompt.v1.PromptService/BreakDownScript"
_SHORTEST, _LONGEST, _USUAL = 1.0, 60.0, 5.0


class ScriptClient:
    """`domain.films.ports.ScriptPort`."""

    def __init__(self, channel: Channel) -> None:
        """Make the channel with `retry=[BREAK_DOWN]`: breaking down changes nothing."""
        self._stub = PromptServiceStub(channel)

    async def break_down(self, tenant: str, script: str, language: str) -> Breakdown:
        """See `ScriptPort.break_down`."""
        del language  # of the messages; that of the script is read from it
        request = prompt_service_pb2.BreakDownScriptRequest(script=script)
        with acting_as(Identity(tenant)):
            answer = await self._stub.BreakDownScript(request)
        found = answer.breakdown
        looks = {person.name: person.description for person in found.characters}
        shots = [_shot(shot, scene, looks) for scene in found.scenes for shot in scene.shots]
        return Breakdown(
            title=found.title[:256], shots=tuple(shots), warnings=tuple(found.warnings)
        )


def _shot(shot: prompt_pb2.Shot, scene: prompt_pb2.Scene, looks: dict[str, str]) -> Shot:
    place = shot.landscape or scene.landscape
    seconds = from_duration(shot.duration) or _USUAL
    return Shot(
        shot_id=f"shot-{shot.number:03d}",
        prompt=_seen(shot, scene, looks),
        duration_seconds=min(max(seconds, _SHORTEST), _LONGEST),
        lines=tuple(
            Line(text=line.text, speaker=line.speaker) for line in shot.dialogue if line.text
        ),
        characters=tuple(shot.characters),
        landscapes=(place,) if place else (),
        mood=shot.mood or scene.mood,
        time_of_day=shot.time_of_day or scene.time_of_day,
        shot_type=shot.shot_type,
        camera_motion=shot.camera_motion if shot.camera_motion in CAMERA_MOTIONS else "",
    )


def _seen(shot: prompt_pb2.Shot, scene: prompt_pb2.Scene, looks: dict[str, str]) -> str:
    """What is seen, in words for a model: the action, the place, what people look like."""
    place = shot.landscape or scene.landscape
    action = shot.action or ", ".join(shot.characters) or scene.heading
    told = [(name, looks.get(name, "")) for name in shot.characters]
    people = [f"{name}: {look}" for name, look in told if look and look not in action]
    parts = [action, place if place.lower() not in action.lower() else "", *people]
    return ". ".join(part.strip().rstrip(".") for part in parts if part)[:5000]
