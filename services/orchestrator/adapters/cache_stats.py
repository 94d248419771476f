"""What the cache's tables add up to."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.orchestrator.adapters.cache_tables import cache_entries, cache_uses
from services.orchestrator.domain.cache.entries import AssetUse, KindUse, Stats

MOST_USED = 20


async def read_stats(connection: AsyncConnection, tenant: str, now: datetime) -> Stats:
    """A tenant's entries that have not expired, and every use."""
    entries, uses = cache_entries.c, cache_uses.c
    alive = (entries.tenant == tenant) & (entries.expire_time > now)
    counted = sa.select(sa.func.count(), sa.func.count(entries.vector)).where(alive)
    total, searchable = (await connection.execute(counted)).one()
    sums = (sa.func.count().label("uses"), sa.func.sum(uses.saved_micros).label("saved"))
    by_kind = sa.select(uses.kind, uses.provider, *sums).where(uses.tenant == tenant)
    kinds = await connection.execute(
        by_kind.group_by(uses.kind, uses.provider).order_by(uses.kind, uses.provider)
    )
    by_asset = sa.select(uses.asset, uses.model, uses.provider, *sums).where(uses.tenant == tenant)
    assets = await connection.execute(
        by_asset.group_by(uses.asset, uses.model, uses.provider)
        .order_by(sa.desc("uses"), uses.asset)
        .limit(MOST_USED)
    )
    return Stats(
        entries=total,
        searchable=searchable,
        kinds=tuple(
            KindUse(kind=r.kind, provider=r.provider, uses=r.uses, saved_micros=int(r.saved))
            for r in kinds
        ),
        assets=tuple(
            AssetUse(
                asset=r.asset,
                model=r.model,
                provider=r.provider,
                uses=r.uses,
                saved_micros=int(r.saved),
            )
            for r in assets
        ),
    )
