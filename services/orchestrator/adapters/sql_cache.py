"""The cache on SQLite or PostgreSQL."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from services.common.database import Database
from services.orchestrator.adapters.cache_rows import entry_from, entry_row, use_row
from services.orchestrator.adapters.cache_stats import read_stats
from services.orchestrator.adapters.cache_tables import cache_entries, cache_flights, cache_uses
from services.orchestrator.adapters.vectors import Vectors, vectors_of
from services.orchestrator.domain.cache.entries import Entry, Fading, Near, Search, Stats, Use

# A job ends long before; what is left behind by then says nothing any more.
FLIGHTS_KEPT = timedelta(days=2)

# The look-up is answered by `cache_entries_by_key` alone, so that a miss reads no row of the table.
# Materialised, or the planner makes one scan of both, which reads rows to see whether they count.
_wanted = (
    sa.select(cache_entries.c.id)
    .where(
        (cache_entries.c.tenant == sa.bindparam("tenant"))
        & cache_entries.c.key.in_(sa.bindparam("keys", expanding=True))
        & (
            cache_entries.c.expire_time
            > sa.bindparam("now", type_=cache_entries.c.expire_time.type)
        )
    )
    .cte("wanted")
    .prefix_with("MATERIALIZED", dialect="postgresql")
)
FIND = sa.select(cache_entries.c.key, cache_entries.c.document).where(
    cache_entries.c.id.in_(sa.select(_wanted.c.id))
)
_MAKERS = sa.select(cache_flights.c.key, cache_flights.c.job).where(
    (cache_flights.c.tenant == sa.bindparam("tenant"))
    & cache_flights.c.key.in_(sa.bindparam("keys", expanding=True))
)

_last_use = (
    sa.select(sa.func.max(cache_uses.c.create_time))
    .where(
        (cache_uses.c.tenant == cache_entries.c.tenant)
        & (cache_uses.c.asset == cache_entries.c.asset)
    )
    .scalar_subquery()
)
# 1 is the entry of its tenant that was made or used last.
_RANK = sa.func.row_number().over(
    partition_by=cache_entries.c.tenant,
    order_by=(
        sa.func.coalesce(_last_use, cache_entries.c.create_time).desc(),
        cache_entries.c.id.desc(),
    ),
)


class SqlCache:
    """`domain.cache.entries.CacheStore` on SQLAlchemy."""

    def __init__(
        self, database: Database, *, now: Callable[[], datetime], vectors: Vectors | None = None
    ) -> None:
        """Without `vectors` the database is asked at the first search what it can do."""
        self._database = database
        self._now = now
        self._vectors = vectors
        self._insert = sqlite.insert if database.is_sqlite else postgresql.insert
        put = self._insert(cache_entries)
        replaced = {c.name: put.excluded[c.name] for c in cache_entries.c if c.name != "key"}
        self._put = put.on_conflict_do_update(index_elements=["tenant", "key"], set_=replaced)

    async def find(self, tenant: str, keys: Collection[str]) -> Mapping[str, Entry]:
        """See `CacheStore.find`."""
        values = {"tenant": tenant, "keys": [*keys], "now": self._now()}
        async with self._database.statement() as connection:
            rows = await connection.execute(FIND, values)
            return {row.key: entry_from(row.document) for row in rows}

    async def nearest(self, search: Search, limit: int) -> Sequence[Near]:
        """See `CacheStore.nearest`."""
        if self._vectors is None:
            self._vectors = await vectors_of(self._database)
        async with self._database.read() as connection:
            found = await self._vectors.nearest(connection, search, limit, self._now())
        return [Near(entry=entry_from(document), similarity=s) for document, s in found]

    async def put(self, entry: Entry) -> None:
        """See `CacheStore.put`."""
        async with self._database.begin() as connection:
            await connection.execute(self._put, entry_row(entry, packed=self._database.is_sqlite))

    async def use(self, uses: Collection[Use]) -> Collection[str]:
        """See `CacheStore.use`."""
        if not uses:
            return ()
        statement = self._insert(cache_uses).on_conflict_do_nothing()
        counted = statement.returning(cache_uses.c.attempt)
        async with self._database.begin() as connection:
            rows = await connection.execute(counted, [use_row(use) for use in uses])
            return set(rows.scalars())

    async def claim(self, tenant: str, keys: Collection[str], job: str) -> Mapping[str, str]:
        """See `CacheStore.claim`."""
        if not keys:
            return {}
        # In one order, or two jobs with the same keys could wait for each other.
        rows = [
            {"tenant": tenant, "key": key, "job": job, "create_time": self._now()}
            for key in sorted(keys)
        ]
        claim = self._insert(cache_flights).on_conflict_do_nothing()
        async with self._database.begin() as connection:
            await connection.execute(claim, rows)
            makers = await connection.execute(_MAKERS, {"tenant": tenant, "keys": [*keys]})
            return {row.key: row.job for row in makers}

    async def take_over(self, tenant: str, key: str, *, owner: str, job: str) -> bool:
        """See `CacheStore.take_over`."""
        flights = cache_flights.c
        mine = (flights.tenant == tenant) & (flights.key == key) & (flights.job == owner)
        taken = sa.update(cache_flights).where(mine).values(job=job, create_time=self._now())
        async with self._database.begin() as connection:
            return (await connection.execute(taken)).rowcount == 1

    async def forget(self, tenant: str, assets: Collection[str]) -> int:
        """See `CacheStore.forget`."""
        entries = cache_entries.c
        gone = sa.delete(cache_entries).where(
            (entries.tenant == tenant) & entries.asset.in_([*assets])
        )
        async with self._database.begin() as connection:
            return (await connection.execute(gone)).rowcount

    async def assets(self, tenant: str) -> Sequence[str]:
        """See `CacheStore.assets`."""
        assets = sa.select(cache_entries.c.asset).where(cache_entries.c.tenant == tenant)
        async with self._database.read() as connection:
            return (await connection.execute(assets.distinct())).scalars().all()

    async def purge(self, tenant: str) -> int:
        """See `CacheStore.purge`."""
        async with self._database.begin() as connection:
            for table in (cache_uses, cache_flights):
                await connection.execute(sa.delete(table).where(table.c.tenant == tenant))
            gone = sa.delete(cache_entries).where(cache_entries.c.tenant == tenant)
            return (await connection.execute(gone)).rowcount

    async def stats(self, tenant: str) -> Stats:
        """See `CacheStore.stats`."""
        async with self._database.read() as connection:
            return await read_stats(connection, tenant, self._now())

    async def evict(self, most: int) -> int:
        """See `CacheStore.evict`."""
        ranked = sa.select(cache_entries.c.id, _RANK.label("rank")).subquery()
        many = sa.select(ranked.c.id).where(ranked.c.rank > most)
        gone = sa.delete(cache_entries).where(cache_entries.c.id.in_(many))
        async with self._database.begin() as connection:
            return (await connection.execute(gone)).rowcount

    async def fading(self, wanted: Fading) -> Sequence[Entry]:
        """See `CacheStore.fading`."""
        entries, uses = cache_entries.c, cache_uses.c
        mine = (uses.tenant == entries.tenant) & (uses.asset == entries.asset)
        often = (
            sa.select(sa.func.count())
            .where(mine & (uses.create_time >= wanted.since))
            .scalar_subquery()
        )
        soon = (entries.expire_time > self._now()) & (entries.expire_time < wanted.until)
        if wanted.after is not None:
            soon &= sa.tuple_(entries.expire_time, entries.id) > sa.tuple_(*_after(wanted.after))
        # What is no clip has no shape, and no job that could be done once more.
        statement = (
            sa.select(entries.document)
            .where(soon & (entries.shape != "") & (often >= wanted.uses))
            .order_by(entries.expire_time, entries.id)
            .limit(wanted.limit)
        )
        async with self._database.read() as connection:
            return [entry_from(row.document) for row in await connection.execute(statement)]

    async def expire(self) -> int:
        """See `CacheStore.expire`."""
        now = self._now()
        old = sa.delete(cache_entries).where(cache_entries.c.expire_time <= now)
        stale = sa.delete(cache_flights).where(cache_flights.c.create_time < now - FLIGHTS_KEPT)
        async with self._database.begin() as connection:
            await connection.execute(stale)
            return (await connection.execute(old)).rowcount


def _after(entry: Entry) -> tuple[sa.BindParameter[datetime], sa.BindParameter[str]]:
    """The place of an entry in the order of expiry."""
    columns = cache_entries.c
    return (
        sa.bindparam("expires", entry.expire_time, type_=columns.expire_time.type),
        sa.bindparam("place", entry.id, type_=columns.id.type),
    )
