"""Records of assets in SQLite or PostgreSQL."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, exists, func, insert, select, text, update
from sqlalchemy.exc import IntegrityError

from services.common.errors import Aborted, RequestConflict
from services.storage.adapters.asset_rows import (
    from_row,
    key_columns,
    micros,
    terms_of,
    to_row,
)
from services.storage.adapters.tables import assets, terms, vectors
from services.storage.domain.assets import Asset, AssetState
from services.storage.domain.keys import ObjectKey
from services.storage.domain.ports import Claim

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

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
            key = await _free_key(connection, asset.key.next())
            changes = {**key_columns(key), "update_time": micros(self._now())}
            await connection.execute(
                update(assets).where(assets.c.id == asset.id).values(**changes)
            )
        return _at(asset, key)

    async def commit(self, asset: Asset) -> Asset:
        """Turn WRITING into STORED; the first of several twins wins, and its record is returned."""
        columns = to_row(replace(asset, state=AssetState.STORED))
        changed = ("state", "size_bytes", "sha256", "document", "expire_time")
        values = {name: columns[name] for name in changed} | key_columns(asset.key)
        writing = (assets.c.id == asset.id) & (assets.c.state == AssetState.WRITING)
        async with self._database.begin() as connection:
            done = await connection.execute(
                update(assets)
                .where(writing)
                .values(**values, spool="", update_time=micros(self._now()))
            )
            if done.rowcount:
                await connection.execute(insert(terms), list(terms_of(asset)))
                await _reused(connection, asset)
                await _use(connection, asset, 1)
        stored = await self.get(asset.tenant, asset.id)
        if stored is None:
            msg = "the upload was given up meanwhile; send it again"
            raise Aborted(msg)
        return stored

    async def abandon(self, asset: Asset) -> None:
        """Forget a WRITING record."""
        async with self._database.begin() as connection:
            await connection.execute(
                delete(assets).where(
                    assets.c.id == asset.id,
                    assets.c.state == AssetState.WRITING,
                    assets.c.attempt == asset.attempt,
                )
            )

    async def get(self, tenant: str, identifier: str) -> Asset | None:
        """Return the tenant's asset, whatever its state."""
        found = await self._fetch(
            select(assets).where(assets.c.id == identifier, assets.c.tenant == tenant)
        )
        return found[0] if found else None

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
        for axis, value in _criteria(query):
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
        same = (assets.c.tenant == tenant) & (assets.c.sha256 == sha256)
        stored = (assets.c.size_bytes == size_bytes) & (assets.c.state == AssetState.STORED)
        found = await self._fetch(select(assets).where(same & stored).limit(1))
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
            await connection.execute(delete(vectors).where(vectors.c.asset_id == asset.id))
            if done.rowcount:
                await _use(connection, asset, -1)
        return replace(asset, state=AssetState.DELETED, delete_time=moment)

    async def mark_purged(self, asset: Asset, moment: datetime) -> None:
        """Note that the bytes of a DELETED asset are gone."""
        async with self._database.begin() as connection:
            await connection.execute(
                update(assets).where(assets.c.id == asset.id).values(purge_time=micros(moment))
            )

    async def left_behind(self, before: datetime, limit: int) -> Sequence[Asset]:
        """Return WRITING records of every tenant that were not touched since ``before``."""
        old = (assets.c.state == AssetState.WRITING) & (assets.c.update_time < micros(before))
        return await self._fetch(select(assets).where(old).limit(limit))

    async def not_purged(self, before: datetime, limit: int) -> Sequence[Asset]:
        """Return DELETED records of every tenant, older than ``before``, not yet purged."""
        old = (assets.c.state == AssetState.DELETED) & (assets.c.update_time < micros(before))
        return await self._fetch(
            select(assets).where(old, assets.c.purge_time.is_(None)).limit(limit)
        )

    async def expired(self, moment: datetime, limit: int) -> Sequence[Asset]:
        """Return STORED assets of every tenant whose time is over and that nothing holds."""
        over = (assets.c.expire_time <= micros(moment)) & (assets.c.state == AssetState.STORED)
        return await self._fetch(
            select(assets).where(over, assets.c.legal_hold.is_(False)).limit(limit)
        )

    async def children(self, asset: Asset) -> Sequence[Asset]:
        """Return the STORED assets that were derived from this one."""
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
                key = await _free_key(connection, asset.key)
                claimed = _at(asset, key)
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

    async def _fetch(self, wanted: Any) -> list[Asset]:
        """Run a select over ``assets`` with the derived files; SQLAlchemy's types are ``Any``."""
        async with self._database.read() as connection:
            rows = (await connection.execute(wanted)).mappings().all()
            derived = await _derived(connection, [row["id"] for row in rows])
        return [from_row(dict(row), derived.get(row["id"])) for row in rows]


def _criteria(query: Query) -> list[tuple[str, str]]:
    pairs = list(query.facets.pairs()) if query.facets else []
    return pairs + [(f"label:{key}", value) for key, value in (query.labels or {}).items()]


def _at(asset: Asset, key: ObjectKey) -> Asset:
    return replace(asset, key=key, description=replace(asset.description, iteration=key.iteration))


async def _free_key(connection: AsyncConnection, key: ObjectKey) -> ObjectKey:
    """Return ``key`` or the next iteration that nobody has; others wait until we have written."""
    if connection.dialect.name == "postgresql":
        # Two keys may share a lock by chance, which costs a moment and nothing else.
        lock = text("SELECT pg_advisory_xact_lock(hashtextextended(:stem, 0))")
        await connection.execute(lock, {"stem": f"storage {key.stem}"})
    same = (assets.c.stem == key.stem) & (assets.c.extension == key.extension)
    taken = select(assets.c.id).where(same, assets.c.iteration == key.iteration)
    if (await connection.execute(taken)).first() is None:
        return key
    last = await connection.scalar(select(func.max(assets.c.iteration)).where(same))
    return ObjectKey(key.stem, (last or 0) + 1, key.extension)


async def _derived(connection: AsyncConnection, ids: list[str]) -> Mapping[str, dict[str, str]]:
    if not ids:
        return {}
    wanted = select(assets.c.parent_id, assets.c.role, assets.c.id).where(
        assets.c.parent_id.in_(ids), assets.c.state == AssetState.STORED
    )
    found: dict[str, dict[str, str]] = {}
    for parent, role, identifier in (await connection.execute(wanted)).all():
        found.setdefault(parent, {})[role] = f"assets/{identifier}"
    return found


async def _reused(connection: AsyncConnection, asset: Asset) -> None:
    """Count a use for every asset of the same tenant that this one was made from."""
    parents = [name.removeprefix("assets/") for name in asset.description.lineage.parents]
    if parents:
        await connection.execute(
            update(assets)
            .where(assets.c.id.in_(parents), assets.c.tenant == asset.tenant)
            .values(reuse_count=assets.c.reuse_count + 1)
        )


_COUNT_USE = text(
    "INSERT INTO tenant_usage (tenant, size_bytes, assets) "
    "VALUES (:tenant, :size_bytes, :assets) "
    "ON CONFLICT (tenant) DO UPDATE SET "
    "size_bytes = tenant_usage.size_bytes + excluded.size_bytes, "
    "assets = tenant_usage.assets + excluded.assets"
)


async def _use(connection: AsyncConnection, asset: Asset, sign: int) -> None:
    """Add (1) or take away (-1) one asset in what its tenant uses."""
    row = {"tenant": asset.tenant, "size_bytes": sign * asset.size_bytes, "assets": sign}
    await connection.execute(_COUNT_USE, row)
