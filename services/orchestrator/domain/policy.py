"""What holds for all jobs of a tenant: preferences, purpose and place, limits, a switch."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from services.common.errors import InvalidArgument
from services.orchestrator.domain.licences import check_territory
from services.orchestrator.domain.options import Routing, check_identifier, check_not_negative

_MOST = 1_000_000
_HEAVIEST = 100


class Screening(StrEnum):
    """Which checks a prompt passes before money is spent."""

    OFF = "off"
    RULES = "rules"
    FULL = "full"


@dataclass(frozen=True, kw_only=True)
class ModerationPolicy:
    """How prompts are screened: `FULL` asks the endpoint too, where one is configured.

    `allowed` are categories that this tenant may use all the same; while the endpoint is away a
    prompt passes or is refused, as `refuse_when_away` says.
    """

    screening: Screening = Screening.FULL
    allowed: tuple[str, ...] = ()
    refuse_when_away: bool = False

    def __post_init__(self) -> None:
        """Check the names of categories."""
        for category in self.allowed:
            check_identifier("policy.moderation.allowed_categories", category.replace("/", "."))


@dataclass(frozen=True, kw_only=True)
class Quota:
    """How much of the deployment a tenant may use; None is no limit of its own.

    A tenant of weight 2 gets twice the share of one of weight 1 when both wait.
    """

    jobs_at_once: int | None = None
    jobs_per_minute: int | None = None
    weight: int = 1

    def __post_init__(self) -> None:
        """Check the ranges."""
        for name in ("jobs_at_once", "jobs_per_minute"):
            value: int | None = getattr(self, name)
            if value is not None and not 1 <= value <= _MOST:
                raise InvalidArgument(
                    f"policy.{name}", "is out of range", allowed=(f"1 to {_MOST}", "0 for no limit")
                )
        if not 1 <= self.weight <= _HEAVIEST:
            raise InvalidArgument(
                "policy.weight", "is out of range", allowed=(f"1 to {_HEAVIEST}",)
            )

    def within(self, most: "Quota") -> "Quota":
        """This quota, nowhere above the deployment's."""
        return Quota(
            jobs_at_once=_least(self.jobs_at_once, most.jobs_at_once),
            jobs_per_minute=_least(self.jobs_per_minute, most.jobs_per_minute),
            weight=self.weight,
        )


def _least(*values: int | None) -> int | None:
    return min((value for value in values if value is not None), default=None)


@dataclass(frozen=True, kw_only=True)
class CacheRules:
    """How a tenant's clips are served again; None leaves a thing to the deployment.

    `lifetime` counts from when a clip was made, also for clips that were there before it was set.
    `min_similarity` is the least that any request may ask for. `ahead_micros` may be spent in a
    month on clips that are made again before they expire, in micro-USD.
    """

    enabled: bool = True
    semantic: bool = True
    lifetime: timedelta | None = None
    min_similarity: float = 0.8
    across_languages: bool | None = None
    ahead_micros: int = 0

    def __post_init__(self) -> None:
        """Check the ranges."""
        if self.lifetime is not None and self.lifetime <= timedelta(0):
            raise InvalidArgument(
                "policy.cache.lifetime", "is not positive", allowed=("1 s or more", "absent")
            )
        if not 0.0 <= self.min_similarity <= 1.0:
            raise InvalidArgument(
                "policy.cache.min_similarity", "is out of range", allowed=("0.0 to 1.0",)
            )
        check_not_negative("policy.cache.ahead_budget", self.ahead_micros)

    def serves(self, made: datetime, now: datetime) -> bool:
        """Whether a clip that was made then may be served now."""
        return self.enabled and (self.lifetime is None or made + self.lifetime > now)


@dataclass(frozen=True, kw_only=True)
class TenantPolicy:
    """Preferences of the tenant and of the calling key, and what the tenant may do.

    Clips are taken to be sold unless `commercial` is false; `territory` is an ISO 3166-1 code, ""
    where nobody has said it. A paused tenant starts nothing. `packs` are the culture packs that
    enrich its prompts without being asked for.
    """

    preferences: Routing = field(default_factory=Routing)
    personal: Routing = field(default_factory=Routing)
    moderation: ModerationPolicy = field(default_factory=ModerationPolicy)
    quota: Quota = field(default_factory=Quota)
    cache: CacheRules = field(default_factory=CacheRules)
    commercial: bool = True
    territory: str = ""
    paused: bool = False
    packs: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check what can be checked without the catalogue."""
        check_territory("policy.territory", self.territory)
        for pack in self.packs:
            check_identifier("policy.packs", pack)
