"""Scripts broken down and shots told anew by the prompt service, on behalf of a tenant."""

from dataclasses import replace

from reelmesh.prompt.v1 import prompt_pb2, prompt_service_pb2
from reelmesh.prompt.v1.prompt_service_pb2_grpc import PromptServiceStub
from services.common.channels import Channel
from services.common.identity import Identity, acting_as
from services.orchestrator.adapters.wire import from_duration
from services.orchestrator.domain.films.cues import apart, emotion_in, is_heard
from services.orchestrator.domain.films.ports import Breakdown
from services.orchestrator.domain.films.shots import MAX_WORDS, Line, Shot
from services.orchestrator.domain.request import CAMERA_MOTIONS

BREAK_DOWN = "/reelmesh.prompt.v1.PromptService/BreakDownScript"
REGENERATE = "/reelmesh.prompt.v1.PromptService/RegeneratePrompt"
# What feedback can change of a shot besides its words; its length stays, for the sake of the cut.
_TOLD = frozenset({"negative_prompt", "mood", "time_of_day", "shot_type", "camera_motion"})
_SHORTEST, _LONGEST, _USUAL = 1.0, 60.0, 5.0


class ScriptClient:
    """`domain.films.ports.ScriptPort`."""

    def __init__(self, channel: Channel) -> None:
        """Make the channel with `retry=[BREAK_DOWN, QUANTIFY, REGENERATE]`: nothing changes."""
        self._stub = PromptServiceStub(channel)

    async def break_down(self, tenant: str, script: str, *, rules_only: bool = False) -> Breakdown:
        """See `ScriptPort.break_down`; the script's language is read from it."""
        request = prompt_service_pb2.BreakDownScriptRequest(script=script, rules_only=rules_only)
        with acting_as(Identity(tenant)):
            answer = await self._stub.BreakDownScript(request)
        found = answer.breakdown
        looks = {person.name: person.description for person in found.characters}
        shots = [_shot(shot, scene, looks) for scene in found.scenes for shot in scene.shots]
        return Breakdown(
            title=found.title[:256], shots=tuple(shots), warnings=tuple(found.warnings)
        )

    async def retell(
        self, tenant: str, shot: Shot, feedback: str, *, rules_only: bool = False
    ) -> Shot:
        """See `ScriptPort.retell`: read as it is, then changed as the feedback says."""
        parameters = prompt_pb2.VideoParameters(
            **{name: getattr(shot, name) for name in _TOLD}, characters=shot.characters
        )
        with acting_as(Identity(tenant)):
            read = await self._stub.QuantifyPrompt(
                prompt_service_pb2.QuantifyPromptRequest(
                    prompt=shot.prompt,
                    parameters=parameters,
                    enhance=prompt_pb2.ENHANCE_OFF,
                    rules_only=rules_only,
                )
            )
            answer = await self._stub.RegeneratePrompt(
                prompt_service_pb2.RegeneratePromptRequest(
                    previous=read.quantified_prompt, feedback=feedback, rules_only=rules_only
                )
            )
        return _retold(shot, answer)


def _retold(shot: Shot, answer: prompt_service_pb2.RegeneratePromptResponse) -> Shot:
    """The shot with what has changed; what was not understood is said in its words."""
    found, said = answer.quantified_prompt.prompt, answer.quantified_prompt.parameters
    changed = {change.field for change in answer.changes}
    told = {name: getattr(said, name) for name in changed.intersection(_TOLD)}
    if told.get("camera_motion", "") not in CAMERA_MOTIONS:
        told.pop("camera_motion", None)
    words = ". ".join([found or shot.prompt, *answer.not_understood])
    return replace(shot, prompt=words[:MAX_WORDS], **told)


def _shot(shot: prompt_pb2.Shot, scene: prompt_pb2.Scene, looks: dict[str, str]) -> Shot:
    place = shot.landscape or scene.landscape
    seconds = from_duration(shot.duration) or _USUAL
    told = [line for each in shot.dialogue if (line := _line(each))]
    lines, cues = apart(told)
    return Shot(
        shot_id=f"shot-{shot.number:03d}",
        prompt=_seen(shot, scene, looks),
        duration_seconds=min(max(seconds, _SHORTEST), _LONGEST),
        lines=lines,
        cues=cues,
        emotion=emotion_in(cue for each in shot.dialogue for cue in each.cues),
        characters=tuple(shot.characters),
        landscapes=(place,) if place else (),
        mood=shot.mood or scene.mood,
        time_of_day=shot.time_of_day or scene.time_of_day,
        shot_type=shot.shot_type,
        camera_motion=shot.camera_motion if shot.camera_motion in CAMERA_MOTIONS else "",
    )


def _line(said: prompt_pb2.Dialogue) -> Line | None:
    """A line with its laughs and sighs where they are heard; None where there is nothing to hear.

    Directions that make no sound are left out: they were taken from the words already.
    """
    words = said.text.split()
    places = [*said.cue_words, *[0] * len(said.cues)]
    for cue, place in reversed(list(zip(said.cues, places, strict=False))):
        words[place:place] = [f"[{cue}]"] if is_heard(cue) else []
    text = " ".join(words)
    return Line(text=text, speaker=said.speaker) if text else None


def _seen(shot: prompt_pb2.Shot, scene: prompt_pb2.Scene, looks: dict[str, str]) -> str:
    """What is seen, in words for a model: the action, the place, what people look like."""
    place = shot.landscape or scene.landscape
    action = shot.action or ", ".join(shot.characters) or scene.heading
    told = [(name, looks.get(name, "")) for name in shot.characters]
    people = [f"{name}: {look}" for name, look in told if look and look not in action]
    parts = [action, place if place.lower() not in action.lower() else "", *people]
    return ". ".join(part.strip().rstrip(".") for part in parts if part)[:5000]
