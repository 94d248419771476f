"""Which of several clips that may serve is the best."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.orchestrator.domain.cache.entries import Near
from services.orchestrator.domain.cache.reading import read


@dataclass(frozen=True, kw_only=True)
class Wish:
    """Who asks, "" where nobody is known, and the prompt as it would be sent."""

    user: str
    prompt: str


def best_first(wish: Wish, near: Sequence[Near]) -> list[Near]:
    """The caller's own clips first, then those with the same culture in them, then the nearest.

    The words of the caller are the same in all of them; what was sent may have been enriched.
    """
    wanted = culture(wish.prompt)

    def rank(each: Near) -> tuple[bool, int, float]:
        mine = bool(wish.user) and each.entry.user == wish.user
        return mine, len(wanted & culture(each.entry.sent)), each.similarity

    return sorted(near, key=rank, reverse=True)


def culture(prompt: str) -> frozenset[str]:
    """Places and peoples of East Africa that a prompt names."""
    return frozenset(term.concept for term in read(prompt).terms if term.group == "culture")
