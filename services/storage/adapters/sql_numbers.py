"""Iterations: each file of a creative has its own, of its kind and however many replicas write."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import and_, bindparam, func, select, text, union_all

from services.storage.adapters.sql_statements import TENANT, WHICH
from services.storage.adapters.tables import assets
from services.storage.domain.keys import ObjectKey

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from services.storage.domain.assets import Asset

_SAME_KIND = assets.c.extension == bindparam("of_extension")
# The last condition is that of an index, in its words.
_SAME_CREATIVE = and_(
    assets.c.tenant == TENANT,
    assets.c.creative_id == bindparam("of_creative"),
    _SAME_KIND,
    text("numbered"),
)
# What has no creative, and what is from before iterations counted beyond a second.
_SAME_STEM = (assets.c.stem == bindparam("of_stem")) & _SAME_KIND
_SAME_ITERATION = (assets.c.iteration == bindparam("of_iteration")) & (assets.c.id != WHICH)
TAKEN = union_all(
    select(assets.c.id).where(_SAME_CREATIVE, _SAME_ITERATION),
    select(assets.c.id).where(_SAME_STEM, _SAME_ITERATION),
).limit(1)
_LAST = union_all(
    select(func.max(assets.c.iteration).label("last")).where(_SAME_CREATIVE),
    select(func.max(assets.c.iteration)).where(_SAME_STEM),
).subquery()
LAST = select(func.max(_LAST.c.last))
# Two creatives may share a lock by chance, which costs a moment and nothing else.
_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended(:counted, 0))")


async def free_key(connection: AsyncConnection, asset: Asset, key: ObjectKey) -> ObjectKey:
    """Return ``key`` or the next iteration of its creative that no other asset has.

    Others wait until we have written.
    """
    creative = "" if asset.parent_id else asset.description.creative_id
    if connection.dialect.name == "postgresql":
        counted = f"{asset.tenant}/{creative}" if creative else key.stem
        await connection.execute(_LOCK, {"counted": f"storage {counted}"})
    stem = {"of_stem": key.stem, "of_extension": key.extension}
    same = {**stem, "of_tenant": asset.tenant, "of_creative": creative}
    wanted = {**same, "of_iteration": key.iteration, "which": asset.id}
    if (await connection.execute(TAKEN, wanted)).first() is None:
        return key
    last = await connection.scalar(LAST, same)
    return ObjectKey(key.stem, (last or 0) + 1, key.extension)
