"""The cache as the contract shows it."""

from reelmesh.orchestrator.v1 import cache_service_pb2 as pb
from services.orchestrator.adapters.wire import to_money
from services.orchestrator.domain.cache.entries import Stats


def stats_message(stats: Stats) -> pb.GetCacheStatsResponse:
    """What is there and what it has saved."""
    return pb.GetCacheStatsResponse(
        entries=stats.entries,
        searchable=stats.searchable,
        uses=[
            pb.CacheUse(
                kind=each.kind,
                provider=each.provider,
                uses=each.uses,
                saving=to_money(each.saved_micros),
            )
            for each in stats.kinds
        ],
        assets=[
            pb.ReusedAsset(
                asset=each.asset,
                model=each.model,
                provider=each.provider,
                uses=each.uses,
                saving=to_money(each.saved_micros),
            )
            for each in stats.assets
        ],
        saving=to_money(sum(each.saved_micros for each in stats.kinds)),
    )
