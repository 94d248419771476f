"""Records whose bytes wait in a spool."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sqlalchemy import bindparam, case, func, literal, select, update

from services.storage.adapters.asset_rows import micros, whole_columns
from services.storage.adapters.sql_chores import SqlChores
from services.storage.adapters.sql_statements import (
    CHANGE_WRITING,
    IN_SPOOL,
    MOMENT,
    RELEASED,
    TENANT,
    WHICH,
)
from services.storage.adapters.tables import assets
from services.storage.domain.assets import AssetState
from services.storage.domain.spooling import Wait

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime

    from sqlalchemy import Update

    from services.common.database import Database
    from services.storage.domain.assets import Asset

_THIS = assets.c.id == WHICH
_WAITS = (assets.c.state == AssetState.WRITING.value) & IN_SPOOL
_THESE = assets.c.id.in_(bindparam("identifiers", expanding=True))
# Said where it goes without saying: the index of ages leaves out what is gone for good.
_UNPURGED = assets.c.purge_time.is_(None)
_ENDS = assets.c.spool.in_([Wait.ROOM.value, Wait.NEW_BYTES.value, Wait.SPOOL.value])
_MISSED = assets.c.spool == Wait.SPOOL.value
_IS_BACK = "the spool that the file waits in is there again"

WAITING = select(assets).where(_THESE, _WAITS).order_by(assets.c.id)
DROPPED = select(assets.c.id).where(
    _THESE, assets.c.state == AssetState.DELETED.value, assets.c.spool != ""
)
VOUCH = (
    update(assets)
    .where(_THESE, _WAITS)
    .values(
        spool=case((_MISSED, Wait.STORE.value), else_=assets.c.spool),
        state_reason=case((_MISSED, _IS_BACK), else_=assets.c.state_reason),
    )
)
# What is damaged is no longer there; whoever brings it again needs its room but once.
WAITING_BYTES = select(func.coalesce(func.sum(assets.c.size_bytes), 0)).where(
    assets.c.tenant == TENANT, _WAITS, assets.c.spool != Wait.NEW_BYTES.value, assets.c.id != WHICH
)
# Said again, it is as old as it was: by that it ends.
WAITS_FOR = update(assets).where(
    _THIS,
    _WAITS,
    (assets.c.spool != bindparam("waits_for")) | (assets.c.state_reason != bindparam("why")),
)
# The proof keeps what it waited in: by that it is known that it was never stored.
_PROOF = {"state": AssetState.DELETED.value, "request_id": RELEASED}
_GONE = "the spool that the file waited in is gone"
DROP = update(assets).where(_THIS, _WAITS).values(_PROOF)
# Whoever brings the bytes again has touched the record; who holds them vouches for it anyway.
_LEFT_ALONE = (assets.c.spool == Wait.ROOM.value) | (assets.c.update_time < MOMENT)
GIVE_UP_WAITING = (
    update(assets)
    .where(_WAITS, _UNPURGED, _ENDS, assets.c.reason_time < MOMENT, _LEFT_ALONE)
    .values({**_PROOF, "state_reason": literal("given up: ") + assets.c.state_reason})
)
# Nothing is given up at once: whoever looks may be the first that is back after an outage.
MISS = (
    update(assets)
    .where(_WAITS, _UNPURGED, ~_ENDS, assets.c.update_time < MOMENT)
    .values(spool=Wait.SPOOL.value, state_reason=_GONE)
)


class SqlWaits(SqlChores):
    """Implements ``Waits``; see the port."""

    def __init__(self, database: Database, *, now: Callable[[], datetime]) -> None:
        super().__init__(database)
        self._now = now

    async def spooled(self, asset: Asset, reason: str) -> bool:
        """Note size, digest and media of a WRITING record whose bytes wait in a spool."""
        moment = micros(self._now())
        why = {"spool": Wait.STORE.value, "state_reason": reason, "reason_time": moment}
        changes = {**whole_columns(asset), **why, "update_time": moment}
        async with self._statement(writes=True) as connection:
            done = await connection.execute(CHANGE_WRITING, {"which": asset.id, **changes})
        return bool(done.rowcount)

    async def waits_for(self, asset: Asset, wait: Wait, reason: str) -> None:
        """Note what the file waits for now."""
        told = {"which": asset.id, "waits_for": wait.value, "why": reason}
        why = {"spool": wait.value, "state_reason": reason, "reason_time": micros(self._now())}
        async with self._statement(writes=True) as connection:
            await connection.execute(WAITS_FOR, {**told, **why})

    async def waiting(self, identifiers: Iterable[str]) -> Sequence[Asset]:
        """Return those of the records that are WRITING with bytes in a spool, oldest first."""
        return await self._fetch(WAITING, identifiers=list(identifiers))

    async def waiting_bytes(self, tenant: str, *, but: str = "") -> int:
        """Return the bytes of the tenant that wait in any spool, but those of one asset."""
        async with self._statement() as connection:
            told = {"of_tenant": tenant, "which": but}
            return int(await connection.scalar(WAITING_BYTES, told) or 0)

    async def vouch(self, identifiers: Iterable[str]) -> None:
        """Note that the files of these assets are there, those that were missed among them."""
        told = {"identifiers": list(identifiers), "update_time": micros(self._now())}
        async with self._statement(writes=True) as connection:
            await connection.execute(VOUCH, told)

    async def dropped(self, identifiers: Iterable[str]) -> Sequence[str]:
        """Return the ids of those that nothing will ever come for: dropped, or given up."""
        async with self._statement() as connection:
            rows = await connection.execute(DROPPED, {"identifiers": list(identifiers)})
            return [row[0] for row in rows]

    async def drop(self, asset: Asset, reason: str) -> Asset | None:
        """Turn a record that waits into a proof; ``None`` where it does not wait (any more)."""
        moment = self._now()
        told = {"which": asset.id, "state_reason": reason, **_ended(moment)}
        async with self._statement(writes=True) as connection:
            done = await connection.execute(DROP, told)
        if not done.rowcount:
            return None
        return replace(asset, state=AssetState.DELETED, delete_time=moment, state_reason=reason)

    async def give_up_waiting(self, before: datetime) -> int:
        """Turn what has waited since ``before`` for anything but the store into proofs."""
        return await self._changed(GIVE_UP_WAITING, before, **_ended(self._now()))

    async def miss(self, before: datetime) -> int:
        """Let what no replica has vouched for since ``before`` wait for its spool."""
        return await self._changed(MISS, before, reason_time=micros(self._now()))

    async def _changed(self, statement: Update, before: datetime, **times: int) -> int:
        told = {"moment": micros(before), **times}
        async with self._statement(writes=True) as connection:
            return (await connection.execute(statement, told)).rowcount


def _ended(moment: datetime) -> dict[str, int]:
    return {"delete_time": micros(moment), "update_time": micros(moment)}
