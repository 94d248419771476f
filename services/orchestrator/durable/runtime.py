"""DBOS for the length of one process: configured, launched inside the running loop, ended in order.

What a reader must know of it: a step that began and did not commit runs again; a workflow that
raises is over; an executor's work is recovered by the executor of the same name at its start, or
by the sweeper.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from dbos import DBOS, DBOSConfig
from sqlalchemy.engine import make_url

from services.common.database import FrugalConnection, away
from services.common.errors import ServiceError
from services.orchestrator.durable.names import (
    APPLICATION,
    APPLICATION_VERSION,
    CANCEL_FILM,
    CANCEL_QUEUE,
    CANCEL_VIDEO,
    EDIT_IMAGE,
    EDIT_QUEUE,
    FILM_QUEUE,
    GENERATE_VIDEO,
    JOB_QUEUE,
    MAKE_FILM,
    engine_url,
)
from services.orchestrator.durable.queues import Bells
from services.orchestrator.durable.serializer import JsonSerializer
from services.orchestrator.flows.edit_image import EditSteps, edit_image
from services.orchestrator.flows.film import FilmSteps, cancel_film, make_film
from services.orchestrator.flows.generate_video import VideoSteps, cancel_video, generate_video

# Work that is taken up again this often is dead-lettered: it may be what takes its process down.
# Far more often than a film of days is met by restarts that have nothing to do with it (0076).
MAX_RECOVERIES = 100
# How often a step is tried that finds a part of ours away: eleven minutes in all.
MOST_TRIES = 16


@dataclass(frozen=True, kw_only=True)
class EngineSettings:
    """`executor` names this process; only one living process may have the name."""

    database_url: str
    executor: str
    jobs_at_once: int = 200
    films_at_once: int = 50
    edits_at_once: int = 20
    # How late work is taken that nobody tells of: of a dead worker, or while the bus is away.
    polling_seconds: float = 1.0
    threads: int = 16


@dataclass(frozen=True)
class DurableSlot:
    """A reserved step."""

    reservation: Any

    async def run(self, name: str, step: Callable[..., Awaitable[Any]], *arguments: Any) -> Any:
        """Run the step, or return what it returned before a crash."""
        # The name is checked at replay: with its own name a slot cannot be filled by another step.
        # Steps handle what they expect; what is left is a database that is away, which passes.
        options = {
            "name": name,
            "retries_allowed": True,
            "max_attempts": MOST_TRIES,
            "interval_seconds": 0.5,
            "backoff_rate": 1.5,
            "should_retry": _passing,
        }
        return await self.reservation.run_async(options, step, *arguments)


def _passing(error: BaseException) -> bool:
    """Whether a database or the network is away; anything else would fail again."""
    if isinstance(error, ServiceError):
        return error.retryable
    return away(error) or isinstance(error, OSError)


class DurableRunner:
    """`flows.runner.Runner` on DBOS, inside a workflow."""

    def reserve(self) -> DurableSlot:
        """The next step of the present workflow."""
        return DurableSlot(DBOS.reserve_step())


@asynccontextmanager
async def running_engine(
    settings: EngineSettings,
    steps: VideoSteps,
    film_steps: FilmSteps,
    edit_steps: EditSteps,
    bells: Bells,
) -> AsyncIterator[None]:
    """Run workflows while the block runs; what has not ended stays for the next process."""
    DBOS(config=_config(settings))
    DBOS.listen_queues([])  # ours are listened to below
    _register(steps, film_steps, edit_steps, bells)
    DBOS.launch()  # in the loop: workflows then run on it, and so do their gRPC channels
    at_once = {
        JOB_QUEUE: settings.jobs_at_once,
        FILM_QUEUE: settings.films_at_once,
        EDIT_QUEUE: settings.edits_at_once,
    }
    try:
        queues = [
            await DBOS.register_queue_async(
                name,
                worker_concurrency=at_once.get(name),
                polling_interval_sec=settings.polling_seconds,
            )
            for name in (JOB_QUEUE, FILM_QUEUE, EDIT_QUEUE, CANCEL_QUEUE)
        ]
        async with bells.taking(queues):
            yield
    finally:
        await asyncio.to_thread(DBOS.destroy, workflow_completion_timeout_sec=0)
        # The engine had put its own threads behind the loop, and has just ended them.
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor())


def _register(
    steps: VideoSteps, film_steps: FilmSteps, edit_steps: EditSteps, bells: Bells
) -> None:
    runner = DurableRunner()

    async def generate(job_id: str) -> None:
        try:
            await generate_video(job_id, steps, runner)
        finally:
            bells.ring_soon()

    async def cancel(job_id: str) -> None:
        await cancel_video(job_id, steps, runner)

    async def film(film_run: str) -> None:
        try:
            await make_film(film_run, film_steps, runner)
        finally:
            bells.ring_soon()

    async def stop_film(film_run: str) -> None:
        await cancel_film(film_run, film_steps, runner)

    async def edit(edit_id: str) -> None:
        try:
            await edit_image(edit_id, edit_steps, runner)
        finally:
            bells.ring_soon()

    for name, flow in (
        (GENERATE_VIDEO, generate),
        (CANCEL_VIDEO, cancel),
        (MAKE_FILM, film),
        (CANCEL_FILM, stop_film),
        (EDIT_IMAGE, edit),
    ):
        DBOS.workflow(name=name, max_recovery_attempts=MAX_RECOVERIES)(flow)


def _config(settings: EngineSettings) -> DBOSConfig:
    return {
        "name": APPLICATION,
        "system_database_url": engine_url(settings.database_url),
        "executor_id": settings.executor,
        "application_version": APPLICATION_VERSION,
        "serializer": JsonSerializer(),
        "max_executor_threads": settings.threads,
        "sys_db_pool_size": 8,
        # The engine repeats what a lost connection broke; to ask first would cost every step twice.
        "db_engine_kwargs": {"pool_pre_ping": False, **_frugal(settings.database_url)},
        # Nobody here waits for the engine's messages; its listener keeps a stop waiting that long.
        "notification_listener_polling_interval_sec": 0.5,
        "run_migrations": False,  # `migrate_engine` has done it
        "log_level": "WARNING",
    }


def _frugal(database_url: str) -> dict[str, Any]:
    """What keeps SQLite's connections small, as those of our own are."""
    if make_url(engine_url(database_url)).get_backend_name() != "sqlite":
        return {}
    return {"connect_args": {"factory": FrugalConnection}, "pool_use_lifo": True}


async def migrate_engine(database_url: str) -> None:
    """Create the engine's own tables, or bring them up to date; does nothing when done."""
    await asyncio.to_thread(_migrate, database_url)


def _migrate(database_url: str) -> None:
    _prepare_file(database_url)
    DBOS.migrate(engine_url(database_url))


def _prepare_file(database_url: str) -> None:
    """Put a SQLite file into WAL mode before the engine opens it: three times the throughput."""
    url = make_url(database_url)
    if url.get_backend_name() == "sqlite" and url.database:
        connection = sqlite3.connect(url.database)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.close()


def recover(executors: list[str]) -> int:
    """Put the unfinished work of dead executors back into the queue; returns how much. Blocks.

    Not public API, but what the engine's control plane calls; a contract test holds its signature.
    """
    return len(DBOS._recover_pending_workflows(executors))
