"""Asks a language model where the scenes of a story begin, and who speaks."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from services.prompt.domain.fitting import Notice
from services.prompt.domain.language_model import (
    LabelDraft,
    LanguageModel,
    LanguageModelFailedError,
)
from services.prompt.domain.prose import NO_LABELS, Labels, Passage, joined, passages_of, portions
from services.prompt.domain.quantified import RULES, Backend

PORTION_CHARACTERS = 8_000
MOST_PORTIONS = 16
_AT_ONCE = 4


@dataclass(frozen=True, kw_only=True)
class Story:
    """What was told about a story, by whom and at what cost."""

    labels: Labels = NO_LABELS
    backend: Backend = RULES
    notices: tuple[Notice, ...] = ()


class LabelStory:
    """Asks about a long story in parts; where no usable answer comes, rules do what they can."""

    def __init__(self, model: LanguageModel) -> None:
        self._model = model

    async def __call__(self, script: str, *, patience: float | None = None) -> Story:
        """Labels for the first 128,000 characters; what was left to rules is said."""
        passages = passages_of(script)
        parts = portions(passages, PORTION_CHARACTERS, MOST_PORTIONS)
        turns = asyncio.Semaphore(_AT_ONCE)
        rounds = -(-len(parts) // _AT_ONCE)
        each = None if patience is None else patience / max(1, rounds)

        async def ask(part: tuple[Passage, ...]) -> LabelDraft | LanguageModelFailedError:
            async with turns:
                try:
                    return await self._model.label(part, patience=each)
                except LanguageModelFailedError as failure:
                    return failure

        answers = await asyncio.gather(*map(ask, parts))
        done = [answer for answer in answers if isinstance(answer, LabelDraft)]
        failed = [answer for answer in answers if isinstance(answer, LanguageModelFailedError)]
        left = len(passages) - sum(map(len, parts))
        notices = [Notice("llm_failed", {"why": str(failure)}) for failure in failed[:1]]
        if done and (failed or left):
            missed = left + sum(
                len(part)
                for part, answer in zip(parts, answers, strict=True)
                if isinstance(answer, LanguageModelFailedError)
            )
            values: dict[str, object] = {"missed": missed, "paragraphs": len(passages)}
            notices = [Notice("script_partly_by_rules", values)]
        spent = [*(answer.backend for answer in done), *(failure.spent for failure in failed)]
        return Story(
            labels=joined(answer.labels for answer in done),
            backend=_sum(spent, source="llm" if done else "rules"),
            notices=tuple(notices),
        )


def _sum(spent: Sequence[Backend], *, source: str) -> Backend:
    """What all questions cost together; nobody knows it where one is not known."""
    asked = [backend for backend in spent if backend.model]
    if not asked:
        return RULES
    costs = [backend.cost_micros for backend in asked]
    known = [cost for cost in costs if cost is not None]
    return Backend(
        source=source,
        model=asked[0].model,
        tokens=sum(backend.tokens for backend in asked),
        cost_micros=sum(known) if len(known) == len(costs) else None,
    )
