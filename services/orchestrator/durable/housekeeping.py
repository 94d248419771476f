"""What grows is cut back, what is stuck is told, what was orphaned is ended."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

import sqlalchemy as sa
from dbos import DBOS, WorkflowStatus
from dbos import error as engine_errors

from services.common.background import rounds
from services.common.database import Database
from services.common.errors import NotFound
from services.common.telemetry import get_logger
from services.orchestrator.adapters.request_ids import REQUEST_ID_LIFETIME
from services.orchestrator.adapters.tables import job_events, jobs, requests
from services.orchestrator.domain.job import JobState
from services.orchestrator.durable.names import (
    CANCEL_FILM,
    CANCEL_QUEUE,
    CANCEL_VIDEO,
    EDIT_IMAGE,
    GENERATE_VIDEO,
    MAKE_FILM,
)
from services.orchestrator.flows.edit_image import EditSteps
from services.orchestrator.usecases.caching import Caching
from services.orchestrator.usecases.films.run import RunFilm
from services.orchestrator.usecases.finish import AWAY, DEFECT, FinishVideo

_log = get_logger(__name__)
EVERY = timedelta(minutes=1)
KEEP_WORKFLOWS = timedelta(days=2)
# After its end a job's changes can be replayed for this long; then its last state says it all.
KEEP_EVENTS = timedelta(days=1)
# What a step raises that has found a database, or a part of ours, away until it was out of tries.
OUT_OF_RETRIES = engine_errors.DBOSMaxStepRetriesExceeded.__name__
# Workflows that raised, or killed their process too often, stay until what they worked on is ended.
_DEAD = ["ERROR", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"]
_ENDED = ["SUCCESS", "CANCELLED"]
PAGE = 500
End: TypeAlias = Callable[[str, bool], Awaitable[object]]
"""Ends what a workflow worked on, by its id, and whether a part of ours was away for too long."""


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

        That is a defect, or a part of ours that was away for too long. Cancelling goes on.
        """
        await self._bury(GENERATE_VIDEO, self._end_job)
        films, edits = self._orphans.films, self._orphans.edits
        await self._bury(MAKE_FILM, lambda film_run, away: films.abandon(film_run, away=away))
        await self._bury(EDIT_IMAGE, lambda edit_id, _: edits.abandon(edit_id))
        await self._revive([CANCEL_VIDEO, CANCEL_FILM])

    async def _end_job(self, job_id: str, away: bool) -> None:
        error = AWAY if away else DEFECT
        await self._orphans.finish.end(job_id, JobState.FAILED, error=error)

    async def _bury(self, workflow: str, end: End) -> None:
        """End what workflows of this name worked on that died, and forget them.

        One that cannot be ended is left for the next round, whatever its age, and holds up none.
        """
        left = 0
        while dead := await _dead(workflow, left):
            ended = [each.workflow_id for each in dead if await _ended(each, end)]
            await DBOS.delete_workflows_async(ended)
            left += len(dead) - len(ended)

    async def _revive(self, workflows: list[str]) -> None:
        """Begin workflows that died anew: they do nothing to what has ended."""
        for each in await _dead(workflows):
            _log.warning("cancelling_goes_on", workflow=each.workflow_id, error=_why(each))
            with suppress(engine_errors.DBOSException):  # another worker was quicker
                await DBOS.rewind_workflow_async(each.workflow_id, queue_name=CANCEL_QUEUE)

    async def _drop_workflows(self) -> None:
        cut = (self._now() - KEEP_WORKFLOWS).isoformat()
        while ended := await DBOS.list_workflows_async(
            status=_ENDED, completed_before=cut, limit=PAGE, load_input=False, load_output=False
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
            status=["PENDING"], dequeued_before=cut, limit=20, load_input=False, load_output=False
        )
        for workflow in stuck:
            _log.error(
                "workflow_stuck", workflow=workflow.workflow_id, executor=workflow.executor_id
            )


async def _dead(workflow: str | list[str], offset: int = 0) -> list[WorkflowStatus]:
    """The oldest workflows of this name that died, after so many others."""
    return await DBOS.list_workflows_async(
        name=workflow, status=_DEAD, limit=PAGE, offset=offset, load_input=False
    )


async def _ended(dead: WorkflowStatus, end: End) -> bool:
    """Whether what the workflow worked on has an end; what is not there needs none."""
    identifier = dead.workflow_id.removeprefix(f"{dead.name}.")
    try:
        await end(identifier, OUT_OF_RETRIES in _why(dead))
    except NotFound:
        _log.warning("work_not_there", workflow=dead.workflow_id, error=_why(dead))
    except Exception as error:
        _log.exception("work_not_ended", workflow=dead.workflow_id, error=repr(error))
        return False
    else:
        _log.error("workflow_died", workflow=dead.workflow_id, error=_why(dead))
    return True


def _why(dead: WorkflowStatus) -> str:
    """What it raised; "" for nothing."""
    return str(dead.error or "")
