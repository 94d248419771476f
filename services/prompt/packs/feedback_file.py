"""The shape of `packs/feedback.yaml`."""

import re

from pydantic import BaseModel, ConfigDict, Field

from services.prompt.domain.feedback import FeedbackRule, FeedbackRules
from services.prompt.domain.parameters import VideoParameters
from services.prompt.packs.culture_files import PresetParameters, Translated
from services.prompt.packs.schema import any_of


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RuleFile(_Strict):
    """One thing that people ask for."""

    words: dict[str, list[str]]
    phrase: Translated | None = None
    instead_of: tuple[str, ...] = ()
    scale: float = Field(default=1.0, gt=0)
    shift: int = 0
    set: PresetParameters = PresetParameters()

    def rule(self, name: str) -> FeedbackRule:
        """As the domain sees it."""
        return FeedbackRule(
            id=name,
            pattern=any_of([entry for entries in self.words.values() for entry in entries]),
            phrase=self.phrase.texts() if self.phrase else {},
            instead_of=self.instead_of,
            scale=self.scale,
            shift=self.shift,
            set=VideoParameters(**self.set.model_dump()),
        )


class FeedbackFile(_Strict):
    """The common vocabulary of feedback."""

    framing: tuple[str, ...]
    splitters: dict[str, list[str]]
    fillers: dict[str, list[str]]
    rules: dict[str, RuleFile]

    def feedback_rules(self) -> FeedbackRules:
        """As the domain sees it."""
        splitters = any_of([entry for entries in self.splitters.values() for entry in entries])
        return FeedbackRules(
            self.framing,
            {name: rule.rule(name) for name, rule in self.rules.items()},
            re.compile(splitters.pattern, splitters.flags),
            frozenset(word for words in self.fillers.values() for word in words),
        )
