"""The cache in memory: entries, uses and who makes what, as `CacheStore` promises them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from services.common.errors import NotFound
from services.orchestrator.domain.cache.entries import Entry, Fading, Near, Search, Stats, Use
from services.orchestrator.domain.options import ImageInput


def _dot(one: Sequence[float], two: Sequence[float]) -> float:
    return sum(a * b for a, b in zip(one, two, strict=True))


def _place(entry: Entry) -> tuple[datetime, str]:
    return entry.expire_time, entry.id


@dataclass
class MemoryCache:
    """`CacheStore` in dictionaries; `now` is set by the test."""

    now: datetime
    entries: dict[tuple[str, str], Entry] = field(default_factory=dict)
    uses: dict[tuple[str, str], Use] = field(default_factory=dict)
    flights: dict[tuple[str, str], str] = field(default_factory=dict)

    async def find(self, tenant: str, keys: Collection[str]) -> Mapping[str, Entry]:
        mine = {k: self.entries.get((tenant, k)) for k in keys}
        return {k: replace(e, vector=()) for k, e in mine.items() if e and e.expire_time > self.now}

    async def nearest(self, search: Search, limit: int) -> Sequence[Near]:
        same = [
            Near(
                entry=e, similarity=sum(a * b for a, b in zip(search.vector, e.vector, strict=True))
            )
            for e in self.entries.values()
            if (e.tenant, e.shape, e.embedder) == (search.tenant, search.shape, search.embedder)
            and e.vector
            and e.expire_time > self.now
        ]
        return sorted(same, key=lambda near: -near.similarity)[:limit]

    async def put(self, entry: Entry) -> None:
        self.entries[entry.tenant, entry.key] = entry

    async def use(self, uses: Collection[Use]) -> Collection[str]:
        new = [u for u in uses if (u.tenant, u.attempt) not in self.uses]
        self.uses.update({(u.tenant, u.attempt): u for u in new})
        return {u.attempt for u in new}

    async def claim(self, tenant: str, keys: Collection[str], job: str) -> Mapping[str, str]:
        return {key: self.flights.setdefault((tenant, key), job) for key in keys}

    async def take_over(self, tenant: str, key: str, *, owner: str, job: str) -> bool:
        if self.flights.get((tenant, key)) != owner:
            return False
        self.flights[tenant, key] = job
        return True

    async def forget(self, tenant: str, assets: Collection[str]) -> int:
        gone = [k for k, e in self.entries.items() if e.tenant == tenant and e.clip.asset in assets]
        for key in gone:
            del self.entries[key]
        return len(gone)

    async def assets(self, tenant: str) -> Sequence[str]:
        return sorted({e.clip.asset for e in self.entries.values() if e.tenant == tenant})

    async def purge(self, tenant: str) -> int:
        entries = sum(1 for e in self.entries.values() if e.tenant == tenant)
        tables: list[dict[tuple[str, str], Any]] = [self.entries, self.uses, self.flights]
        for table in tables:
            for key in [k for k in table if k[0] == tenant]:
                del table[key]
        return entries

    async def stats(self, tenant: str) -> Stats:
        mine = [e for e in self.entries.values() if e.tenant == tenant]
        return Stats(entries=len(mine), searchable=sum(1 for e in mine if e.vector))

    async def evict(self, most: int) -> int:
        return 0

    async def fading(self, wanted: Fading) -> Sequence[Entry]:
        def uses(entry: Entry) -> int:
            return sum(
                (u.tenant, u.asset) == (entry.tenant, entry.clip.asset)
                and u.create_time >= wanted.since
                for u in self.uses.values()
            )

        soon = [e for e in self.entries.values() if self.now < e.expire_time < wanted.until]
        often = [e for e in soon if e.shape and uses(e) >= wanted.uses]
        rest = [e for e in often if wanted.after is None or _place(e) > _place(wanted.after)]
        return sorted(rest, key=_place)[: wanted.limit]

    async def expire(self) -> int:
        old = [k for k, e in self.entries.items() if e.expire_time <= self.now]
        for key in old:
            del self.entries[key]
        return len(old)


@dataclass
class MemoryClips:
    """`Clips`: pictures by address, and the assets that have been deleted."""

    pictures: dict[str, str] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)
    uses: dict[str, str] = field(default_factory=dict)

    async def digest(self, tenant: str, image: ImageInput, once: str) -> str:
        where = image.uri or image.asset
        if where not in self.pictures:
            raise NotFound("asset", where)
        return self.pictures[where]

    async def present(self, tenant: str, asset: str) -> bool:
        return asset not in self.deleted

    async def reused(self, use: Use) -> None:
        self.uses[use.attempt] = use.asset

    async def delete(self, tenant: str, asset: str) -> None:
        self.deleted.add(asset)


@dataclass
class Tally:
    """`Counting` as a list."""

    hits: list[tuple[str, str, str, int]] = field(default_factory=list)
    misses: list[tuple[str, str]] = field(default_factory=list)

    def hit(self, tenant: str, kind: str, provider: str, saved_micros: int) -> None:
        self.hits.append((tenant, kind, provider, saved_micros))

    def miss(self, tenant: str, kind: str) -> None:
        self.misses.append((tenant, kind))
