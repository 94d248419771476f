"""The strategy of a plan: the rule where this machine draws, experience where it is clear."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from services.common.database import Database
from services.orchestrator import __main__ as orchestrator
from services.orchestrator.adapters.film_history import SqlHistory
from services.orchestrator.domain.films.brief import FilmBrief
from services.orchestrator.domain.films.resources import ResourceSnapshot
from services.orchestrator.domain.films.strategy import HISTORY, StrategyRun, StrategyType
from services.orchestrator.usecases.films.plan import FilmSource
from tests.fakes.film_parts import NOW, FixedMonitor
from tests.unit.orchestrator.films.films import MODELS, shots
from tests.unit.orchestrator.films.test_plan import planning

SMALL = ResourceSnapshot(cpu_percent=5.0, memory_percent=5.0, cores=2, taken=NOW)
VENDORS = {"animation": "vendor_video"}
HERE = {"animation": "storyboard"}
RULE = "by the rule: complexity 0.5, resources 0.3"
SEQUENTIAL, PARALLEL = StrategyType.SEQUENTIAL, StrategyType.PARALLEL


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder: Path = tmp_path_factory.mktemp("history")
    return f"sqlite:///{folder / 'films.sqlite'}"


@asynccontextmanager
async def remembered(url: str, **quality: float) -> AsyncIterator[SqlHistory]:
    """A history in which films by each strategy were so good, read by another life."""
    async with Database(url, schema="orchestrator") as database:
        await orchestrator.migrate_all(database, url)
        history = SqlHistory(database)
        for name, score in quality.items():
            run = StrategyRun(
                execution_time=timedelta(seconds=9), succeeded=True, quality_score=score
            )
            # So many of each: whatever was there before has been forgotten.
            for number in range(HISTORY):
                await history.record(f"{name}{score}{number}.1", StrategyType(name), run)
    async with Database(url, schema="orchestrator") as database:
        yield SqlHistory(database)


@pytest.mark.parametrize(("providers", "sequential", "parallel", "expected", "because"), [
    (HERE, 0.5, 0.9, PARALLEL, "parallel has made clearly better films here"),
    (HERE, 0.9, 0.5, SEQUENTIAL, RULE),
    (HERE, 0.8, 0.9, SEQUENTIAL, RULE),
    (VENDORS, 0.95, 0.55, SEQUENTIAL, "sequential has made clearly better films"),
    (VENDORS, 0.55, 0.95, PARALLEL, f"{RULE}, for one at a time; but vendors"),
])  # fmt: skip
async def test_experience_of_an_earlier_life_decides_where_it_is_clear(
    url, providers, sequential, parallel, expected, because
):
    async with remembered(url, sequential=sequential, parallel=parallel) as history:
        plan = await planning(monitor=FixedMonitor(SMALL), history=history)(
            "acme", FilmBrief(providers=providers), FilmSource(shots=shots(2))
        )
    assert plan.strategy.strategy_type is expected
    assert plan.strategy.max_concurrency == (1 if expected is SEQUENTIAL else 3)
    assert plan.strategy.reason.startswith(because)


@pytest.mark.parametrize(("of_each", "expected"), [
    ((VENDORS, VENDORS), PARALLEL),
    ((VENDORS, HERE), SEQUENTIAL),
    ((HERE, HERE), SEQUENTIAL),
])  # fmt: skip
async def test_one_at_a_time_spares_a_machine_that_draws_any_clip_itself(of_each, expected):
    made = tuple(
        replace(shot, providers=providers)
        for shot, providers in zip(shots(2), of_each, strict=True)
    )
    plan = await planning(monitor=FixedMonitor(SMALL))("acme", FilmBrief(), FilmSource(shots=made))
    assert plan.strategy.strategy_type is expected


async def test_what_the_library_alone_can_show_is_made_by_the_rule():
    without = [model for model in MODELS if model.task != "video"]
    plan = await planning(*without, monitor=FixedMonitor(SMALL))(
        "acme", FilmBrief(), FilmSource(shots=shots(1))
    )
    assert plan.strategy.strategy_type is SEQUENTIAL
