"""The ledger on SQLite and PostgreSQL alike: one table, keyed by (tenant, request_id).

Every change is a compare and set on `sequence`. Whoever drives a generation owns its row, and an
owner that falls silent loses it.
"""

import zlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from services.common.async_engine import AsyncConnection
from services.common.database import Database, told_when_away
from services.common.errors import RequestConflict
from services.generator.domain.callbacks import Callback
from services.generator.domain.generation import Generation, State
from services.generator.domain.orders import order_to_json
from services.generator.domain.ports import Entry
from services.generator.ledger.rows import (
    CALLBACKS,
    GENERATIONS,
    OWNERS,
    columns_of,
    entry_of,
    generation_of,
)
from services.generator.ledger.saving import Saving, change, changed

_ROW = GENERATIONS.c
# A call whose answer was lost may be at work at the vendor for about so long.
UNKNOWN_COUNTS = timedelta(minutes=10)
_CALL = CALLBACKS.c
_CALLBACKS_LIVE = timedelta(days=7)
_UNDER_WAY = [state.value for state in (State.SUBMITTING, State.QUEUED, State.RUNNING)]


class SqlLedger:
    """The ledger on a database; see `domain.ports.Ledger` for the meaning of each method."""

    def __init__(self, database: Database) -> None:
        self._database = database
        dialect: Any = sqlite if database.is_sqlite else postgresql
        self._insert = dialect.insert
        self._saving = Saving(database)

    async def open(self, entry: Entry, owner: str) -> tuple[Entry, bool]:
        """Insert the intent, or return what is there; raises RequestConflict for another body."""
        order = order_to_json(entry.order)
        values = {**columns_of(entry.generation), "owner": owner, "ordered": order}
        insert = self._insert(GENERATIONS).values(values).on_conflict_do_nothing()
        async with self._database.begin() as connection:
            result = await connection.execute(insert.returning(_ROW.id))
            if result.first() is not None:
                return entry, True
            present = await _find(connection, entry.generation.tenant, entry.generation.request_id)
            found = generation_of(present)
            if found.is_tombstone:
                found = found.created_after_cancel(entry.generation)
                await connection.execute(
                    sa.update(GENERATIONS)
                    .where(_ROW.id == found.id)
                    .values({**columns_of(found), "ordered": order})
                )
                return Entry(found, entry.order), False
            if found.request_hash != entry.generation.request_hash:
                raise RequestConflict(found.request_id)
            return Entry(found, entry.order), False

    async def save(
        self, generation: Generation, *, owner: str = "", release: bool = False, soon: bool = False
    ) -> bool:
        """Write the next state where the row has the one before."""
        return await self._saving.save(generation, owner=owner, release=release, soon=soon)

    async def save_within(self, generation: Generation, *, owner: str, limit: int) -> bool | None:
        """Save unless `limit` jobs are under way with its credential."""
        identity = generation.identity
        stopping = sa.and_(_ROW.state == State.CANCELLED.value, _ROW.submissions == 1)
        now = generation.submit_time or generation.create_time
        unknown = sa.and_(
            _ROW.state == State.UNKNOWN_OUTCOME.value, _ROW.submit_time > now - UNKNOWN_COUNTS
        )
        under_way = (
            sa.select(sa.func.count())
            .select_from(GENERATIONS)
            .where(
                _ROW.owner != "",
                _ROW.provider == identity.provider,
                _ROW.credential == identity.credential,
                sa.or_(_ROW.state.in_(_UNDER_WAY), stopping, unknown),
            )
        )
        async with self._database.begin() as connection:
            if not self._database.is_sqlite:
                number = zlib.crc32(identity.account.encode())
                await connection.execute(sa.select(sa.func.pg_advisory_xact_lock(number)))
            if (await connection.execute(under_way)).scalar_one() >= limit:
                return None
            update, values = change(owned=True, release=False), changed(generation, owner)
            return bool((await connection.execute(update, values)).rowcount)

    async def sent(self, provider: str, start: datetime, end: datetime) -> Sequence[Generation]:
        """Return what was sent to a provider in a time."""
        query = sa.select(GENERATIONS).where(
            _ROW.provider == provider, _ROW.submit_time >= start, _ROW.submit_time < end
        )
        async with self._database.read() as connection:
            rows = await connection.execute(query.order_by(_ROW.submit_time))
            return [generation_of(row) for row in rows]

    async def get(self, tenant: str, identifier: str) -> Generation | None:
        """Return the tenant's generation; a tombstone of something never created is not one."""
        query = sa.select(GENERATIONS).where(_ROW.id == identifier, _ROW.tenant == tenant)
        async with self._database.statement() as connection:
            row = (await connection.execute(query)).first()
        return generation_of(row) if row and row.request_hash else None

    async def find(self, tenant: str, request_id: str) -> Entry | None:
        """Return the tenant's row by request id; a tombstone is not one."""
        async with self._database.statement() as connection:
            row = await _find(connection, tenant, request_id)
        return entry_of(row) if row and row.request_hash else None

    async def load(self, identifier: str) -> Entry | None:
        """Return a row, whoever's it is."""
        query = sa.select(GENERATIONS).where(_ROW.id == identifier, _ROW.request_hash != "")
        async with told_when_away(), self._database.statement() as connection:
            row = (await connection.execute(query)).first()
        return entry_of(row) if row else None

    async def bury(self, mark: Generation) -> Generation | None:
        """Insert a tombstone, or return what is there already."""
        insert = self._insert(GENERATIONS).values({**columns_of(mark), "owner": ""})
        async with self._database.begin() as connection:
            result = await connection.execute(insert.on_conflict_do_nothing().returning(_ROW.id))
            if result.first() is not None:
                return None
            return generation_of(await _find(connection, mark.tenant, mark.request_id))

    async def heartbeat(self, owner: str, *, now: datetime) -> Sequence[str]:
        """Say that `owner` lives; returns the ids of its rows that somebody else cancelled."""
        insert = self._insert(OWNERS).values(id=owner, heartbeat=now)
        beat = insert.on_conflict_do_update(index_elements=["id"], set_={"heartbeat": now})
        cancelled = sa.select(_ROW.id).where(
            _ROW.owner == owner, _ROW.state == State.CANCELLED.value
        )
        async with self._database.begin() as connection:
            await connection.execute(beat)
            return list((await connection.execute(cancelled)).scalars())

    async def note(self, identifier: str, callback: Callback, *, now: datetime) -> bool:
        """Keep a callback; False for one that was kept before."""
        insert = self._insert(CALLBACKS).values(
            generation=identifier,
            message=callback.message,
            job=callback.job,
            receive_time=now,
            told=False,
        )
        old = sa.delete(CALLBACKS).where(_CALL.receive_time < now - _CALLBACKS_LIVE)
        async with self._database.begin() as connection:
            await connection.execute(old)
            result = await connection.execute(
                insert.on_conflict_do_nothing().returning(_CALL.message)
            )
            return result.first() is not None

    async def called_back(self, identifier: str) -> str:
        """Return the vendor's id of the job that a callback named last."""
        query = (
            sa.select(_CALL.job)
            .where(_CALL.generation == identifier, _CALL.job != "")
            .order_by(_CALL.receive_time.desc())
            .limit(1)
        )
        async with self._database.read() as connection:
            return str((await connection.execute(query)).scalar() or "")

    async def news(self, owner: str) -> Sequence[str]:
        """Return, once, the ids of its rows for which a callback came."""
        mine = sa.select(_ROW.id).where(_ROW.owner == owner)
        untold = sa.and_(sa.not_(_CALL.told), _CALL.generation.in_(mine))
        async with self._database.read() as connection:
            if (
                await connection.execute(sa.select(_CALL.generation).where(untold).limit(1))
            ).first() is None:
                return []
        hear = sa.update(CALLBACKS).where(untold).values(told=True).returning(_CALL.generation)
        async with self._database.begin() as connection:
            return list(set((await connection.execute(hear)).scalars()))

    async def claim(self, owner: str, *, dead_before: datetime) -> Sequence[Entry]:
        """Take over every row whose owner was not heard of since `dead_before`."""
        alive = sa.select(OWNERS.c.id).where(OWNERS.c.heartbeat >= dead_before)
        orphans = sa.and_(_ROW.owner != "", _ROW.owner != owner, _ROW.owner.not_in(alive))
        async with self._database.read() as connection:
            if (
                await connection.execute(sa.select(_ROW.id).where(orphans).limit(1))
            ).first() is None:
                return []
        take = sa.update(GENERATIONS).where(orphans).values(owner=owner).returning(GENERATIONS)
        async with self._database.begin() as connection:
            rows = (await connection.execute(take)).all()
            await connection.execute(sa.delete(OWNERS).where(OWNERS.c.heartbeat < dead_before))
        return [entry_of(row) for row in rows if row.request_hash]

    async def succeed(self, replica: str, owner: str) -> None:
        """Forget earlier lives of a replica; its owners are named `{replica}/…`."""
        same = OWNERS.c.id.startswith(f"{replica}/", autoescape=True)
        async with self._database.begin() as connection:
            await connection.execute(sa.delete(OWNERS).where(same, OWNERS.c.id != owner))

    async def retire(self, owner: str) -> None:
        """Forget an owner that ends, so that others take its rows over at once."""
        async with self._database.begin() as connection:
            await connection.execute(sa.delete(OWNERS).where(OWNERS.c.id == owner))

    async def adopt(self, identifier: str, owner: str) -> bool:
        """Take one row that nobody owns; False when it is owned."""
        free = sa.update(GENERATIONS).where(_ROW.id == identifier, _ROW.owner == "")
        async with self._database.begin() as connection:
            return bool((await connection.execute(free.values(owner=owner))).rowcount)

    async def release(self, identifier: str, owner: str) -> None:
        """Give a row up without changing it."""
        mine = sa.update(GENERATIONS).where(_ROW.id == identifier, _ROW.owner == owner)
        async with self._database.begin() as connection:
            await connection.execute(mine.values(owner=""))


async def _find(connection: AsyncConnection, tenant: str, request_id: str) -> Any:
    query = sa.select(GENERATIONS).where(_ROW.tenant == tenant, _ROW.request_id == request_id)
    return (await connection.execute(query)).first()
