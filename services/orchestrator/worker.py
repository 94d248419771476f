"""The part of the orchestrator that makes jobs: the durable engine and what keeps it tidy."""

import fcntl
import os
import socket
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from services.common import clock
from services.common.background import background
from services.common.database import Database
from services.common.errors import FailedPrecondition
from services.orchestrator.adapters.messages import load_messages, load_texts
from services.orchestrator.adapters.sql_ledger import SqlLedger
from services.orchestrator.domain.cache.entries import Clips
from services.orchestrator.domain.comparisons import ComparisonStore
from services.orchestrator.domain.images.ports import EditStore
from services.orchestrator.domain.money.ledger import Ledger
from services.orchestrator.domain.policy_ports import PolicyBook, RecordsPort
from services.orchestrator.domain.ports import (
    AssetPort,
    EventFeed,
    GeneratorPort,
    JobStore,
    ModelsPort,
    PromptPort,
)
from services.orchestrator.domain.routing import Router
from services.orchestrator.domain.styles import StylesPort
from services.orchestrator.durable.housekeeping import Housekeeping, Orphans
from services.orchestrator.durable.leases import Leases
from services.orchestrator.durable.queues import Bells
from services.orchestrator.durable.runtime import EngineSettings, running_engine
from services.orchestrator.flows.edit_image import EditSteps
from services.orchestrator.settings import Settings
from services.orchestrator.usecases.admission import Screen
from services.orchestrator.usecases.afford import Affording
from services.orchestrator.usecases.attempt import AttemptVideo
from services.orchestrator.usecases.caching import Caching, NoCache
from services.orchestrator.usecases.compiling import CompilePrompt, Compiling
from services.orchestrator.usecases.films.steps import FilmFlow, FilmParts
from services.orchestrator.usecases.finish import CancelVideo, FinishVideo
from services.orchestrator.usecases.prepare import PrepareVideo
from services.orchestrator.usecases.screening import ScreenedPrompts, ScreenWords
from services.orchestrator.usecases.settle import SettleLate
from services.orchestrator.usecases.spend import Spending


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What a worker and a front share."""

    database: Database
    jobs: JobStore
    models: ModelsPort
    prompts: PromptPort
    generator: GeneratorPort
    assets: AssetPort
    clips: Clips
    router: Router
    ledger: Ledger
    policies: PolicyBook
    records: RecordsPort
    screen: Screen
    films: FilmParts
    feed: EventFeed
    comparisons: ComparisonStore
    edits: EditStore
    cache: Caching = field(default_factory=NoCache)
    styles: StylesPort | None = None

    @property
    def screening(self) -> ScreenWords:
        """What looks at words as they are sent."""
        return ScreenWords(screen=self.screen, policies=self.policies)

    @property
    def compiling(self) -> Compiling:
        """What makes prompts ready for models, and looks at what they have become."""
        texts = load_texts()
        made = CompilePrompt(prompts=self.prompts, models=self.models, texts=texts)
        return ScreenedPrompts(compiling=made, screening=self.screening, texts=texts)


@dataclass(frozen=True, kw_only=True)
class Steps:
    """`flows.generate_video.VideoSteps`: the use cases with JSON going in and out."""

    preparing: PrepareVideo
    attempting: AttemptVideo
    finishing: FinishVideo
    cancelling: CancelVideo

    async def prepare(self, job_id: str) -> dict[str, Any]:
        """Models and variations."""
        return asdict(await self.preparing(job_id))

    async def join(self, job_id: str, iteration: int) -> bool:
        """Whether a twin's clip serves."""
        return await self.preparing.cache.join(job_id, iteration)

    async def submit(self, job_id: str, iteration: int, number: int, model: str) -> dict[str, Any]:
        """Where the attempt is now."""
        return asdict(await self.attempting.submit(job_id, iteration, number, model))

    async def follow(self, job_id: str, iteration: int, number: int, generation: str) -> str:
        """What to do next."""
        return await self.attempting.follow(job_id, iteration, number, generation)

    async def finish(self, job_id: str) -> None:
        """End the job."""
        await self.finishing(job_id)

    async def cancel(self, job_id: str) -> None:
        """Stop what runs."""
        await self.cancelling(job_id)


def _finish(parts: Parts) -> FinishVideo:
    return FinishVideo(
        jobs=parts.jobs,
        now=clock.now,
        messages=load_messages(),
        texts=load_texts(),
        records=parts.records,
    )


@asynccontextmanager
async def working(
    settings: Settings, parts: Parts, films: FilmFlow, edits: EditSteps, bells: Bells
) -> AsyncIterator[None]:
    """Make jobs while the block runs; jobs that have not ended go on in another worker or later.

    Whoever hears of a change rings `bells`, so that new work is begun at once.
    """
    finish = _finish(parts)
    alone = parts.database.is_sqlite
    executor = "local" if alone else settings.executor or f"{socket.gethostname()}-{os.getpid()}"
    async with AsyncExitStack() as stack:
        if alone:
            stack.enter_context(_only_worker(settings.data_dir))
        else:
            leases = Leases(parts.database, executor, now=clock.now, lease=settings.lease)
            await leases.renew()
            await stack.enter_async_context(background("leases", leases.run()))
        engine = EngineSettings(
            database_url=settings.database_location(),
            executor=executor,
            jobs_at_once=settings.jobs_at_once,
            edits_at_once=settings.edits_at_once,
        )
        steps = _steps(settings, parts, finish)
        await stack.enter_async_context(running_engine(engine, steps, films, edits, bells))
        late = SettleLate(
            jobs=parts.jobs,
            films=parts.films.films,
            edits=parts.edits,
            ledger=parts.ledger,
            generator=parts.generator,
            now=clock.now,
            ages=settings.settle_ages_seconds,
            kept=settings.film_orders_kept,
        )
        orphans = Orphans(finish=finish, films=films.running, edits=edits)
        tidy = Housekeeping(
            parts.database,
            orphans,
            cache=parts.cache,
            now=clock.now,
            deadline=settings.job_deadline,
        )
        await stack.enter_async_context(background("late_money", late.run(settings.settle_every)))
        await stack.enter_async_context(background("housekeeping", tidy.run()))
        yield


async def correct_costs(
    location: str, corrections: Iterable[tuple[str, str, int]]
) -> dict[tuple[str, str], int]:
    """Charge attempts what a vendor's bill says: (tenant, attempt, micro-USD).

    Returns the change in micro-USD of each that changed.
    """
    changed = {}
    async with Database(location, schema="orchestrator", pool_size=0) as database:
        ledger = SqlLedger(database, now=clock.now)
        for tenant, attempt, micros in corrections:
            change = await ledger.correct(tenant, attempt, micros)
            if change:
                changed[tenant, attempt] = change
    return changed


def _steps(settings: Settings, parts: Parts, finish: FinishVideo) -> Steps:
    return Steps(
        preparing=PrepareVideo(
            jobs=parts.jobs,
            models=parts.models,
            prompts=parts.prompts,
            router=parts.router,
            finish=finish,
            afford=Affording(ledger=parts.ledger),
            now=clock.now,
            texts=load_texts(),
            policies=parts.policies,
            screen=parts.screen,
            cache=parts.cache,
        ),
        attempting=AttemptVideo(
            jobs=parts.jobs,
            generator=parts.generator,
            spending=Spending(ledger=parts.ledger),
            now=clock.now,
            deadline=settings.job_deadline,
            cache=parts.cache,
            compiling=parts.compiling,
        ),
        finishing=finish,
        cancelling=CancelVideo(jobs=parts.jobs, generator=parts.generator, finish=finish),
    )


@contextmanager
def _only_worker(data_dir: Path) -> Iterator[None]:
    """Two workers on one SQLite file would make every job twice: the second one is refused."""
    data_dir.mkdir(parents=True, exist_ok=True)
    with (data_dir / "orchestrator.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            msg = f"another orchestrator works on {data_dir}; stop it or choose another data folder"
            raise FailedPrecondition(msg) from error
        yield
