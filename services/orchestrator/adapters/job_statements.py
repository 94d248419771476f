"""The statements on jobs that every job runs, built once: building costs as much as sending."""

from typing import Any

import sqlalchemy as sa

from services.orchestrator.adapters.tables import job_events, jobs, requests
from services.orchestrator.domain.job import Job

LOAD_JOB = sa.select(jobs.c.document, jobs.c.tenant).where(jobs.c.id == sa.bindparam("wanted"))
LOCK_JOB = LOAD_JOB.with_for_update()
WRITE_JOB = sa.update(jobs).where(jobs.c.id == sa.bindparam("wanted"))
ADD_EVENT = sa.insert(job_events).returning(job_events.c.position)


def _swap() -> Any:
    """The new state and its event in one statement, if nobody else has changed the job."""
    fields = ["state", "sequence", "end_time", "document"]
    swapped = (
        sa.update(jobs)
        .where(jobs.c.id == sa.bindparam("wanted"), jobs.c.sequence == sa.bindparam("present"))
        .values({name: sa.bindparam(f"new_{name}", type_=jobs.c[name].type) for name in fields})
        .returning(jobs.c.id, jobs.c.sequence, jobs.c.document)
        .cte("swapped")
    )
    event = sa.select(
        swapped.c.id,
        swapped.c.sequence,
        sa.bindparam("new_kind", type_=job_events.c.kind.type),
        swapped.c.document,
        sa.bindparam("moment", type_=job_events.c.create_time.type),
        sa.false(),
    )
    names = ["job_id", "sequence", "kind", "document", "create_time", "published"]
    insert = sa.insert(job_events).from_select(names, event, include_defaults=False)
    return insert.returning(job_events.c.position)


SWAP_JOB = _swap()


def claim_request(insert: Any) -> Any:
    """Take a request_id that is free or has expired; returns a row when it was taken."""
    claim = insert(requests)
    return claim.on_conflict_do_update(
        index_elements=["tenant", "request_id"],
        set_={k: claim.excluded[k] for k in ("fingerprint", "job_id", "create_time")},
        where=requests.c.create_time < sa.bindparam("expired", type_=requests.c.create_time.type),
    ).returning(requests.c.job_id)


def swap_values(known: Job, changed: Job, kind: str, document: bytes) -> dict[str, object]:
    """What SWAP_JOB takes."""
    return {
        "wanted": known.id,
        "present": known.sequence,
        "new_state": changed.state,
        "new_sequence": changed.sequence,
        "new_end_time": changed.end_time,
        "new_document": document,
        "new_kind": kind,
        "moment": changed.update_time,
    }


def job_values(job: Job, document: bytes) -> dict[str, object]:
    """The columns of a job."""
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
