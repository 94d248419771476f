"""Jobs and their events on SQLite or PostgreSQL. Every change is one transaction with one event."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from services.common.database import Database
from services.common.errors import NotFound, RequestConflict
from services.orchestrator.adapters.documents import dump, load
from services.orchestrator.adapters.tables import job_events, jobs, requests
from services.orchestrator.domain.job import Job
from services.orchestrator.domain.ports import JobEvent, JobFilter

REQUEST_ID_LIFETIME = timedelta(hours=24)


# Built once: to build a statement costs as much as to send it.
_LOAD_JOB = sa.select(jobs.c.document, jobs.c.tenant).where(jobs.c.id == sa.bindparam("wanted"))
_LOCK_JOB = _LOAD_JOB.with_for_update()
_WRITE_JOB = sa.update(jobs).where(jobs.c.id == sa.bindparam("wanted"))
_ADD_EVENT = sa.insert(job_events).returning(job_events.c.position)


def _claim(insert: Any) -> Any:
    """Take a request_id that is free or has expired; returns a row when it was taken."""
    claim = insert(requests)
    return claim.on_conflict_do_update(
        index_elements=["tenant", "request_id"],
        set_={k: claim.excluded[k] for k in ("fingerprint", "job_id", "create_time")},
        where=requests.c.create_time < sa.bindparam("expired", type_=requests.c.create_time.type),
    ).returning(requests.c.job_id)


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
        self._claim = _claim(sqlite.insert if database.is_sqlite else postgresql.insert)

    async def accept(self, job: Job) -> tuple[Job, bool]:
        """See `JobStore.accept`: request id, job, event and work order commit together."""
        async with self._database.begin() as connection:
            if job.request_id:
                known = await self._claim_request(connection, job)
                if known is not None:
                    return known, True
            document = dump(job)
            await connection.execute(sa.insert(jobs), _row(job, document))
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
        async with self._database.read() as connection:
            return await self._load(connection, job_id, tenant=tenant)

    async def read(self, job_id: str) -> Job:
        """See `JobStore.read`."""
        async with self._database.read() as connection:
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

    async def change(self, job_id: str, kind: str, mutate: Callable[[Job], Job | None]) -> Job:
        """See `JobStore.change`."""
        async with self._database.begin() as connection:
            job = await self._load(connection, job_id, lock=True)
            changed = mutate(job)
            if changed is None:
                return job
            position = await self._write(connection, changed, kind)
        self._committed(position, JobEvent(kind=kind, job=changed))
        return changed

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
        statement = _LOCK_JOB if lock else _LOAD_JOB
        row = (await connection.execute(statement, {"wanted": job_id})).first()
        if row is None or tenant not in {None, row.tenant}:
            raise NotFound("videoJob", f"videoJobs/{job_id}")
        return load(row.document)

    async def _write(self, connection: AsyncConnection, job: Job, kind: str) -> int:
        document = dump(job)
        await connection.execute(_WRITE_JOB, _row(job, document) | {"wanted": job.id})
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
        return int((await connection.execute(_ADD_EVENT, row)).scalar_one())


def _row(job: Job, document: bytes) -> dict[str, object]:
    return {
        "id": job.id,
        "tenant": job.tenant,
        "state": job.state,
        "creative_id": job.creative_id,
        "project": job.request.project,
        "sequence": job.sequence,
        "create_time": job.create_time,
        "end_time": job.end_time,
        "document": document,
    }
