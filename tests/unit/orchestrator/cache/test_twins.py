"""When a job is taken to have given its clip up, so that a twin which waits for it makes it."""

import asyncio

import pytest

from services.orchestrator.domain.job import JobState
from services.orchestrator.domain.values import MAX_REPEATS
from services.orchestrator.flows.generate_video import generate_video
from tests.fakes.journal import Journal
from tests.unit.orchestrator.cache.parts import COST, workshop
from tests.unit.orchestrator.examples import hosted

ONE, TWO = (hosted("a"),), (hosted("a"), hosted("b"))


async def tried(script, *models, cost=0, times=1):
    """A job that is followed so many times, and what it was told the last time."""
    shop = workshop(script, models=models)
    shop.generator.cost = lambda _: cost
    shop.add("j1")
    plan = await shop.steps.prepare("j1")
    for number in range(1, times + 1):
        sent = await shop.steps.submit("j1", 1, number, plan["models"][0])
        verdict = await shop.steps.follow("j1", 1, number, sent["generation"])
    return shop, verdict


async def gave_up(shop):
    [key] = shop.jobs.jobs["j1"].keys.exact
    return await shop.steps.preparing.cache.twins._gave_up("j1", key)


@pytest.mark.parametrize(
    ("models", "outcome", "cost", "times", "expected"),
    [
        (ONE, "again", 0, 1, ("again", False)),
        (ONE, "again", 0, MAX_REPEATS - 1, ("again", False)),
        (ONE, "again", 0, MAX_REPEATS, ("again", True)),
        (TWO, "again", 0, MAX_REPEATS, ("again", False)),
        (TWO, "again", COST, 1, ("done", True)),
        (TWO, "lost", COST, 1, ("done", True)),
        (ONE, "fail", COST, 1, ("next", True)),
        (TWO, "fail", COST, 1, ("next", False)),
        (ONE, "ok", COST, 1, ("done", False)),
    ],
)
async def test_a_job_has_given_up_when_its_flow_tries_no_more(
    models, outcome, cost, times, expected
):
    shop, verdict = await tried(lambda _: outcome, *models, cost=cost, times=times)
    assert (verdict, await gave_up(shop)) == expected


async def test_equal_jobs_buy_one_clip_when_our_own_trouble_passes():
    """A restart of the generator in the middle: the first tries again while the others wait."""
    tries = []

    def script(identifier):
        if identifier not in tries:
            tries.append(identifier)
        return "again" if tries.index(identifier) < 3 else "ok"

    shop = workshop(script, models=ONE)

    async def rest(_):
        await asyncio.sleep(0.5)  # others look meanwhile, several times

    object.__setattr__(shop.steps.attempting, "rest", rest)
    names = [f"j{number}" for number in range(5)]
    for name in names:
        shop.add(name)
    await asyncio.gather(*(generate_video(name, shop.steps, Journal()) for name in names))
    assert {shop.jobs.jobs[name].state for name in names} == {JobState.SUCCEEDED}
    assert sum(shop.jobs.jobs[name].cost_micros for name in names) == COST
