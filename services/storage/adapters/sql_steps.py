"""Statements that run inside a transaction over assets."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, bindparam, exists, or_, select, text

from services.storage.adapters import sql_statements as sql
from services.storage.adapters.asset_rows import micros
from services.storage.adapters.tables import assets
from services.storage.adapters.vector_statements import DROP
from services.storage.adapters.word_index import token
from services.storage.domain.assets import AssetState
from services.storage.domain.policies import quota_exceeded

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sqlalchemy import Select, TextualSelect
    from sqlalchemy.ext.asyncio import AsyncConnection

    from services.storage.adapters.word_index import WordIndex
    from services.storage.domain.assets import Asset
    from services.storage.domain.keys import ObjectKey
    from services.storage.domain.ports import Query


async def derived(connection: AsyncConnection, ids: list[str]) -> Mapping[str, dict[str, str]]:
    """Return role and name of the files that were derived from each of ``ids``."""
    if not ids:
        return {}
    found: dict[str, dict[str, str]] = {}
    rows = await connection.execute(sql.DERIVED, {"identifiers": ids})
    for parent, role, identifier in rows.all():
        found.setdefault(parent, {})[role] = f"assets/{identifier}"
    return found


async def held_as_parent(connection: AsyncConnection, child: Asset) -> Asset:
    """Return the child under legal hold when what it was derived from is."""
    held = await connection.scalar(sql.HELD_PARENT, {"which": child.parent_id})
    return replace(child, legal_hold=bool(held))


async def reused(connection: AsyncConnection, asset: Asset) -> None:
    """Count a use for every asset of the same tenant that this one was made from.

    What each has saved is its cost: it was not made again. A cut saves nothing of what was made
    for it.
    """
    lineage = asset.description.lineage
    parents = [name.removeprefix("assets/") for name in lineage.parents]
    if parents and not lineage.untrained:
        mine = {"parents": parents, "of_tenant": asset.tenant}
        await connection.execute(sql.REUSE, mine)


_USE = text(
    "INSERT INTO tenant_usage (tenant, size_bytes, assets) VALUES (:tenant, :size_bytes, 1) "
    "ON CONFLICT (tenant) DO UPDATE SET "
    "size_bytes = tenant_usage.size_bytes + excluded.size_bytes, "
    "assets = tenant_usage.assets + 1 "
    "WHERE :quota = 0 OR tenant_usage.size_bytes + excluded.size_bytes <= :quota"
).bindparams(bindparam("quota", type_=BigInteger))


async def use(connection: AsyncConnection, asset: Asset, *, quota_bytes: int) -> None:
    """Count the asset in what its tenant has; raises ``ResourceExhausted`` over the quota."""
    row = {"tenant": asset.tenant, "size_bytes": asset.size_bytes, "quota": quota_bytes}
    counted = await connection.execute(_USE, row)
    if not counted.rowcount or 0 < quota_bytes < asset.size_bytes:
        raise quota_exceeded(asset.tenant, quota_bytes)


async def give_back(connection: AsyncConnection, asset: Asset) -> None:
    """Take the asset out of what its tenant has."""
    less = {"of_tenant": asset.tenant, "bytes": asset.size_bytes}
    await connection.execute(sql.GIVE_BACK, less)


async def marked_deleted(
    connection: AsyncConnection, words: WordIndex, asset: Asset, moment: datetime
) -> Asset | None:
    """Turn the record into the proof that it was there; ``None`` when it is held, or not STORED."""
    proof = replace(asset, state=AssetState.DELETED, delete_time=moment)
    changes = {"delete_time": micros(moment), "update_time": micros(moment)}
    gone = {"which": asset.id, "state": proof.state.value, **changes}
    if not (await connection.execute(sql.DELETE_STORED, gone)).rowcount:
        return None
    await words.remove(connection, asset)
    await connection.execute(DROP, {"which": asset.id})
    await connection.execute(sql.FORGET_REUSES, {"which": asset.id})
    await give_back(connection, asset)
    await tell(connection, proof)
    return proof


async def tell(connection: AsyncConnection, proof: Asset) -> None:
    """Put the deletion of an asset where the bus is fed from; derived files follow their parent."""
    if proof.parent_id or proof.delete_time is None:
        return
    row = {
        "id": f"{proof.id}.deleted",
        "tenant": proof.tenant,
        "asset_id": proof.id,
        "sha256": proof.sha256,
        "event_time": micros(proof.delete_time),
    }
    await connection.execute(sql.INSERT_EVENT, row)


_parent = assets.alias("parent")
# What is derived goes without saying where that of which it was made is held.
_HELD_ALONE = or_(
    assets.c.parent_id == "",
    ~exists().where(_parent.c.id == assets.c.parent_id, _parent.c.legal_hold),
)


def page_of(query: Query, words: WordIndex) -> Select[Any]:
    """Return the select of one page."""
    wanted = select(assets).where(assets.c.tenant == query.tenant)
    if query.waiting:
        wanted = wanted.where(assets.c.state == AssetState.WRITING.value, sql.IN_SPOOL)
    else:
        stored = assets.c.state == AssetState.STORED.value
        wanted = wanted.where(stored, _HELD_ALONE if query.held else assets.c.parent_id == "")
    if query.before:
        wanted = wanted.where(assets.c.id < query.before)
    if query.held:
        wanted = wanted.where(assets.c.legal_hold)
    if query.creative_id:
        wanted = wanted.where(assets.c.creative_id == query.creative_id)
    pairs = list(query.facets.compared()) if query.facets else []
    pairs += [(f"label:{key}", value) for key, value in (query.labels or {}).items()]
    if pairs:
        tokens = [token(query.tenant, axis, value) for axis, value in pairs]
        wanted = wanted.where(assets.c.id.in_(_having(query, tokens, words)))
    return wanted.order_by(assets.c.id.desc()).limit(query.limit)


def _having(query: Query, tokens: list[str], words: WordIndex) -> TextualSelect:
    """Return the select of what has the tokens; of the newest, where nothing else is asked."""
    if query.creative_id or query.held or query.waiting:
        return words.having(query.tenant, tokens)
    return words.paged(query.tenant, tokens, query.before, query.limit)


def at(asset: Asset, key: ObjectKey) -> Asset:
    """Return the asset under another key."""
    return replace(asset, key=key, description=replace(asset.description, iteration=key.iteration))
