"""Reading jobs: one, many, and as they change."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass

from services.common.errors import InvalidArgument
from services.orchestrator.domain.job import Job
from services.orchestrator.domain.options import check_identifier, check_text
from services.orchestrator.domain.ports import (
    EventFeed,
    HeardEvent,
    JobEvent,
    JobFilter,
    JobStore,
)

Change = JobEvent | HeardEvent

# A watcher looks into the database this often even when nothing is heard: a lost event costs time
# and never a gap.
QUIET_SECONDS = 5.0


def job_id(name: str, field: str = "name") -> str:
    """The id in "videoJobs/{id}". Raises InvalidArgument."""
    prefix, _, found = name.partition("/")
    if prefix != "videoJobs" or not found or not found.isalnum() or len(found) > 64:
        raise InvalidArgument(field, "is not a job's name", allowed=("videoJobs/{id}",))
    return found


@dataclass(frozen=True, kw_only=True)
class ReadJobs:
    """GetVideoJob, ListVideoJobs, WatchVideoJob."""

    jobs: JobStore
    feed: EventFeed

    async def get(self, tenant: str, name: str) -> Job:
        """One job. Raises NotFound."""
        return await self.jobs.get(tenant, job_id(name))

    async def list(self, tenant: str, query: JobFilter) -> tuple[Sequence[Job], str]:
        """One page, newest first, and the token of the next; "" on the last."""
        if not 0 <= query.limit <= 200:
            raise InvalidArgument("page_size", "is out of range", allowed=("1 to 200",))
        if query.before and not (query.before.isalnum() and len(query.before) <= 64):
            raise InvalidArgument("page_token", "is not one of ours", allowed=("next_page_token",))
        check_identifier("creative_id", query.creative_id)
        check_text("project", query.project, 128)
        size = query.limit or 50
        wider = JobFilter(
            limit=size + 1,
            before=query.before,
            states=query.states,
            creative_id=query.creative_id,
            project=query.project,
        )
        found = await self.jobs.list(tenant, wider)
        page = found[:size]
        return page, page[-1].id if len(found) > size else ""

    async def watch(self, tenant: str, name: str, after: int) -> AsyncGenerator[Change, None]:
        """The present state (or all changes after a sequence), then every change to the end.

        Raises NotFound.
        """
        if after < 0:
            raise InvalidArgument("after_sequence", "must not be negative", allowed=("0 or more",))
        identifier = job_id(name)
        with self.feed.follow(identifier) as live:
            job = await self.jobs.get(tenant, identifier)
            newest, ended = job.sequence, job.state.terminal and job.sequence <= after
            if after == 0:
                yield JobEvent(kind="state", job=job)
                after, ended = job.sequence, job.state.terminal
            while not ended:
                heard = await live.next(QUIET_SECONDS) if after >= newest else None
                for change in await self._since(identifier, after, heard):
                    yield change
                    after, ended = change.sequence, change.ends

    async def _since(
        self, identifier: str, after: int, heard: HeardEvent | None
    ) -> Sequence[Change]:
        if heard is not None and heard.sequence <= after:
            return ()
        if heard is not None and heard.sequence == after + 1:
            return (heard,)
        events = await self.jobs.events(identifier, after)
        if events:
            return events
        # The events of a job that ended long ago are gone; its last state says it all.
        job = await self.jobs.read(identifier)
        return (JobEvent(kind="state", job=job),) if job.sequence > after else ()
