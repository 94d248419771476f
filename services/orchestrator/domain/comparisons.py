"""The same words on several models, judged blind, and what the judgements say of the models."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from services.common.errors import FailedPrecondition, InvalidArgument
from services.orchestrator.domain.models import Model

FEWEST, MOST = 2, 8
WORST, BEST = 1, 5


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Jobs with the same words, one for each model; their order tells nothing of the models."""

    id: str
    tenant: str
    jobs: tuple[str, ...]
    create_time: datetime

    @classmethod
    def of(cls, tenant: str, jobs: Sequence[str], create_time: datetime) -> "Comparison":
        """The comparison of these jobs: known by the first of them, in an order by digest."""

        def digest(job: str) -> str:
            return hashlib.sha256(f"{jobs[0]}/{job}".encode()).hexdigest()

        shuffled = tuple(sorted(jobs, key=digest))
        return cls(id=jobs[0], tenant=tenant, jobs=shuffled, create_time=create_time)

    @property
    def name(self) -> str:
        """The resource name."""
        return f"comparisons/{self.id}"

    @property
    def labels(self) -> tuple[str, ...]:
        """A letter for each job."""
        return tuple(chr(ord("A") + index) for index in range(len(self.jobs)))


@dataclass(frozen=True, kw_only=True)
class Rating:
    """What a key has said of one arm; `score` from 1 to 5, `user` the id of the key."""

    arm: str
    model: str
    user: str
    score: int


@dataclass(frozen=True)
class Score:
    """What the ratings of a model add up to, for one tenant."""

    mean: float
    count: int


class ComparisonStore(Protocol):
    """Comparisons and their ratings, one tenant at a time."""

    async def add(self, comparison: Comparison) -> None:
        """Keep it; one that is there stays as it is."""

    async def get(self, tenant: str, comparison_id: str) -> Comparison:
        """One of them. Raises NotFound."""

    async def list(self, tenant: str, before: str, size: int) -> Sequence[Comparison]:
        """Newest first, after the id `before`; "" begins."""

    async def ratings(self, tenant: str, comparison_id: str) -> Sequence[Rating]:
        """All that was said of its arms."""

    async def rate(self, comparison: Comparison, ratings: Sequence[Rating]) -> None:
        """Put down one key's ratings. Nothing changes for a key that has rated it before."""


class ScoresPort(Protocol):
    """What the ratings of each model add up to."""

    async def scores(self, tenant: str) -> Mapping[str, Score]:
        """By model id, at most a few seconds old."""


def check_models(models: Sequence[str]) -> None:
    """Raise InvalidArgument unless there are two to eight different ones."""
    if not FEWEST <= len(models) <= MOST:
        allowed = (f"{FEWEST} to {MOST} models",)
        raise InvalidArgument("models", f"has {len(models)} names", allowed=allowed)
    if len(set(models)) < len(models):
        raise InvalidArgument("models", "names a model twice", allowed=("different models",))
    if not all(models) or "auto" in models:
        raise InvalidArgument("models", "needs names", allowed=("ids and aliases of models",))


def check_scores(scores: Mapping[str, int], arms: Sequence[str]) -> None:
    """Raise InvalidArgument unless every arm that has a clip, and no other, has a score."""
    if not arms:
        raise FailedPrecondition("no model has made a clip, so that there is nothing to rate")
    wrong = sorted(set(scores) ^ set(arms))
    if wrong:
        asked = f"one rating for each of {', '.join(arms)}"
        raise InvalidArgument("ratings", f"{wrong[0]!r} is missing or unknown", allowed=(asked,))
    for arm, score in scores.items():
        if not WORST <= score <= BEST:
            allowed = (f"{WORST} to {BEST}",)
            message = f"{score} for {arm} is out of range"
            raise InvalidArgument("ratings.score", message, allowed=allowed)


def rated(model: Model, score: Score | None) -> Model:
    """The model with what the tenant thinks of it."""
    return model if score is None else replace(model, rating=score.mean, ratings=score.count)
