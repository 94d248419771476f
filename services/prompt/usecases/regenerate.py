"""RegeneratePrompt: feedback in, the next iteration and a structured diff out."""

from dataclasses import replace

from services.prompt.domain.feedback import (
    FeedbackRules,
    Regenerated,
    RegenerateRequest,
    Revision,
)
from services.prompt.domain.knowledge import Knowledge
from services.prompt.domain.ports import Reader

_SETTABLE = (
    "duration_seconds",
    "aspect_ratio",
    "resolution",
    "fps",
    "style",
    "quality",
    "camera_motion",
    "shot_type",
    "mood",
    "time_of_day",
    "negative_prompt",
)


class RegeneratePrompt:
    """Understands the common vocabulary of feedback, and everything that prompts can say.

    How many variations are made is the caller's alone: feedback may come from a stranger.
    """

    def __init__(self, *, reader: Reader, knowledge: Knowledge, rules: FeedbackRules) -> None:
        self._reader = reader
        self._knowledge = knowledge
        self._rules = rules

    def __call__(self, request: RegenerateRequest) -> Regenerated:
        """The next iteration; parts that were not understood are named, never guessed at."""
        previous = request.previous
        lexicons = self._knowledge.lexicons
        revision = Revision(
            rules=self._rules,
            lexicon=lexicons.get(previous.language, lexicons["en"]),
            original=previous.original.rstrip(),
            prompt=previous.prompt,
            parameters=previous.parameters,
            provenance=dict(previous.provenance),
        )
        parts = self._rules.parts(request.feedback)
        unknown = tuple(part for part in parts if not self._apply(part, revision))
        language = self._reader.read(request.feedback, language=previous.language).language
        say = self._knowledge.messages.say
        return Regenerated(
            quantified=replace(
                previous,
                prompt=revision.prompt,
                parameters=revision.parameters,
                provenance=revision.provenance,
                warnings=tuple(say("feedback_not_understood", language, part=p) for p in unknown),
            ),
            iteration=request.iteration + 1,
            parent_iteration=request.iteration,
            changes=tuple(revision.changes),
            creative_id=request.creative_id,
            not_understood=unknown,
        )

    def _apply(self, part: str, revision: Revision) -> bool:
        """Whether anything in this wish was understood."""
        reading = self._reader.read(part, language=revision.lexicon.language)
        said = reading.said()
        wants = [name for name in _SETTABLE if said.get(name)]
        rules = [] if said.negative_prompt else self._rules.matching(part)
        for rule in rules:
            revision.apply(rule, part)
        taken = {name for rule in rules for name in rule.set.said()}
        for name in wants:
            if name not in taken:
                revision.put(name, said.get(name), part)
        return bool(rules or wants) or self._rules.is_filler(part)
