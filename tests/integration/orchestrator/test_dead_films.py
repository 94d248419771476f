"""Workflows that died in the engine: what they worked on ends, and cancelling goes on."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from services.common.database import Database
from services.common.errors import NotFound, Unavailable
from services.orchestrator import __main__ as orchestrator
from services.orchestrator.domain.job import JobState
from services.orchestrator.domain.values import Failure
from services.orchestrator.durable import housekeeping, runtime
from services.orchestrator.durable.housekeeping import Housekeeping, Orphans
from services.orchestrator.durable.names import engine_url
from services.orchestrator.durable.orders import DurableOrders
from services.orchestrator.durable.queues import Bells
from services.orchestrator.durable.runtime import EngineSettings, running_engine
from services.orchestrator.usecases.caching import NoCache
from services.orchestrator.usecases.finish import AWAY, DEFECT
from tests.fakes.logs import logged
from tests.fakes.waiting import until

LONG_AGO = datetime.now(UTC) - timedelta(days=40)


class Steps:
    """Work of which some finds a part of ours away for ever, some a defect, and some hangs."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.cancelled: list[str] = []
        self.cut_off = True

    async def begin(self, film_run: str) -> dict[str, Any]:
        self.begun.append(film_run)
        if film_run.startswith("away"):
            raise Unavailable
        if film_run.startswith("slow"):
            await asyncio.Event().wait()
        msg = "a defect"
        raise ValueError(msg)

    async def prepare(self, job_id: str) -> dict[str, Any]:
        return await self.begin(job_id)

    async def cancel(self, name: str) -> None:
        if self.cut_off:
            raise Unavailable
        self.cancelled.append(name)


class Graves:
    """Keeps which films and jobs were ended and why; `unreadable` are those that cannot be yet."""

    def __init__(self, *unreadable: str) -> None:
        self.films: dict[str, bool] = {}
        self.jobs: dict[str, Failure | None] = {}
        self.unreadable = set(unreadable)
        self.told = 0

    async def abandon(self, film_run: str, *, away: bool) -> None:
        self.told += 1
        if film_run in self.unreadable:
            msg = "its document cannot be read"
            raise ValueError(msg)
        if film_run == "gone.1":
            raise NotFound("film", "films/gone")
        self.films[film_run] = away

    async def end(self, job_id: str, state: JobState, *, error: Failure | None = None) -> None:
        assert state is JobState.FAILED
        self.jobs[job_id] = error


@dataclass
class Deployment:
    """An engine at work, and who tidies up behind it."""

    engine: sa.Engine
    orders: DurableOrders
    tidy: Callable[[], Any]

    def order(self, *films: str, jobs: tuple[str, ...] = (), cancels: tuple[str, ...] = ()) -> None:
        """Have these worked on."""
        with self.engine.begin() as connection:
            for film_run in films:
                self.orders.film(connection, film_run)
            for job in jobs:
                self.orders.generate(connection, job)
            for film_run in cancels:
                self.orders.cancel_film(connection, film_run)

    async def all_are(self, status: str) -> None:
        """Wait until all workflows are in this state."""
        await until(lambda: self.count(status) == self.count(), seconds=50)

    def count(self, status: str = "%") -> int:
        """How many workflows are in this state."""
        found = "SELECT count(*) FROM workflow_status WHERE status LIKE :status"
        with self.engine.connect() as connection:
            return int(connection.execute(sa.text(found), {"status": status}).scalar_one())

    def ordered_long_ago(self) -> None:
        """Let everything have been ordered weeks ago, as a film is that begins by a date."""
        self._date("created_at")

    def ended_long_ago(self) -> None:
        """Let everything have ended weeks ago."""
        self._date("completed_at")

    def begun_long_ago(self) -> None:
        """Let everything have been at work for weeks."""
        self._date("started_at_epoch_ms")

    def _date(self, column: str) -> None:
        moment = {"then": int(LONG_AGO.timestamp() * 1000)}
        with self.engine.begin() as connection:
            connection.execute(sa.text(f"UPDATE workflow_status SET {column} = :then"), moment)


@asynccontextmanager
async def deployment(folder: Path, steps: Any, graves: Any) -> AsyncIterator[Deployment]:
    url = f"sqlite:///{folder / 'test.sqlite'}"
    orders, rows = DurableOrders(url), sa.create_engine(engine_url(url))
    settings = EngineSettings(database_url=url, executor="test", polling_seconds=0.2)
    async with Database(url, schema="orchestrator") as database:
        await orchestrator.migrate_all(database, url)
        tidy = Housekeeping(
            database,
            Orphans(finish=graves, films=graves, edits=graves),
            cache=NoCache(),
            now=lambda: datetime.now(UTC),
            deadline=timedelta(hours=1),
        )
        try:
            async with running_engine(settings, steps, steps, steps, Bells()):
                yield Deployment(engine=rows, orders=orders, tidy=tidy.tidy)
        finally:
            orders.close()
            rows.dispose()


@pytest.fixture(autouse=True)
def no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "MOST_TRIES", 1)
    monkeypatch.setattr(housekeeping, "PAGE", 2)


async def test_who_tidies_up_knows_a_part_that_was_away_from_a_defect(tmp_path: Path) -> None:
    graves = Graves()
    async with deployment(tmp_path, Steps(), graves) as here:
        here.order("away.1", "broken.1", jobs=("away", "broken"))
        await here.all_are("ERROR")
        await here.tidy()
    assert graves.films == {"away.1": True, "broken.1": False}
    assert graves.jobs == {"away": AWAY, "broken": DEFECT}
    assert AWAY.retryable
    assert "ResumeFilm" not in AWAY.message


async def test_a_film_outlives_a_month_of_restarts(tmp_path: Path) -> None:
    taken = sa.text("UPDATE workflow_status SET recovery_attempts = 40")
    async with deployment(tmp_path, steps := Steps(), Graves()) as here:
        with here.engine.begin() as connection:
            here.orders.film(connection, "broken.1")
            connection.execute(taken)
        await here.all_are("ERROR")
    assert steps.begun == ["broken.1"]


async def test_all_that_died_is_ended_however_much_it_is_and_when_it_was_ordered(
    tmp_path: Path,
) -> None:
    graves, many = Graves("bad1.1", "bad2.1", "bad3.1"), [f"f{n}.1" for n in range(5)]
    async with deployment(tmp_path, Steps(), graves) as here:
        here.order("bad1.1", "bad2.1", "gone.1", "bad3.1", *many)
        await here.all_are("ERROR")
        here.ordered_long_ago()
        with logged() as events:
            await here.tidy()
        assert sorted(graves.films) == many
        assert here.count() == 3, "what could not be ended is met again"
        left = [event["workflow"] for event in events if event["event"] == "work_not_ended"]
        assert sorted(left) == [f"make_film.bad{n}.1" for n in (1, 2, 3)]
        graves.unreadable.clear()
        await here.tidy()
        told = graves.told
        await here.tidy()
    assert sorted(graves.films) == ["bad1.1", "bad2.1", "bad3.1", *many]
    assert graves.told == told, "what was ended is not ended every minute"


async def test_cancelling_that_died_goes_on_and_is_forgotten_days_after_its_end(
    tmp_path: Path,
) -> None:
    steps = Steps()
    async with deployment(tmp_path, steps, Graves()) as here:
        here.order(cancels=("f1.1",))
        await here.all_are("ERROR")
        steps.cut_off = False
        await here.tidy()
        await here.all_are("SUCCESS")
        here.ordered_long_ago()
        await here.tidy()
        assert here.count() == 1, "what has just ended is kept for two days"
        here.ended_long_ago()
        await here.tidy()
        assert here.count() == 0
    assert steps.cancelled == ["f1.1"]


async def test_what_was_ordered_long_ago_and_has_just_begun_is_not_stuck(tmp_path: Path) -> None:
    async with deployment(tmp_path, Steps(), Graves()) as here:
        here.order("slow.1")
        await here.all_are("PENDING")
        here.ordered_long_ago()
        with logged() as events:
            await here.tidy()
        assert [e for e in events if e["event"] == "workflow_stuck"] == []
        here.begun_long_ago()
        with logged() as events:
            await here.tidy()
    assert [e["workflow"] for e in events if e["event"] == "workflow_stuck"] == ["make_film.slow.1"]
