"""What the use cases ask of a language model; nothing that it answers is trusted."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from services.prompt.domain.parameters import VideoParameters
from services.prompt.domain.prose import Labels, Passage
from services.prompt.domain.quantified import RULES, Backend


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A request as a model understood and rewrote it."""

    parameters: VideoParameters
    prompt: str
    language: str
    backend: Backend


@dataclass(frozen=True)
class Proposal:
    """One parameter that a wish would change; `wish` counts from 0."""

    field: str
    value: str
    wish: int


@dataclass(frozen=True, kw_only=True)
class RevisionDraft:
    """A prompt as a model would change it, and for which wishes (counted from 0)."""

    prompt: str
    prompt_wishes: tuple[int, ...]
    proposals: tuple[Proposal, ...]
    backend: Backend


@dataclass(frozen=True, kw_only=True)
class LabelDraft:
    """What a model says of a part of a story."""

    labels: Labels
    backend: Backend


class LanguageModelFailedError(Exception):
    """No usable answer; the message says why in a few words, `spent` what it cost all the same."""

    def __init__(self, why: str, spent: Backend = RULES) -> None:
        super().__init__(why)
        self.spent = spent


@dataclass(frozen=True, kw_only=True)
class RevisionQuestion:
    """A prompt, the parameters that may change, and the wishes that rules did not understand."""

    prompt: str
    wishes: tuple[str, ...]
    parameters: Mapping[str, str] = field(default_factory=dict)


class Rewriter(Protocol):
    """The part of a `LanguageModel` that rewrites and translates prompts."""

    async def quantify(
        self, text: str, *, enhance: bool, translate_to: str = "", patience: float | None = None
    ) -> Draft:
        """Typed parameters and a rewritten prompt."""
        ...


class LanguageModel(Rewriter, Protocol):
    """Understands words with a language model.

    `patience` is how many seconds the caller can wait; the model's own limit holds besides.
    Every method raises LanguageModelFailedError when there is no usable answer in time; the
    caller goes on with rules.
    """

    async def revise(
        self, question: RevisionQuestion, *, patience: float | None = None
    ) -> RevisionDraft:
        """The prompt with the wishes carried out."""
        ...

    async def label(
        self, passages: tuple[Passage, ...], *, patience: float | None = None
    ) -> LabelDraft:
        """Where scenes begin, who speaks, and who is who; the text itself is never rewritten."""
        ...
