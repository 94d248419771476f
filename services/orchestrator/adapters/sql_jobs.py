"""Jobs and their events on SQLite or PostgreSQL. Every change is one transaction with one event."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.common.database import Database
from services.common.errors import NotFound
from services.orchestrator.adapters.documents import dump, load
from services.orchestrator.adapters.job_statements import (
    ADD_EVENT,
    LOAD_JOB,
    LOCK_JOB,
    SWAP_JOB,
    WRITE_JOB,
    job_values,
    swap_values,
)
from services.orchestrator.adapters.request_ids import RequestIds, whole
from services.orchestrator.adapters.tables import job_events, jobs
from services.orchestrator.domain.job import Job
from services.orchestrator.domain.ports import JobEvent, JobFilter


class WorkOrders(Protocol):
    """Puts work into the durable engine's queue inside the caller's transaction."""

    def generate(self, connection: sa.Connection, job_id: str, place: int) -> None:
        """Order the making of a job; a smaller place goes first."""

    def cancel(self, connection: sa.Connection, job_id: str) -> None:
        """Order the cancelling of a job."""


class SqlJobs:
    """`domain.ports.JobStore` on SQLAlchemy."""

    def __init__(
        self,
        database: Database,
        orders: WorkOrders,
        *,
        now: Callable[[], datetime],
        committed: Callable[[int, JobEvent], None] = lambda _position, _event: None,
    ) -> None:
        """Take the database, the engine's queue, the clock, and whom to tell of events."""
        self._database = database
        self._orders = orders
        self._now = now
        self._committed = committed
        self._ids = RequestIds(is_sqlite=database.is_sqlite, now=now)

    async def accept(self, job: Job) -> tuple[Job, bool]:
        """See `JobStore.accept`: request id, job, event and work order commit together."""
        async with self._database.begin() as connection:
            known = await self._claimed_or_new(connection, job)
            if known is not None:
                return known, True
            position = await self._add(connection, job)
        self._committed(position, JobEvent(kind="accepted", job=job))
        return job, False

    async def accept_all(self, jobs: Sequence[Job], batch_id: str) -> tuple[Sequence[Job], bool]:
        """See `JobStore.accept_all`: the batch's id, its jobs and their orders commit together."""
        accepted: list[tuple[int | None, Job]] = []
        async with self._database.begin() as connection:
            together = whole(jobs, batch_id)
            if not await self._ids.take(connection, jobs[0], *together):
                return await self._items(connection, jobs, *together), True
            for job in jobs:
                known = await self._claimed_or_new(connection, job)
                position = None if known else await self._add(connection, job)
                accepted.append((position, known or job))
        for position, job in accepted:
            if position is not None:
                self._committed(position, JobEvent(kind="accepted", job=job))
        return [job for _, job in accepted], False

    async def known_all(self, jobs: Sequence[Job], batch_id: str) -> Sequence[Job] | None:
        """See `JobStore.known_all`."""
        request_id, fingerprint = whole(jobs, batch_id)
        async with self._database.read() as connection:
            if await self._ids.stands_for(connection, jobs[0].tenant, request_id, fingerprint):
                return await self._items(connection, jobs, request_id, fingerprint)
        return None

    async def unfinished(self, tenant: str) -> int:
        """See `JobStore.unfinished`."""
        mine = (jobs.c.tenant == tenant) & jobs.c.end_time.is_(None)
        counted = sa.select(sa.func.count()).select_from(jobs).where(mine)
        async with self._database.read() as connection:
            return int((await connection.execute(counted)).scalar_one())

    async def _add(self, connection: AsyncConnection, job: Job) -> int:
        document = dump(job)
        await connection.execute(sa.insert(jobs), job_values(job, document))
        position = await self._record(connection, job, "accepted", document)
        await connection.run_sync(self._orders.generate, job.id, job.place)
        return position

    async def _items(
        self, connection: AsyncConnection, jobs: Sequence[Job], request_id: str, fingerprint: str
    ) -> Sequence[Job]:
        """The jobs of a batch that is there. Raises RequestConflict for another body."""
        await self._ids.stands_for(connection, jobs[0].tenant, request_id, fingerprint)
        found = [await self._claimed(connection, job) for job in jobs]
        return [job for job in found if job is not None]

    async def _claimed_or_new(self, connection: AsyncConnection, job: Job) -> Job | None:
        """Take the request_id for this job, or return the job that has it."""
        fingerprint = job.request.fingerprint() if job.request_id else ""
        if not job.request_id or await self._ids.take(connection, job, job.request_id, fingerprint):
            return None
        return await self._claimed(connection, job)

    async def known(self, job: Job) -> Job | None:
        """See `JobStore.known`."""
        if not job.request_id:
            return None
        async with self._database.read() as connection:
            return await self._claimed(connection, job)

    async def _claimed(self, connection: AsyncConnection, job: Job) -> Job | None:
        """The job that has the request_id. Raises RequestConflict for another body."""
        fingerprint = job.request.fingerprint()
        found = await self._ids.stands_for(connection, job.tenant, job.request_id, fingerprint)
        return await self._load(connection, found) if found else None

    async def get(self, tenant: str, job_id: str) -> Job:
        """See `JobStore.get`."""
        async with self._database.statement() as connection:
            return await self._load(connection, job_id, tenant=tenant)

    async def read(self, job_id: str) -> Job:
        """See `JobStore.read`."""
        async with self._database.statement() as connection:
            return await self._load(connection, job_id)

    async def list(self, tenant: str, query: JobFilter) -> Sequence[Job]:
        """See `JobStore.list`: ids grow with time, so inserts do not move a page."""
        statement = sa.select(jobs.c.document).where(jobs.c.tenant == tenant)
        if query.before:
            statement = statement.where(jobs.c.id < query.before)
        if query.states:
            statement = statement.where(jobs.c.state.in_(query.states))
        if query.creative_id:
            statement = statement.where(jobs.c.creative_id == query.creative_id)
        if query.project:
            statement = statement.where(jobs.c.project == query.project)
        statement = statement.order_by(jobs.c.id.desc()).limit(query.limit)
        async with self._database.read() as connection:
            return [load(row.document) for row in await connection.execute(statement)]

    async def change(
        self,
        job_id: str,
        kind: str,
        mutate: Callable[[Job], Job | None],
        *,
        known: Job | None = None,
    ) -> Job:
        """See `JobStore.change`."""
        changed = mutate(known) if known else None
        if known and changed and await self._swap(known, changed, kind):
            return changed
        async with self._database.begin() as connection:
            job = await self._load(connection, job_id, lock=True)
            changed = mutate(job)
            if changed is None:
                return job
            position = await self._write(connection, changed, kind)
        self._committed(position, JobEvent(kind=kind, job=changed))
        return changed

    async def _swap(self, known: Job, changed: Job, kind: str) -> bool:
        """Write the change where the row is still what we know: one statement, no lock awaited."""
        if self._database.is_sqlite:
            return False  # one writer at a time: there is nothing to be gained
        values = swap_values(known, changed, kind, dump(changed))
        async with self._database.statement(writes=True) as connection:
            position = (await connection.execute(SWAP_JOB, values)).scalar_one_or_none()
        if position is None:
            return False
        self._committed(position, JobEvent(kind=kind, job=changed))
        return True

    async def request_cancel(self, tenant: str, job_id: str) -> Job:
        """See `JobStore.request_cancel`."""
        async with self._database.begin() as connection:
            job = await self._load(connection, job_id, tenant=tenant, lock=True)
            if job.state == "cancelling":
                return job
            changed = job.cancelling(self._now())
            position = await self._write(connection, changed, "cancelling")
            await connection.run_sync(self._orders.cancel, job_id)
        self._committed(position, JobEvent(kind="cancelling", job=changed))
        return changed

    async def events(self, job_id: str, after: int) -> Sequence[JobEvent]:
        """See `JobStore.events`."""
        where = (job_events.c.job_id == job_id) & (job_events.c.sequence > after)
        statement = sa.select(job_events.c.kind, job_events.c.document).where(where)
        async with self._database.read() as connection:
            rows = await connection.execute(statement.order_by(job_events.c.sequence))
            return [JobEvent(kind=row.kind, job=load(row.document)) for row in rows]

    async def _load(
        self,
        connection: AsyncConnection,
        job_id: str,
        *,
        tenant: str | None = None,
        lock: bool = False,
    ) -> Job:
        statement = LOCK_JOB if lock else LOAD_JOB
        row = (await connection.execute(statement, {"wanted": job_id})).first()
        if row is None or tenant not in {None, row.tenant}:
            raise NotFound("videoJob", f"videoJobs/{job_id}")
        return load(row.document)

    async def _write(self, connection: AsyncConnection, job: Job, kind: str) -> int:
        document = dump(job)
        await connection.execute(WRITE_JOB, job_values(job, document) | {"wanted": job.id})
        return await self._record(connection, job, kind, document)

    async def _record(
        self, connection: AsyncConnection, job: Job, kind: str, document: bytes
    ) -> int:
        row = {
            "job_id": job.id,
            "sequence": job.sequence,
            "kind": kind,
            "document": document,
            "create_time": job.update_time,
            "published": False,
        }
        return int((await connection.execute(ADD_EVENT, row)).scalar_one())
