"""Applying feedback such as "slower, warmer, no people" to a prompt that was made before."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from services.common.errors import InvalidArgument
from services.prompt.domain.enhance import append
from services.prompt.domain.lexicon import Lexicon
from services.prompt.domain.parameters import (
    MAX_DURATION_SECONDS,
    MAX_NEGATIVE_CHARACTERS,
    ParameterValue,
    VideoParameters,
    in_words,
)
from services.prompt.domain.quantified import Provenance, Quantified

MAX_FEEDBACK_CHARACTERS = 2_000
MAX_SENT_CHARACTERS = 30_000
_PART = re.compile(r"[,;.\n!]+")
_SWAPPED = ("style", "mood", "time_of_day", "camera_motion", "shot_type")


@dataclass(frozen=True, kw_only=True)
class FeedbackRule:
    """One thing that people ask for, and what it does."""

    id: str
    pattern: re.Pattern[str]
    phrase: Mapping[str, str] = field(default_factory=dict)
    instead_of: tuple[str, ...] = ()
    scale: float = 1.0
    shift: int = 0
    set: VideoParameters = field(default_factory=VideoParameters)


@dataclass(frozen=True)
class FeedbackRules:
    """The common vocabulary of feedback."""

    framing: tuple[str, ...]
    rules: Mapping[str, FeedbackRule]
    splitters: re.Pattern[str]
    fillers: frozenset[str]

    def parts(self, feedback: str) -> list[str]:
        """The single wishes of a feedback."""
        pieces = [
            piece for part in _PART.split(feedback) for piece in self.splitters.split(part) if piece
        ]
        return [piece.strip() for piece in pieces if piece.strip()]

    def matching(self, part: str) -> list[FeedbackRule]:
        """Rules that a wish names; where two overlap, the longer words win."""
        found = [(m, rule) for rule in self.rules.values() if (m := rule.pattern.search(part))]
        found.sort(key=lambda hit: hit[0].start() - hit[0].end())
        kept: list[tuple[re.Match[str], FeedbackRule]] = []
        for match, rule in found:
            if all(match.end() <= k.start() or match.start() >= k.end() for k, _ in kept):
                kept.append((match, rule))
        return [rule for _, rule in sorted(kept, key=lambda hit: hit[0].start())]

    def is_filler(self, part: str) -> bool:
        """Whether a part asks for nothing."""
        return all(word in self.fillers for word in part.lower().split())


@dataclass(frozen=True)
class Change:
    """One thing that changed, and the words that asked for it."""

    field: str
    before: str
    after: str
    because: str


@dataclass(frozen=True, kw_only=True)
class RegenerateRequest:
    """What a caller asks of RegeneratePrompt; `rules_only` asks no language model."""

    previous: Quantified
    feedback: str
    iteration: int = 1
    creative_id: str = ""
    rules_only: bool = False

    def __post_init__(self) -> None:
        if not self.feedback.strip() or len(self.feedback) > MAX_FEEDBACK_CHARACTERS:
            raise InvalidArgument(
                "feedback", f"must have 1 to {MAX_FEEDBACK_CHARACTERS} characters"
            )
        if len(self.previous.prompt) > MAX_SENT_CHARACTERS:
            raise InvalidArgument(
                "previous.prompt", f"must have at most {MAX_SENT_CHARACTERS} characters"
            )
        if self.iteration < 1:
            raise InvalidArgument("iteration", "must be 1 or more")


@dataclass(frozen=True, kw_only=True)
class Regenerated:
    """The new prompt, its lineage, and a structured diff."""

    quantified: Quantified
    iteration: int
    parent_iteration: int
    changes: tuple[Change, ...]
    creative_id: str
    not_understood: tuple[str, ...]


@dataclass
class Revision:
    """A prompt while feedback is applied to it."""

    rules: FeedbackRules
    lexicon: Lexicon
    original: str
    prompt: str
    parameters: VideoParameters
    provenance: dict[str, Provenance]
    changes: list[Change] = field(default_factory=list)

    def apply(self, rule: FeedbackRule, because: str) -> None:
        """Does what a rule says."""
        language = self.lexicon.language
        for other in rule.instead_of:
            phrase = self.rules.rules[other].phrase
            self._remove(phrase.get(language, phrase["en"]))
        if rule.phrase:
            self._add(rule.phrase.get(language, rule.phrase["en"]), because)
        if rule.scale != 1.0 and self.parameters.duration_seconds:
            scaled = float(round(self.parameters.duration_seconds * rule.scale)) or 1.0
            self.put("duration_seconds", min(scaled, MAX_DURATION_SECONDS), because)
        if rule.shift:
            self.put("shot_type", self._shifted(rule.shift), because)
        for name in rule.set.said():
            self.put(name, rule.set.get(name), because)

    def rewrite(self, prompt: str, because: str) -> None:
        """Puts new words in place of the old."""
        self.changes.append(Change("prompt", self.prompt, prompt, because))
        self.prompt = prompt

    def put(self, name: str, value: ParameterValue, because: str) -> None:
        """Sets a parameter and says so; words for its old value make way for the new."""
        before = self.parameters.get(name)
        if name == "negative_prompt" and before:
            value = _union(str(before), str(value))[:MAX_NEGATIVE_CHARACTERS]
        if before == value:
            return
        self.parameters = self.parameters.with_value(name, value)
        self.provenance[name] = Provenance.RULES
        self.changes.append(Change(name, in_words(before), in_words(value), because))
        if name in _SWAPPED:
            self._swap(name, str(before or ""), str(value), because)

    def _shifted(self, steps: int) -> str:
        framing = self.rules.framing
        now = self.parameters.shot_type
        place = framing.index(now) if now in framing else framing.index("medium")
        return framing[max(0, min(len(framing) - 1, place + steps))]

    def _swap(self, name: str, before: str, after: str, because: str) -> None:
        self._remove(self.lexicon.phrase(name, before))
        words = self.lexicon.fields[name].values.get(before)
        phrase = self.lexicon.phrase(name, after) or after.replace("_", " ")
        if words is not None and words.search(self.prompt):
            plain = after.replace("_", " ") if self.lexicon.language == "en" else phrase
            swapped = words.sub(plain, self.prompt)
            self.changes.append(Change("prompt", self.prompt, swapped, because))
            self.prompt = swapped
        self._add(phrase, because)

    def _add(self, phrase: str, because: str) -> None:
        longer = append(self.prompt, [phrase])
        if longer != self.prompt:
            self.changes.append(Change("prompt", "", phrase, because))
            self.prompt = longer

    def _remove(self, phrase: str) -> None:
        """Takes an added phrase away again; the caller's own words begin the prompt and stay."""
        start = len(self.original) if self.prompt.startswith(self.original) else 0
        head, tail = self.prompt[:start], self.prompt[start:]
        if phrase and phrase.casefold() in tail.casefold():
            tail = re.sub(rf",?\s*{re.escape(phrase)}", "", tail, count=1, flags=re.IGNORECASE)
            self.prompt = (head + tail).strip()


def _union(before: str, more: str) -> str:
    items = [item.strip() for item in f"{before},{more}".split(",")]
    return ", ".join(dict.fromkeys(item for item in items if item))
