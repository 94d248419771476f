"""The outbox relay: every committed change reaches the bus, at least once, deduplicated by id."""

import asyncio
from collections.abc import Sequence
from typing import Any, Protocol

import sqlalchemy as sa

from services.common.database import Database
from services.common.telemetry import get_logger
from services.orchestrator.adapters.documents import load
from services.orchestrator.adapters.tables import job_events
from services.orchestrator.domain.ports import JobEvent

_log = get_logger(__name__)
BATCH = 200
# Rows of a process that died between commit and publish are found after this long at the latest.
SWEEP_SECONDS = 1.0


class Publisher(Protocol):
    """The bus, as far as the relay is concerned."""

    async def publish(self, events: Sequence[JobEvent]) -> None:
        """Return once all are durable on the bus."""


class Outbox:
    """Reads what is not published, publishes it, marks it. Several replicas share the rows."""

    def __init__(self, database: Database, publisher: Publisher) -> None:
        """`publisher` must be idempotent by the event's identity: a crash may publish twice."""
        self._database = database
        self._publisher = publisher
        self._written = asyncio.Event()

    def written(self) -> None:
        """Tell that an event was committed in this process."""
        self._written.set()

    async def run(self) -> None:
        """Relay until cancelled."""
        while True:
            try:
                async with asyncio.timeout(SWEEP_SECONDS):
                    await self._written.wait()
            except TimeoutError:
                pass
            self._written.clear()
            try:
                while await self.relay() == BATCH:
                    pass
            except Exception as error:
                # The bus or the database is away; the rows stay and the next round tries again.
                _log.warning("outbox_waits", error=repr(error))
                await asyncio.sleep(SWEEP_SECONDS)

    async def relay(self) -> int:
        """Publish one batch; returns how many."""
        async with self._database.begin() as connection:
            rows = (await connection.execute(self._pending())).all()
            if not rows:
                return 0
            events = [JobEvent(kind=row.kind, job=load(row.document)) for row in rows]
            await self._publisher.publish(events)
            done = job_events.c.position.in_([row.position for row in rows])
            await connection.execute(sa.update(job_events).where(done).values(published=True))
        return len(rows)

    def _pending(self) -> sa.Select[Any]:
        columns = (job_events.c.position, job_events.c.kind, job_events.c.document)
        statement = sa.select(*columns).where(job_events.c.published.is_(False))
        return (
            statement.order_by(job_events.c.position).limit(BATCH).with_for_update(skip_locked=True)
        )
