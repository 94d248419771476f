"""What request ids stand for, for a day: the same id and body is the same job."""

import hashlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from services.common.errors import RequestConflict
from services.orchestrator.adapters.job_statements import claim_request
from services.orchestrator.adapters.tables import requests
from services.orchestrator.domain.job import Job

REQUEST_ID_LIFETIME = timedelta(hours=24)


class RequestIds:
    """Rows of `requests`, inside the caller's transaction."""

    def __init__(self, *, is_sqlite: bool, now: Callable[[], datetime]) -> None:
        """Take the clock; ids of more than a day ago are free again."""
        self._now = now
        self._claim = claim_request(sqlite.insert if is_sqlite else postgresql.insert)

    async def take(
        self, connection: AsyncConnection, job: Job, request_id: str, fingerprint: str
    ) -> bool:
        """Let the id stand for the job and the body, unless it stands for something."""
        row = {
            "tenant": job.tenant,
            "request_id": request_id,
            "fingerprint": fingerprint,
            "job_id": job.id,
            "create_time": job.create_time,
            "expired": self._forgotten(),
        }
        return (await connection.execute(self._claim, row)).first() is not None

    async def stands_for(
        self, connection: AsyncConnection, tenant: str, request_id: str, fingerprint: str
    ) -> str | None:
        """The id of the job; None for a free one. Raises RequestConflict for another body."""
        where = (requests.c.tenant == tenant) & (requests.c.request_id == request_id)
        found = (await connection.execute(sa.select(requests).where(where))).first()
        if found is None or found.create_time.replace(tzinfo=UTC) < self._forgotten():
            return None
        if found.fingerprint != fingerprint:
            raise RequestConflict(request_id.removeprefix(_BATCH))
        return str(found.job_id)

    def _forgotten(self) -> datetime:
        """Request ids of before this moment are free again."""
        return self._now() - REQUEST_ID_LIFETIME


_BATCH = "batch:"


def whole(jobs: Sequence[Job], batch_id: str) -> tuple[str, str]:
    """The request_id of a batch, apart from those of single jobs, and the digest of its items."""
    items = (f"{job.request_id} {job.request.fingerprint()}" for job in jobs)
    return f"{_BATCH}{batch_id}", hashlib.sha256("\n".join(items).encode()).hexdigest()
