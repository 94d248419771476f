"""How much what is made looks like the sheet that it follows, and when it is made again. Pure."""

import hashlib
from dataclasses import dataclass

from services.common.errors import InvalidArgument
from services.orchestrator.domain.notices import Warned

# Who is asked to look, and what must be installed for that; both are ids of the catalogue.
CHECK, LOOKING = "media_check", "clip"
MOST_RETRIES = 3
# Every vendor that takes seeds takes these.
_SEEDS = 2**31 - 1


@dataclass(frozen=True, kw_only=True)
class Likeness:
    """What is made beside the sheet's picture; `score` is 1 less the distance of the two.

    The distance is that of their embeddings, so that 1.0 is the same picture and 0 one that has
    nothing in common with it; None where it was not measured, and `why`.
    """

    character: str
    score: float | None = None
    why: Warned = ""


@dataclass(frozen=True, kw_only=True)
class LikenessRule:
    """What scores less than `least` is made again, at most so many times; 0 lets all pass.

    CLIP gives two photographs of one subject about 0.88, and what good generators make of it about
    0.8 (CLIP-I of Ruiz et al. 2023, DreamBooth, table 1).
    """

    least: float = 0.7
    retries: int = 1

    def __post_init__(self) -> None:
        """Raise InvalidArgument naming the field that cannot work."""
        if not 0 <= self.least <= 1:
            raise InvalidArgument("consistency.least", "is out of range", allowed=("0 to 1",))
        if not 0 <= self.retries <= MOST_RETRIES:
            raise InvalidArgument(
                "consistency.retries", "is out of range", allowed=(f"0 to {MOST_RETRIES}",)
            )

    @property
    def most(self) -> int:
        """How often something may be made again."""
        return self.retries if self.least else 0

    def passes(self, likeness: Likeness | None) -> bool:
        """Whether it is alike enough; what was not measured is taken as it is."""
        return likeness is None or likeness.score is None or likeness.score >= self.least


@dataclass(frozen=True, kw_only=True)
class LikenessWish:
    """What a caller wants of the rule; None for as this deployment has it."""

    least: float | None = None
    retries: int | None = None

    def __post_init__(self) -> None:
        """Raise InvalidArgument naming the field that cannot work."""
        self.on(LikenessRule())

    def on(self, rule: LikenessRule) -> LikenessRule:
        """The rule with what is wanted otherwise."""
        return LikenessRule(
            least=rule.least if self.least is None else self.least,
            retries=rule.retries if self.retries is None else self.retries,
        )


def retry_seed(film: str, task: str, version: int, number: int) -> int:
    """The seed of a retry: the same whenever it is asked, and another one for each."""
    told = f"{film}/{task}/{version}/{number}"
    return int.from_bytes(hashlib.sha256(told.encode()).digest()[:8]) % _SEEDS
