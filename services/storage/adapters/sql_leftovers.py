"""Keys under which an upload may have left an object that its record no longer has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import BigInteger, bindparam, delete, func, literal, or_, select

from services.common.per_dialect import PerDialect
from services.storage.adapters.asset_rows import micros
from services.storage.adapters.sql_statements import LIMIT
from services.storage.adapters.sql_waits import SqlWaits
from services.storage.adapters.tables import assets, leftovers
from services.storage.domain.assets import AssetState
from services.storage.domain.leftovers import Leftover

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

    from services.storage.domain.assets import Asset
    from services.storage.domain.keys import ObjectKey

_INSERT = PerDialect(lambda insert: insert(leftovers).on_conflict_do_nothing())
_ID = leftovers.c.key + literal(" ") + leftovers.c.asset_id
_KEPT = (assets.c.state == AssetState.STORED.value) & (assets.c.key == leftovers.c.key)
LEFTOVERS = (
    select(leftovers.c.key, leftovers.c.asset_id, func.coalesce(_KEPT, False).label("kept"))
    .outerjoin(assets, assets.c.id == leftovers.c.asset_id)
    .where(
        leftovers.c.create_time < bindparam("moment", type_=BigInteger),
        or_(assets.c.id.is_(None), assets.c.state != AssetState.WRITING.value),
        _ID.not_in(bindparam("but", expanding=True)),
    )
    .order_by(leftovers.c.create_time)
    .limit(LIMIT)
)
_FORGET = delete(leftovers).where(
    leftovers.c.key == bindparam("of_key"), leftovers.c.asset_id == bindparam("of_asset")
)


async def leave(
    connection: AsyncConnection, asset: Asset, keys: Iterable[ObjectKey], moment: datetime
) -> None:
    """Note in the caller's transaction that objects of the asset may lie under these keys."""
    noted = {"asset_id": asset.id, "create_time": micros(moment)}
    rows = [{"key": str(key), **noted} for key in keys]
    await connection.execute(_INSERT[connection.dialect.name], rows)


class SqlLeftovers(SqlWaits):
    """Implements ``Leftovers``; see the port."""

    async def leave(self, asset: Asset) -> None:
        """Note that an object of the asset may lie under its key, where it is not the asset's."""
        async with self._begin() as connection:
            await leave(connection, asset, [asset.key], self._now())

    async def leftovers(
        self, before: datetime, limit: int, but: Iterable[str] = ()
    ) -> Sequence[Leftover]:
        """Return keys, noted until ``before``, of records that nobody can commit any more."""
        asked = {"moment": micros(before), "at_most": limit, "but": list(but)}
        async with self._statement() as connection:
            rows = (await connection.execute(LEFTOVERS, asked)).all()
        return [Leftover(key=key, asset_id=asset, kept=bool(kept)) for key, asset, kept in rows]

    async def forget_leftover(self, left: Leftover) -> None:
        """Note that there is nothing under the key that no record has."""
        async with self._statement(writes=True) as connection:
            await connection.execute(_FORGET, {"of_key": left.key, "of_asset": left.asset_id})
