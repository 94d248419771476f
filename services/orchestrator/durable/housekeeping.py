"""What grows is cut back, what is stuck is told, what was orphaned is ended."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from dbos import DBOS
from dbos import error as engine_errors

from services.common.background import rounds
from services.common.database import Database
from services.common.telemetry import get_logger
from services.orchestrator.adapters.request_ids import REQUEST_ID_LIFETIME
from services.orchestrator.adapters.tables import job_events, jobs, requests
from services.orchestrator.domain.job import JobState
from services.orchestrator.durable.names import EDIT_IMAGE, GENERATE_VIDEO, MAKE_FILM
from services.orchestrator.flows.edit_image import EditSteps
from services.orchestrator.usecases.caching import Caching
from services.orchestrator.usecases.films.run import RunFilm
from services.orchestrator.usecases.finish import DEFECT, FinishVideo

_log = get_logger(__name__)
EVERY = timedelta(minutes=1)
KEEP_WORKFLOWS = timedelta(days=2)
# After its end a job's changes can be replayed for this long; then its last state says it all.
KEEP_EVENTS = timedelta(days=1)
# What a step raises that has found a database, or a part of ours, away until it was out of tries.
OUT_OF_RETRIES = engine_errors.DBOSMaxStepRetriesExceeded.__name__
_ENDED = ["SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"]


@dataclass(frozen=True, kw_only=True)
class Orphans:
    """Who ends what no workflow works on any more: jobs, films, edits."""

    finish: FinishVideo
    films: RunFilm
    edits: EditSteps


class Housekeeping:
    """Runs in every worker; everything it does may be done twice."""

    def __init__(
        self,
        database: Database,
        orphans: Orphans,
        *,
        cache: Caching,
        now: Callable[[], datetime],
        deadline: timedelta,
    ) -> None:
        """`deadline` is how long a job may take: what runs longer is reported."""
        self._database = database
        self._orphans = orphans
        self._cache = cache
        self._now = now
        self._deadline = deadline

    async def run(self) -> None:
        """Tidy up until cancelled."""
        await rounds(self.tidy, EVERY.total_seconds(), failed="housekeeping_failed")

    async def tidy(self) -> None:
        """One round."""
        await self._end_orphans()
        await self._drop_workflows()
        await self._drop_rows()
        await self._cache.tidy()
        await self._report_stuck()

    async def _end_orphans(self) -> None:
        """End jobs, films and edits whose workflow is over while they are not.

        That is a defect, or for a film a part of ours that was away for too long.
        """
        for job_id in await self._died(GENERATE_VIDEO):
            await self._orphans.finish.end(job_id, JobState.FAILED, error=DEFECT)
        for film_run, why in (await self._died(MAKE_FILM)).items():
            await self._orphans.films.abandon(film_run, away=OUT_OF_RETRIES in why)
        for edit_id in await self._died(EDIT_IMAGE):
            await self._orphans.edits.abandon(edit_id)

    async def _died(self, workflow: str) -> dict[str, str]:
        """What workflows of this name worked on that raised, or killed their process too often.

        Each with what was raised, "" for nothing.
        """
        since = (self._now() - KEEP_WORKFLOWS).isoformat()
        dead = await DBOS.list_workflows_async(
            name=workflow,
            status=["ERROR", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"],
            completed_after=since,
            limit=500,
            load_input=False,
        )
        return {
            found.workflow_id.removeprefix(f"{workflow}."): str(found.error or "") for found in dead
        }

    async def _drop_workflows(self) -> None:
        cut = (self._now() - KEEP_WORKFLOWS).isoformat()
        while ended := await DBOS.list_workflows_async(
            status=_ENDED, end_time=cut, limit=500, load_input=False, load_output=False
        ):
            await DBOS.delete_workflows_async([w.workflow_id for w in ended])

    async def _drop_rows(self) -> None:
        now = self._now()
        ended = sa.select(jobs.c.id).where(jobs.c.end_time < now - KEEP_EVENTS)
        async with self._database.begin() as connection:
            old = sa.delete(job_events).where(
                job_events.c.published, job_events.c.job_id.in_(ended)
            )
            await connection.execute(old)
            await connection.execute(
                sa.delete(requests).where(requests.c.create_time < now - REQUEST_ID_LIFETIME)
            )

    async def _report_stuck(self) -> None:
        cut = (self._now() - self._deadline * 2).isoformat()
        stuck = await DBOS.list_workflows_async(
            status=["PENDING"], end_time=cut, limit=20, load_input=False, load_output=False
        )
        for workflow in stuck:
            _log.error(
                "workflow_stuck", workflow=workflow.workflow_id, executor=workflow.executor_id
            )
