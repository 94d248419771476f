"""How a film is made: one task at a time or many, drawn or found. Rules of document 003. Pure."""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from fractions import Fraction

from services.common.errors import InvalidArgument
from services.orchestrator.domain.films.resources import HardwareTier

HISTORY = 100
# Both arms must have been tried this often before experience overrules the rule …
EXPERIENCE = 10
# … and one of them must be this much better.
CLEARLY = 0.15


class StrategyType(StrEnum):
    """How many tasks run at once."""

    SEQUENTIAL = "sequential"
    PARALLEL = "parallel"
    ADAPTIVE = "adaptive"


class VisualApproach(StrEnum):
    """Where pictures come from: the library of what there is, or a model; and which is first."""

    STOCK_ONLY = "stock_only"
    AI_ONLY = "ai_only"
    HYBRID_STOCK_FIRST = "hybrid_stock_first"
    HYBRID_AI_FIRST = "hybrid_ai_first"

    @property
    def sources(self) -> tuple[str, ...]:
        """Return "stock" and "ai" in the order in which they are tried."""
        stock, ai = "stock", "ai"
        return {"stock_only": (stock,), "ai_only": (ai,), "hybrid_stock_first": (stock, ai)}.get(
            self.value, (ai, stock)
        )


@dataclass(frozen=True, kw_only=True)
class Content:
    """What a film is about, as far as its making is concerned. The length in seconds."""

    duration_seconds: float
    fast_pacing: bool = False
    dense: bool = False
    technical: bool = False

    @property
    def complexity(self) -> float:
        """From 0.5 to 1.

        +0.2 above 10 min or +0.1 above 5 min, +0.1 fast pacing, +0.15 dense, +0.1 technical.
        """
        hundredths = 50
        if self.duration_seconds > 600:
            hundredths += 20
        elif self.duration_seconds > 300:
            hundredths += 10
        hundredths += 10 * self.fast_pacing + 15 * self.dense + 10 * self.technical
        return min(hundredths, 100) / 100


@dataclass(frozen=True, kw_only=True)
class SystemProfile:
    """What a film can be made with.

    `clips_elsewhere`: vendors make all of its clips, so that the rule has no machine to spare with
    one at a time.
    """

    tier: HardwareTier = HardwareTier.D
    gpu: bool = False
    offline_only: bool = False
    enable_ai_images: bool = True
    clips_elsewhere: bool = False

    def __post_init__(self) -> None:
        """Raise InvalidArgument for vendors' clips in work that may not leave."""
        if self.offline_only and self.clips_elsewhere:
            raise InvalidArgument("clips_elsewhere", "is not offline", allowed=("false",))

    @property
    def resources(self) -> float:
        """0.9 for tier A, 0.6 for B and C, 0.3 for D; +0.1 with a GPU."""
        tenths = {HardwareTier.A: 9, HardwareTier.B: 6, HardwareTier.C: 6, HardwareTier.D: 3}
        return (tenths[self.tier] + self.gpu) / 10


@dataclass(frozen=True, kw_only=True)
class Strategy:
    """What was chosen, and the sentence that says why."""

    strategy_type: StrategyType
    visual_approach: VisualApproach
    max_concurrency: int
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class StrategyRun:
    """One film that was made by a strategy; the score of its quality from 0 to 1."""

    execution_time: timedelta
    succeeded: bool
    quality_score: float

    def __post_init__(self) -> None:
        """Raise InvalidArgument for a score that is none."""
        if not 0.0 <= self.quality_score <= 1.0:
            raise InvalidArgument("quality_score", "is out of range", allowed=("0.0 to 1.0",))


@dataclass(frozen=True)
class StrategyPerformance:
    """What the last 100 films of a strategy add up to; None where there were none."""

    total_executions: int
    successful_executions: int
    average_execution_time: timedelta | None
    average_quality_score: float | None

    @property
    def success_rate(self) -> float | None:
        """From 0 to 1."""
        total = self.total_executions
        return self.successful_executions / total if total else None

    @property
    def worth(self) -> float:
        """How good a film by this strategy can be expected to be: success times quality."""
        return (self.success_rate or 0.0) * (self.average_quality_score or 0.0)

    @classmethod
    def of(cls, runs: Sequence[StrategyRun]) -> "StrategyPerformance":
        """The performance over the last 100 of these runs, oldest first."""
        kept = deque(runs, maxlen=HISTORY)
        if not kept:
            return cls(0, 0, None, None)
        spent = sum((run.execution_time for run in kept), timedelta())
        quality = sum(Fraction(run.quality_score) for run in kept)
        good = sum(run.succeeded for run in kept)
        return cls(len(kept), good, spent / len(kept), float(quality / len(kept)))


Experience = Mapping[StrategyType, StrategyPerformance]


def select_strategy(
    content: Content,
    profile: SystemProfile,
    *,
    concurrency: int = 3,
    approach: VisualApproach | None = None,
    experience: Experience | None = None,
    recommended: int | None = None,
) -> Strategy:
    """The strategy by the rule, unless experience shows that another one is clearly better.

    `concurrency` is what the film asked for; `approach` is a wish, which offline work cannot grant.
    `recommended` is what this machine bears, from which an adaptive film begins; None for a film
    that has said itself how much shall go on at once.
    """
    by_rule = _by_rule(content, profile)
    reason = f"by the rule: complexity {content.complexity:g}, resources {profile.resources:g}"
    if by_rule is StrategyType.SEQUENTIAL and profile.clips_elsewhere:
        by_rule = StrategyType.PARALLEL
        reason += ", for one at a time; but vendors make its clips"
    chosen = by_rule if profile.offline_only else _by_experience(by_rule, experience or {})
    if chosen is not by_rule:
        reason = f"{chosen} has made clearly better films here than {by_rule}"
    width = (recommended if chosen is StrategyType.ADAPTIVE else None) or concurrency
    return Strategy(
        strategy_type=chosen,
        visual_approach=select_visual_approach(content, profile, approach),
        max_concurrency=1 if chosen is StrategyType.SEQUENTIAL else width,
        reason=reason,
    )


def _by_rule(content: Content, profile: SystemProfile) -> StrategyType:
    if profile.offline_only:
        return StrategyType.SEQUENTIAL
    if profile.resources > 0.7 and content.complexity > 0.6:
        return StrategyType.ADAPTIVE
    return StrategyType.PARALLEL if profile.resources > 0.5 else StrategyType.SEQUENTIAL


def _by_experience(by_rule: StrategyType, experience: Experience) -> StrategyType:
    known = {s: p for s, p in experience.items() if p.total_executions >= EXPERIENCE}
    if by_rule not in known:
        return by_rule
    best = max(known, key=lambda strategy: known[strategy].worth)
    return best if known[best].worth >= known[by_rule].worth + CLEARLY else by_rule


def select_visual_approach(
    content: Content, profile: SystemProfile, wish: VisualApproach | None = None
) -> VisualApproach:
    """Stock alone offline or without a model; else the wish, else by how demanding it is."""
    if profile.offline_only or not profile.enable_ai_images:
        return VisualApproach.STOCK_ONLY
    if wish is not None:
        return wish
    demanding = content.complexity > 0.6 or content.technical
    return VisualApproach.HYBRID_AI_FIRST if demanding else VisualApproach.HYBRID_STOCK_FIRST
