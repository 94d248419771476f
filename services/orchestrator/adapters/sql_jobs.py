"""Jobs and their events on SQLite or PostgreSQL. Every change is one transaction with one event."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Protocol

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from services.common.database import Database
from services.common.errors import NotFound, RequestConflict
from services.orchestrator.adapters.documents import dump, load
from services.orchestrator.adapters.job_statements import (
    ADD_EVENT,
    LOAD_JOB,
    LOCK_JOB,
    SWAP_JOB,
    WRITE_JOB,
    claim_request,
    job_values,
    swap_values,
)
from services.orchestrator.adapters.tables import job_events, jobs, requests
from services.orchestrator.domain.job import Job
from services.orchestrator.domain.ports import JobEvent, JobFilter

REQUEST_ID_LIFETIME = timedelta(hours=24)


class WorkOrders(Protocol):
    """Puts work into the durable engine's queue inside the caller's transaction."""

    def generate(self, connection: sa.Connection, job_id: str) -> None:
        """Order the making of a job."""

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
        self._claim = claim_request(sqlite.insert if database.is_sqlite else postgresql.insert)

    async def accept(self, job: Job) -> tuple[Job, bool]:
        """See `JobStore.accept`: request id, job, event and work order commit together."""
        async with self._database.begin() as connection:
            if job.request_id:
                known = await self._claim_request(connection, job)
                if known is not None:
                    return known, True
            document = dump(job)
            await connection.execute(sa.insert(jobs), job_values(job, document))
            position = await self._record(connection, job, "accepted", document)
            await connection.run_sync(self._orders.generate, job.id)
        self._committed(position, JobEvent(kind="accepted", job=job))
        return job, False

    async def _claim_request(self, connection: AsyncConnection, job: Job) -> Job | None:
        """Take the request_id for this job, or return the job that has it."""
        row = {
            "tenant": job.tenant,
            "request_id": job.request_id,
            "fingerprint": job.request.fingerprint(),
            "job_id": job.id,
            "create_time": job.create_time,
        }
        expired = {"expired": self._forgotten()}
        if (await connection.execute(self._claim, row | expired)).first() is not None:
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
        where = (requests.c.tenant == job.tenant) & (requests.c.request_id == job.request_id)
        found = (await connection.execute(sa.select(requests).where(where))).first()
        if found is None or found.create_time.replace(tzinfo=UTC) < self._forgotten():
            return None
        if found.fingerprint != job.request.fingerprint():
            raise RequestConflict(job.request_id)
        return await self._load(connection, found.job_id)

    def _forgotten(self) -> datetime:
        """Request ids of before this moment are free again."""
        return self._now() - REQUEST_ID_LIFETIME

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
