"""Policies and preferences as the contract shows them."""

from reelmesh.orchestrator.v1 import policy_service_pb2 as pb
from services.orchestrator.adapters.wire import from_money, to_duration, to_money
from services.orchestrator.convert.requests import choice, routing_message, routing_of
from services.orchestrator.domain.policy import (
    CacheRules,
    ModerationPolicy,
    Quota,
    Screening,
    TenantPolicy,
)


def policy_of(message: pb.Policy) -> TenantPolicy:
    """The policy. Raises InvalidArgument naming the first field that cannot work."""
    screening = choice("policy.screening", pb.Policy.Screening, message.screening, Screening.FULL)
    return TenantPolicy(
        preferences=routing_of(message.preferences),
        commercial=message.commercial if message.HasField("commercial") else True,
        territory=message.territory,
        moderation=ModerationPolicy(
            screening=screening,
            allowed=tuple(message.allowed_categories),
            refuse_when_away=message.refuse_when_moderation_is_away,
        ),
        quota=Quota(
            jobs_at_once=message.jobs_at_once or None,
            jobs_per_minute=message.jobs_per_minute or None,
            weight=message.weight or 1,
        ),
        paused=message.paused,
        cache=_cache_of(message.cache),
        packs=tuple(message.packs),
    )


def _cache_of(message: pb.CachePolicy) -> CacheRules:
    known = CacheRules()
    least = message.min_similarity if message.HasField("min_similarity") else known.min_similarity
    both = message.across_languages if message.HasField("across_languages") else None
    lifetime = message.lifetime.ToTimedelta() if message.HasField("lifetime") else None
    return CacheRules(
        enabled=not message.off,
        semantic=not message.exact_only,
        lifetime=lifetime,
        min_similarity=least,
        across_languages=both,
        ahead_micros=from_money("policy.cache.ahead_budget", message.ahead_budget),
    )


def policy_message(policy: TenantPolicy) -> pb.Policy:
    """The message, with every value that holds."""
    quota, moderation = policy.quota, policy.moderation
    return pb.Policy(
        preferences=routing_message(policy.preferences),
        commercial=policy.commercial,
        territory=policy.territory,
        screening=pb.Policy.Screening.Value(f"SCREENING_{moderation.screening.name}"),
        allowed_categories=moderation.allowed,
        refuse_when_moderation_is_away=moderation.refuse_when_away,
        jobs_at_once=quota.jobs_at_once or 0,
        jobs_per_minute=quota.jobs_per_minute or 0,
        weight=quota.weight,
        paused=policy.paused,
        cache=_cache_message(policy.cache),
        packs=policy.packs,
    )


def _cache_message(rules: CacheRules) -> pb.CachePolicy:
    seconds = None if rules.lifetime is None else rules.lifetime.total_seconds()
    return pb.CachePolicy(
        off=not rules.enabled,
        exact_only=not rules.semantic,
        lifetime=to_duration(seconds),
        min_similarity=rules.min_similarity,
        across_languages=rules.across_languages,
        ahead_budget=to_money(rules.ahead_micros) if rules.ahead_micros else None,
    )
