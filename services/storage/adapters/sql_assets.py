"""Records of assets in SQLite or PostgreSQL."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, exists, insert, select, update
from sqlalchemy.exc import IntegrityError

from services.common.errors import Aborted, RequestConflict
from services.storage.adapters.asset_rows import (
    from_row,
    key_columns,
    micros,
    terms_of,
    to_row,
)
from services.storage.adapters.sql_steps import (
    at,
    criteria,
    derived,
    free_key,
    give_back,
    reused,
    use,
)
from services.storage.adapters.tables import assets, terms, usage
from services.storage.domain.assets import Asset, AssetState
from services.storage.domain.ports import Claim

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime

    from services.common.database import Database
    from services.storage.domain.ports import Query

_CLAIM_ATTEMPTS = 5


class SqlAssets:
    """Implements the asset store; see the port for what each method promises."""

    def __init__(self, database: Database, *, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    async def claim(self, asset: Asset) -> Claim:
        """Insert a WRITING record under the next free iteration, or find what is there."""
        for _ in range(_CLAIM_ATTEMPTS):
            try:
                return await self._claim(asset)
            except IntegrityError:
                # A twin with the same request id was faster by a moment; the next look finds it.
                continue
        msg = "others keep taking the same object key"
        raise Aborted(msg)

    async def move(self, asset: Asset) -> Asset:
        """Give a WRITING record the next free iteration after its present one."""
        async with self._database.begin() as connection:
            key = await free_key(connection, asset.key.next())
            changes = {**key_columns(key), "update_time": micros(self._now())}
            await connection.execute(update(assets).where(assets.c.id == asset.id).values(changes))
        return at(asset, key)

    async def spooled(self, asset: Asset) -> None:
        """Note size, digest and media of a WRITING record whose bytes wait in a spool."""
        columns = to_row(asset)
        values = {name: columns[name] for name in ("size_bytes", "sha256", "document")}
        mine = (assets.c.id == asset.id) & (assets.c.attempt == asset.attempt)
        async with self._database.begin() as connection:
            await connection.execute(
                update(assets)
                .where(mine, assets.c.state == AssetState.WRITING)
                .values(**values, spool="local", update_time=micros(self._now()))
            )

    async def waiting(self, limit: int) -> Sequence[Asset]:
        """Return WRITING records of every tenant whose bytes wait in a spool, oldest first."""
        wanted = (assets.c.state == AssetState.WRITING) & (assets.c.spool != "")
        return await self._fetch(select(assets).where(wanted).order_by(assets.c.id).limit(limit))

    async def used(self, tenant: str) -> int:
        """Return the bytes that the tenant has in storage."""
        wanted = select(usage.c.size_bytes).where(usage.c.tenant == tenant)
        async with self._database.read() as connection:
            return await connection.scalar(wanted) or 0

    async def commit(self, asset: Asset, *, quota_bytes: int = 0) -> Asset:
        """Turn WRITING into STORED; the first of several twins wins, and its record is returned."""
        columns = to_row(replace(asset, state=AssetState.STORED))
        changed = (
            "state",
            "size_bytes",
            "sha256",
            "document",
            "expire_time",
            *key_columns(asset.key),
        )
        values = {name: columns[name] for name in changed}
        writing = (assets.c.id == asset.id) & (assets.c.state == AssetState.WRITING)
        async with self._database.begin() as connection:
            done = await connection.execute(
                update(assets)
                .where(writing)
                .values(**values, spool="", update_time=micros(self._now()))
            )
            if done.rowcount:
                await connection.execute(insert(terms), list(terms_of(asset)))
                await reused(connection, asset)
                await use(connection, asset, quota_bytes=quota_bytes)
        stored = await self.get(asset.tenant, asset.id)
        if stored is None:
            msg = "the upload was given up meanwhile; send it again"
            raise Aborted(msg)
        return stored

    async def abandon(self, asset: Asset) -> None:
        """Forget a WRITING record."""
        async with self._database.begin() as connection:
            mine = (assets.c.id == asset.id) & (assets.c.attempt == asset.attempt)
            unfinished = delete(assets).where(mine, assets.c.state == AssetState.WRITING)
            await connection.execute(unfinished)

    async def get(self, tenant: str, identifier: str) -> Asset | None:
        """Return the tenant's asset, whatever its state."""
        found = await self._fetch(
            select(assets).where(assets.c.id == identifier, assets.c.tenant == tenant)
        )
        return found[0] if found else None

    async def many(self, tenant: str, identifiers: Iterable[str]) -> Sequence[Asset]:
        """Return the tenant's STORED assets among ``identifiers``, in any order."""
        mine = (assets.c.tenant == tenant) & (assets.c.state == AssetState.STORED)
        return await self._fetch(select(assets).where(mine, assets.c.id.in_(list(identifiers))))

    async def page(self, query: Query) -> list[Asset]:
        """Return STORED assets, newest first."""
        wanted = select(assets).where(
            assets.c.tenant == query.tenant,
            assets.c.state == AssetState.STORED,
            assets.c.parent_id == "",
        )
        if query.before:
            wanted = wanted.where(assets.c.id < query.before)
        if query.creative_id:
            wanted = wanted.where(assets.c.creative_id == query.creative_id)
        for axis, value in criteria(query):
            wanted = wanted.where(
                exists().where(
                    terms.c.tenant == query.tenant,
                    terms.c.axis == axis,
                    terms.c.value == value,
                    terms.c.asset_id == assets.c.id,
                )
            )
        return await self._fetch(wanted.order_by(assets.c.id.desc()).limit(query.limit))

    async def twin(self, tenant: str, sha256: str, size_bytes: int) -> Asset | None:
        """Return a STORED asset of the tenant with the same bytes."""
        same = (assets.c.sha256 == sha256) & (assets.c.size_bytes == size_bytes)
        stored = (assets.c.tenant == tenant) & (assets.c.state == AssetState.STORED)
        found = await self._fetch(select(assets).where(same, stored).limit(1))
        return found[0] if found else None

    async def mark_deleted(self, asset: Asset, moment: datetime) -> Asset:
        """Turn the record into the proof that it was there; what is searchable goes."""
        values = {"state": AssetState.DELETED.value, "delete_time": micros(moment)}
        stored = (assets.c.id == asset.id) & (assets.c.state == AssetState.STORED)
        async with self._database.begin() as connection:
            done = await connection.execute(
                update(assets).where(stored).values(**values, update_time=micros(moment))
            )
            await connection.execute(delete(terms).where(terms.c.asset_id == asset.id))
            if done.rowcount:
                await give_back(connection, asset)
        return replace(asset, state=AssetState.DELETED, delete_time=moment)

    async def mark_purged(self, asset: Asset, moment: datetime) -> None:
        """Note that the bytes of a DELETED asset are gone."""
        await self._set(asset, purge_time=micros(moment))

    async def left_behind(self, before: datetime, limit: int) -> Sequence[Asset]:
        """Return WRITING records of every tenant that were not touched since ``before``."""
        old = (assets.c.state == AssetState.WRITING) & (assets.c.update_time < micros(before))
        return await self._fetch(select(assets).where(old, assets.c.spool == "").limit(limit))

    async def not_purged(self, before: datetime, limit: int) -> Sequence[Asset]:
        """Return DELETED records of every tenant, older than ``before``, not yet purged."""
        old = (assets.c.state == AssetState.DELETED) & (assets.c.update_time < micros(before))
        return await self._fetch(
            select(assets).where(old, assets.c.purge_time.is_(None)).limit(limit)
        )

    async def underived(self, limit: int) -> Sequence[Asset]:
        """Return STORED pictures and films of every tenant without derived files, oldest first."""
        todo = assets.c.derive_time.is_(None) & (assets.c.state == AssetState.STORED)
        return await self._fetch(select(assets).where(todo).order_by(assets.c.id).limit(limit))

    async def mark_derived(self, asset: Asset, moment: datetime) -> None:
        """Note that there is nothing more to derive from the asset."""
        await self._set(asset, derive_time=micros(moment))

    async def expired(self, moment: datetime, limit: int) -> Sequence[Asset]:
        """Return STORED assets of every tenant whose time is over and that nothing holds."""
        over = (assets.c.expire_time <= micros(moment)) & (assets.c.state == AssetState.STORED)
        return await self._fetch(
            select(assets).where(over, assets.c.legal_hold.is_(False)).limit(limit)
        )

    async def children(self, asset: Asset) -> Sequence[Asset]:
        """Return the STORED assets derived from this one."""
        return await self._fetch(
            select(assets).where(
                assets.c.tenant == asset.tenant,
                assets.c.parent_id == asset.id,
                assets.c.state == AssetState.STORED,
            )
        )

    async def _claim(self, asset: Asset) -> Claim:
        async with self._database.begin() as connection:
            same = (assets.c.tenant == asset.tenant) & (assets.c.request_id == asset.request_id)
            row = (await connection.execute(select(assets).where(same))).mappings().first()
            if row is None:
                key = await free_key(connection, asset.key)
                claimed = at(asset, key)
                await connection.execute(insert(assets).values(**to_row(claimed)))
                return Claim(asset=claimed, replayed=False)
            if row["fingerprint"] != asset.fingerprint:
                raise RequestConflict(asset.request_id)
            found = from_row(dict(row))
            if found.state != AssetState.WRITING:
                return Claim(asset=found, replayed=True)
            mine = {"attempt": asset.attempt, "update_time": micros(self._now())}
            await connection.execute(update(assets).where(assets.c.id == found.id).values(**mine))
        return Claim(asset=replace(found, attempt=asset.attempt), replayed=False)

    async def _set(self, asset: Asset, **values: int) -> None:
        async with self._database.begin() as connection:
            await connection.execute(update(assets).where(assets.c.id == asset.id).values(values))

    async def _fetch(self, wanted: Any) -> list[Asset]:
        """Run a select over ``assets`` with the derived files; SQLAlchemy's types are ``Any``."""
        async with self._database.read() as connection:
            rows = (await connection.execute(wanted)).mappings().all()
            found = await derived(connection, [row["id"] for row in rows])
        return [from_row(dict(row), found.get(row["id"])) for row in rows]
