"""Uses of assets, counted in the database once for each request id."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.common.errors import NotFound, RequestConflict
from services.storage.adapters import sql_statements as sql

if TYPE_CHECKING:
    from services.common.database import Database
    from services.storage.domain.uses import Use


class SqlUses:
    """Implements the port; several replicas may be told of one use at once."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._insert_new = sql.INSERT_REUSE[database.engine.dialect.name]

    async def record(self, use: Use) -> None:
        """Add to count and saving, unless this request has done so; see the port."""
        mine = {"tenant": use.tenant, "request_id": use.request_id, "asset_id": use.asset_id}
        async with self._database.begin() as connection:
            if (await connection.execute(self._insert_new, mine)).rowcount:
                counted = {"which": use.asset_id, "of_tenant": use.tenant}
                saved = {"saved": use.saving_micros}
                if not (await connection.execute(sql.COUNT_USE, {**counted, **saved})).rowcount:
                    kind = "asset"
                    raise NotFound(kind, f"assets/{use.asset_id}")
                return
            same = {"of_tenant": use.tenant, "of_request": use.request_id}
            known = await connection.scalar(sql.REUSED_ASSET, same)
        if known != use.asset_id:
            raise RequestConflict(use.request_id)
