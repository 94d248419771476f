"""Script breakdowns."""

from reelmesh.prompt.v1 import prompt_pb2, prompt_service_pb2
from services.prompt.convert.prompts import duration_of, money_of
from services.prompt.domain.script import Breakdown, BreakDownRequest, Scene, Shot


def break_down_request_from(message: prompt_service_pb2.BreakDownScriptRequest) -> BreakDownRequest:
    """The request."""
    return BreakDownRequest(
        script=message.script,
        format=message.format,
        language=message.language,
        rules_only=message.rules_only,
    )


def breakdown_to(breakdown: Breakdown) -> prompt_pb2.ScriptBreakdown:
    """The answer."""
    backend = breakdown.backend
    message = prompt_pb2.ScriptBreakdown(
        title=breakdown.title,
        scenes=[_scene_to(scene) for scene in breakdown.scenes],
        characters=[
            prompt_pb2.Character(
                name=c.name, aliases=c.aliases, description=c.description, lines=c.lines
            )
            for c in breakdown.characters
        ],
        language=breakdown.language,
        warnings=breakdown.warnings,
        source=backend.source,
        llm_model=backend.model,
        llm_tokens=backend.tokens,
    )
    if backend.cost_micros:
        message.cost.CopyFrom(money_of(backend.cost_micros))
    return message


def _scene_to(scene: Scene) -> prompt_pb2.Scene:
    return prompt_pb2.Scene(
        number=scene.number,
        heading=scene.heading,
        landscape=scene.landscape,
        time_of_day=scene.time_of_day,
        mood=scene.mood,
        shots=[_shot_to(shot) for shot in scene.shots],
    )


def _shot_to(shot: Shot) -> prompt_pb2.Shot:
    return prompt_pb2.Shot(
        number=shot.number,
        shot_type=shot.shot_type,
        camera_motion=shot.camera_motion,
        action=shot.action,
        characters=shot.characters,
        dialogue=[
            prompt_pb2.Dialogue(
                speaker=line.speaker, text=line.text, cues=line.cues, cue_words=line.places
            )
            for line in shot.dialogue
        ],
        duration=duration_of(shot.duration_seconds),
        mood=shot.mood,
        time_of_day=shot.time_of_day,
        landscape=shot.landscape,
    )
