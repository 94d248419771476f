"""The outbox relay: every committed change reaches the bus, at least once, deduplicated by id."""

from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Protocol

import sqlalchemy as sa
from typing_extensions import override

from services.common.database import Database
from services.orchestrator.adapters.documents import load
from services.orchestrator.adapters.relay import Relay
from services.orchestrator.adapters.tables import job_events
from services.orchestrator.domain.ports import JobEvent

BATCH = 200
# A sweep leaves young rows to the process that wrote them.
YOUNG = timedelta(seconds=1)
# Events that wait in memory while the bus is away; those beyond are left to the sweep.
BACKLOG = 10_000


class Publisher(Protocol):
    """The bus, as far as the relay is concerned."""

    async def publish(self, events: Sequence[JobEvent]) -> None:
        """Return once all are durable on the bus."""


class Outbox(Relay):
    """Publishes what this process has just committed, and sweeps up what others left."""

    def __init__(
        self, database: Database, publisher: Publisher, *, now: Callable[[], datetime]
    ) -> None:
        """`publisher` must be idempotent by the event's identity: a crash may publish twice."""
        super().__init__(name="jobs", batch=BATCH)
        self._database = database
        self._publisher = publisher
        self._now = now
        self._written: deque[tuple[int, JobEvent]] = deque(maxlen=BACKLOG)

    def written(self, position: int, event: JobEvent) -> None:
        """Tell that an event was committed in this process."""
        self._written.append((position, event))
        self.wake()

    @override
    async def relay_written(self) -> None:
        while self._written:
            batch = [self._written.popleft() for _ in range(min(BATCH, len(self._written)))]
            await self._publisher.publish([event for _, event in batch])
            async with self._database.statement(writes=True) as connection:
                await connection.execute(_done([position for position, _ in batch]))

    @override
    async def sweep(self) -> int:
        """Publish one batch of rows that nobody has published; returns how many."""
        async with self._database.begin() as connection:
            columns = (job_events.c.position, job_events.c.kind, job_events.c.document)
            waiting = (
                sa.select(*columns)
                .where(job_events.c.published.is_(False))
                .where(job_events.c.create_time < self._now() - YOUNG)
                .order_by(job_events.c.position)
                .limit(BATCH)
                .with_for_update(skip_locked=True)
            )
            rows = (await connection.execute(waiting)).all()
            if rows:
                events = [JobEvent(kind=row.kind, job=load(row.document)) for row in rows]
                await self._publisher.publish(events)
                await connection.execute(_done([row.position for row in rows]))
        return len(rows)


def _done(positions: Sequence[int]) -> sa.Update:
    chosen = job_events.c.position.in_(positions)
    return sa.update(job_events).where(chosen).values(published=True)
