"""BreakDownScript: a script in, scenes, shots and characters out."""

from services.prompt.domain.casting import Cast
from services.prompt.domain.language_model import LanguageModel
from services.prompt.domain.messages import Messages
from services.prompt.domain.ports import Proceed, ScriptParser, ScriptReader
from services.prompt.domain.script import (
    Breakdown,
    BreakDownRequest,
    Character,
    Format,
    Scene,
    scenes_of,
)
from services.prompt.domain.shooting import shoot
from services.prompt.usecases.aside import Aside
from services.prompt.usecases.label_story import LabelStory, Story

_SAMPLE = 4_000


class BreakDownScript:
    """Reads scripts beside the event loop; a story in prose is labelled by a language model first.

    A caller who goes away ends the reading, too.
    """

    def __init__(
        self,
        *,
        parser: ScriptParser,
        reader: ScriptReader,
        messages: Messages,
        model: LanguageModel | None = None,
    ) -> None:
        self._parser = parser
        self._reader = reader
        self._messages = messages
        self._label = LabelStory(model) if model else None
        self._aside = Aside()

    async def __call__(
        self, request: BreakDownRequest, *, patience: float | None = None
    ) -> Breakdown:
        """Scenes, shots and characters; `patience` is how many seconds the caller can wait.

        Raises:
            InvalidArgument: a shot list that is none.
        """
        form = Format(request.format) if request.format else self._parser.detect(request.script)
        if form is Format.SHOTS_JSON:
            return await self._aside(lambda _: self._from_shots(request))
        story = Story()
        if form is Format.PROSE and self._label is not None and not request.rules_only:
            story = await self._label(request.script, patience=patience)
        return await self._aside(lambda proceed: self._break_down(request, form, story, proceed))

    def _break_down(
        self, request: BreakDownRequest, form: Format, story: Story, proceed: Proceed
    ) -> Breakdown:
        script = self._parser.parse(request.script, form, labels=story.labels, proceed=proceed)
        language = request.language or self._language(request.script)
        drafts = scenes_of(script)
        cast = Cast.of(drafts, script.people)
        scenes: list[Scene] = []
        count = 0
        for number, draft in enumerate(drafts, start=1):
            proceed()
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
        notices = [(notice.key, notice.values) for notice in story.notices]
        if not any(draft.heading for draft in drafts):
            notices.append(("script_no_scenes", {}))
        return Breakdown(
            title=script.title,
            scenes=tuple(scenes),
            characters=cast.sheet(),
            language=language,
            warnings=tuple(self._messages.say(k, language, **values) for k, values in notices),
            backend=story.backend,
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
