"""Films, and everything that makes them in memory, for tests."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from services.orchestrator.adapters.messages import load_texts
from services.orchestrator.domain.films.brief import FilmBrief
from services.orchestrator.domain.films.film import Film
from services.orchestrator.domain.films.layout import Layout
from services.orchestrator.domain.films.shots import Line, Shot
from services.orchestrator.domain.films.strategy import Strategy, StrategyType, VisualApproach
from services.orchestrator.domain.job import JobState, Stage
from services.orchestrator.domain.models import (
    Lifecycle,
    Model,
)
from services.orchestrator.domain.money.ledger import charge_of
from services.orchestrator.domain.money.scopes import Scope, ScopeKind
from services.orchestrator.domain.prices import Price
from services.orchestrator.domain.routing import Router
from services.orchestrator.domain.values import AttemptState, Clip, Decision, Failure
from services.orchestrator.flows.film import cancel_film, make_film
from services.orchestrator.usecases.accept import AcceptVideo
from services.orchestrator.usecases.afford import Affording
from services.orchestrator.usecases.artefacts import Artefacts, NoArtefacts
from services.orchestrator.usecases.compiling import CompilePrompt
from services.orchestrator.usecases.films.command import CommandFilm
from services.orchestrator.usecases.films.remaking import PriceRemake
from services.orchestrator.usecases.films.steps import (
    Clips,
    FilmFlow,
    FilmParts,
    Timing,
    film_flow,
)
from services.orchestrator.usecases.read import ReadJobs
from services.orchestrator.usecases.screening import ScreenedPrompts, ScreenWords
from tests.fakes.film_parts import (
    NOW,
    FixedMonitor,
    FixedScript,
    MemoryFilms,
    MemoryHistory,
    MemoryVoices,
    ScriptedWorks,
    Shelf,
)
from tests.fakes.journal import Journal
from tests.fakes.memory_ledger import MemoryLedger
from tests.fakes.orchestrator_parts import FixedModels, MemoryJobs, PlainPrompts, Rests
from tests.unit.orchestrator.examples import WANTED, attempt

FREE = Price(kind="free")
VENDOR = Model(
    id="vendor_video", provider="vendor", price=Price(kind="per_clip", amount_micros=50_000)
)
STORYBOARD = Model(
    id="storyboard",
    provider="reelmesh",
    lifecycle=Lifecycle.SELF_HOSTED,
    price=FREE,
    placeholder=True,
)


def local(identifier, task, **facts):
    """A model that runs here and costs nothing."""
    return Model(
        id=identifier,
        provider="reelmesh",
        task=task,
        lifecycle=Lifecycle.SELF_HOSTED,
        price=FREE,
        **facts,
    )


MODELS = (
    VENDOR,
    STORYBOARD,
    local("here_speech", "speech", voices=("en", "en+f3", "en+m1", "sw")),
    local("here_music", "music"),
    local("here_sound", "sound"),
    local("here_captions", "captions"),
    local("here_cut", "compose"),
    Model(
        id="vendor_speech",
        provider="vendor",
        task="speech",
        price=Price(kind="per_1k_characters", amount_micros=15_000),
    ),
    Model(
        id="vendor_picture",
        provider="vendor",
        task="image",
        price=Price(kind="per_image", amount_micros=3_000),
    ),
)


def shots(count=3, **facts):
    """So many shots of two seconds, each with a line."""
    return tuple(
        Shot(
            shot_id=f"s{number}",
            prompt=f"Emma looks at picture {number}",
            duration_seconds=2.0,
            lines=(Line(text=f"This is line {number}."),),
            **facts,
        )
        for number in range(1, count + 1)
    )


def film(count=3, *, of=(), width=3, approach=VisualApproach.AI_ONLY, **brief):
    """A film as it is accepted."""
    asked = FilmBrief(**({"music": "calm"} | brief))
    chosen = of or shots(count)
    return Film(
        id="f1",
        tenant="acme",
        brief=asked,
        shots=chosen,
        tasks=Layout(asked, chosen).tasks(),
        strategy=Strategy(
            strategy_type=StrategyType.PARALLEL,
            visual_approach=approach,
            max_concurrency=width,
        ),
        create_time=NOW,
        update_time=NOW,
    )


class EndingJobs(MemoryJobs):
    """Jobs that end as soon as they are accepted, as `script` says by the shot's prompt and model:
    "ok", "fail", "limited" or "cancelled". `accepted` are their request ids. A vendor bills what it
    has begun, whatever became of it."""

    def __init__(self, script=lambda _job: "ok", cost_micros=50_000):
        super().__init__()
        self.script, self.cost_micros = script, cost_micros
        self.accepted: list[str] = []
        self.ledger = MemoryLedger()

    async def accept(self, job):
        known = await self.known(job)
        if known is not None:
            return known, True
        self.accepted.append(job.request_id)
        ended = self._ended(job)
        for tried in ended.attempts:
            await self.ledger.settle(charge_of(ended, tried), tried.cost_micros)
        self.jobs[job.id] = ended
        return ended, False

    def _ended(self, job):
        running = job.started(NOW).planned(NOW, WANTED, Decision(), ())
        stand_in = job.request.model == "storyboard"
        tried = replace(
            attempt(model="vendor_video" if job.request.routed else job.request.model),
            id=f"{job.request_id}/1/1",
            cost_micros=0 if stand_in else self.cost_micros,
        )
        running = running.attempting(NOW, tried)
        outcome = self.script(job)
        if outcome != "ok":
            reason = "RATE_LIMITED" if outcome == "limited" else "GENERATION_FAILED"
            fault = Failure(reason=reason, message=f"no {job.request.prompt}")
            state = JobState.CANCELLED if outcome == "cancelled" else JobState.FALLBACK
            return running.ended(NOW, state, error=fault)
        clip = Clip(
            asset=f"assets/{job.id}",
            storage_url="file:///clip.mp4",
            sha256=f"sha-{job.request_id}",
            width=1280,
            height=720,
            fps=24.0,
            duration_seconds=job.request.duration_seconds or 5.0,
            placeholder=stand_in,
        )
        made = replace(tried, clip=clip, state=AttemptState.SUCCEEDED)
        moved = running.advanced(NOW, made, stage=Stage.STORING, source="steps", eta=None)
        return moved.ended(NOW, JobState.SUCCEEDED)


@dataclass
class Studio:
    """Everything that makes films, in memory."""

    films: MemoryFilms
    works: ScriptedWorks = field(default_factory=ScriptedWorks)
    jobs: EndingJobs = field(default_factory=EndingJobs)
    models: tuple[Model, ...] = MODELS
    ledger: MemoryLedger = field(default_factory=MemoryLedger)
    history: MemoryHistory = field(default_factory=MemoryHistory)
    voices: MemoryVoices = field(default_factory=MemoryVoices)
    monitor: FixedMonitor = field(default_factory=FixedMonitor)
    library: Shelf = field(default_factory=Shelf)
    rests: Rests = field(default_factory=Rests)
    scripts: FixedScript = field(default_factory=FixedScript)
    prompts: PlainPrompts = field(default_factory=PlainPrompts)
    screening: ScreenWords = field(default_factory=ScreenWords)
    artefacts: Artefacts = field(default_factory=NoArtefacts)
    deadline: timedelta = timedelta(hours=1)
    unanswered: timedelta = timedelta(minutes=10)
    moment: datetime = NOW
    ids: int = 0

    @classmethod
    def of(cls, *films, **parts):
        """A studio with these films accepted."""
        return cls(MemoryFilms(*films), **parts)

    def flow(self) -> FilmFlow:
        """The steps, put together anew as after a restart."""
        self.jobs.ledger = self.ledger
        models: Any = FixedModels(*self.models)
        nothing: Any = None
        accept = AcceptVideo(
            jobs=self.jobs,
            models=models,
            assets=nothing,
            router=Router(allow_placeholder=False),
            afford=Affording(ledger=self.ledger),
            now=lambda: NOW,
            new_id=self.new_id,
        )
        parts = FilmParts(
            films=self.films,
            works=self.works,
            scripts=self.scripts,
            history=self.history,
            voices=self.voices,
            monitor=self.monitor,
            library=self.library,
            artefacts=self.artefacts,
        )
        texts = load_texts()
        compiling = CompilePrompt(prompts=self.prompts, models=models, texts=texts)
        return film_flow(
            parts,
            jobs=self.jobs,
            models=models,
            ledger=self.ledger,
            clips=Clips(
                accept=accept,
                read=ReadJobs(jobs=self.jobs, feed=nothing),
                compiling=ScreenedPrompts(
                    compiling=compiling, screening=self.screening, texts=texts
                ),
                screening=self.screening,
            ),
            timing=Timing(
                now=lambda: self.moment,
                deadline=self.deadline,
                unanswered=self.unanswered,
                rest=self.rests.rest,
            ),
        )

    def command(self, now=NOW, screening=None) -> CommandFilm:
        """What callers can do with its films."""
        models: Any = FixedModels(*self.models)
        return CommandFilm(
            films=self.films,
            scripts=self.scripts,
            price=PriceRemake(
                models=models,
                router=Router(allow_placeholder=False),
                ledger=self.ledger,
                now=lambda: now,
            ),
            screening=screening or self.screening,
            now=lambda: now,
        )

    def booked(self, film_id: str = "f1") -> tuple[int, int]:
        """What the film says that it cost, and what the books say."""
        made = self.films.films[film_id]
        return made.cost_micros, self.ledger.sums(made.tenant, Scope(ScopeKind.FILM, film_id))[1]

    def new_id(self) -> str:
        """Ids in order."""
        self.ids += 1
        return f"j{self.ids:03d}"

    async def make(self, film_run: str = "f1.1", journal: Journal | None = None) -> Film:
        """Run a film; returns it as it is then."""
        await make_film(film_run, self.flow(), journal or Journal())
        return self.films.films[film_run.partition(".")[0]]

    async def cancel(self, film_run: str = "f1.1") -> None:
        """Run the cancelling of a film."""
        await cancel_film(film_run, self.flow(), Journal())
