"""BreakDownScript: a script in, scenes, shots and characters out."""

import asyncio

from services.prompt.domain.casting import Cast
from services.prompt.domain.messages import Messages
from services.prompt.domain.ports import ScriptParser, ScriptReader
from services.prompt.domain.script import (
    Breakdown,
    BreakDownRequest,
    Character,
    Format,
    Scene,
    scenes_of,
)
from services.prompt.domain.shooting import shoot

_SAMPLE = 4_000


class BreakDownScript:
    """Works without a language model; a long script is read beside the event loop."""

    def __init__(self, *, parser: ScriptParser, reader: ScriptReader, messages: Messages) -> None:
        self._parser = parser
        self._reader = reader
        self._messages = messages

    async def __call__(self, request: BreakDownRequest) -> Breakdown:
        """Scenes, shots and characters.

        Raises:
            InvalidArgument: a shot list that is none.
        """
        return await asyncio.to_thread(self._break_down, request)

    def _break_down(self, request: BreakDownRequest) -> Breakdown:
        form = Format(request.format) if request.format else self._parser.detect(request.script)
        if form is Format.SHOTS_JSON:
            return self._from_shots(request)
        script = self._parser.parse(request.script, form)
        language = request.language or self._language(request.script)
        drafts = scenes_of(script)
        cast = Cast.of(drafts)
        scenes: list[Scene] = []
        count = 0
        for number, draft in enumerate(drafts, start=1):
            scene = shoot(
                draft,
                number=number,
                first_shot=count + 1,
                cast=cast,
                reader=self._reader,
                language=language,
            )
            scenes.append(scene)
            count += len(scene.shots)
        headed = any(draft.heading for draft in drafts)
        warnings = () if headed else (self._messages.say("script_no_scenes", language),)
        return Breakdown(
            title=script.title,
            scenes=tuple(scenes),
            characters=cast.sheet(),
            language=language,
            warnings=warnings,
        )

    def _from_shots(self, request: BreakDownRequest) -> Breakdown:
        title, scenes, unknown = self._parser.shots(request.script)
        shots = [shot for scene in scenes for shot in scene.shots]
        language = request.language or self._language(" ".join(s.action for s in shots))
        lines = [line.speaker for shot in shots for line in shot.dialogue]
        names = dict.fromkeys(name for shot in shots for name in shot.characters)
        say = self._messages.say
        return Breakdown(
            title=title,
            scenes=tuple(scenes),
            characters=tuple(Character(name=n, lines=lines.count(n)) for n in names),
            language=language,
            warnings=tuple(
                say("shots_json_unknown_keys", language, shot=number, keys=keys)
                for number, keys in unknown
            ),
        )

    def _language(self, text: str) -> str:
        """Told from the middle, where no title page misleads."""
        start = max(0, len(text) // 2 - _SAMPLE // 2)
        return self._reader.read(text[start : start + _SAMPLE] or ".").language
