"""What a second request is served with, what it costs, and what twins do."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from services.orchestrator.domain.job import JobState
from services.orchestrator.domain.models import Availability
from services.orchestrator.domain.options import CacheMode, CacheOptions, ImageInput, Routing
from services.orchestrator.flows.generate_video import generate_video
from tests.fakes.journal import Crash, Journal
from tests.unit.orchestrator.cache.parts import COST, workshop
from tests.unit.orchestrator.examples import STORYBOARD, hosted

PROGRESSIVE = CacheOptions(mode=CacheMode.PROGRESSIVE)


async def test_the_same_request_again_is_free_and_says_so():
    shop = workshop()
    first = await shop.make("j1")
    again = await shop.make("j2")
    assert again.state is JobState.SUCCEEDED
    assert again.clip(1).clip == first.clip(1).clip
    assert again.clip(1).reused.kind == "exact"
    assert again.cost_micros == 0
    assert again.resolved_model == "a"
    assert await shop.totals("j2") == (0, COST)
    assert shop.generator.begun == ["j1/1/1"]
    assert [use.asset for use in shop.store.uses.values()] == [first.clip(1).clip.asset]
    assert shop.tally.hits == [("acme", "exact", "vendor", COST)]
    assert shop.tally.misses == [("acme", "exact")]
    assert shop.clips.uses == {"j2/1/0": first.clip(1).clip.asset}


async def test_a_hit_is_told_before_the_end_and_progress_never_goes_back():
    shop = workshop()
    await shop.make("j1")
    await shop.make("j2")
    log = [event for event in shop.jobs.log if event.job.id == "j2"]
    assert [event.kind for event in log] == ["cached", "planned", "ended"]
    percents = [event.job.progress_percent for event in log]
    assert percents == sorted(percents)
    assert percents[-1] == 100


async def test_only_the_variations_that_are_missing_are_made():
    shop = workshop()
    await shop.make("j1", 2)
    more = await shop.make("j2", 3)
    assert shop.generator.begun == ["j1/1/1", "j1/2/1", "j2/3/1"]
    assert [bool(more.clip(i).reused) for i in (1, 2, 3)] == [True, True, False]
    assert more.state is JobState.SUCCEEDED


@pytest.mark.parametrize(
    "changes",
    [
        {"tenant": "other"},
        {"prompt": "a lighthouse at dawn"},
        {"seed": 1},
        {"cache": CacheOptions(mode=CacheMode.OFF)},
        {"model": "b"},
    ],
)
async def test_anything_else_is_made(changes):
    shop = workshop()
    await shop.make("j1")
    job = await shop.make("j2", **changes)
    assert job.clip(1).reused is None
    assert len(shop.generator.begun) == 2


async def test_a_request_that_opts_out_leaves_nothing_behind():
    shop = workshop()
    await shop.make("j1", cache=CacheOptions(mode=CacheMode.OFF))
    assert not shop.store.entries
    assert not shop.store.flights


async def test_a_clip_that_has_expired_is_made_again():
    shop = workshop(lifetime=timedelta(days=1))
    await shop.make("j1")
    shop.store.now += timedelta(days=1)
    job = await shop.make("j2")
    assert job.clip(1).reused is None


async def test_a_clip_whose_bytes_are_gone_is_forgotten_and_made_again():
    shop = workshop()
    first = await shop.make("j1")
    shop.clips.deleted.add(first.clip(1).clip.asset)
    job = await shop.make("j2")
    assert job.clip(1).reused is None
    assert [entry.job for entry in shop.store.entries.values()] == ["j2"]


async def test_the_same_picture_from_another_address_hits():
    shop = workshop(models=[hosted("a", image=True)])
    shop.clips.pictures |= {"https://a.example/x.png": "d1", "https://b.example/y.png": "d1"}
    await shop.make("j1", image=ImageInput(uri="https://a.example/x.png"))
    job = await shop.make("j2", image=ImageInput(uri="https://b.example/y.png"))
    assert job.clip(1).reused is not None


async def test_a_picture_that_cannot_be_read_keeps_the_job_out_of_the_cache():
    shop = workshop(models=[hosted("a", image=True)])
    job = await shop.make("j1", image=ImageInput(uri="https://a.example/gone.png"))
    assert job.state is JobState.SUCCEEDED
    assert not shop.store.entries


async def test_what_no_model_can_make_now_is_served_from_the_cache():
    shop = workshop()
    await shop.make("j1")
    away = [replace(m, availability=Availability.CIRCUIT_OPEN) for m in shop.models]
    shop.steps.preparing.models.rows = away
    job = await shop.make("j2")
    assert job.state is JobState.SUCCEEDED
    assert "Only cached clips" in job.warnings[-1]
    assert job.decision.objective == "cache"


async def test_a_budget_that_is_used_up_does_not_keep_from_what_is_free():
    shop = workshop()
    await shop.make("j1")
    job = await shop.make("j2", budget_limit_micros=1)
    assert job.state is JobState.SUCCEEDED
    assert await shop.totals("j2") == (0, COST)


async def test_a_placeholder_is_not_kept():
    shop = workshop(models=[STORYBOARD])
    await shop.make("j1", routing=Routing(allow_placeholder=True))
    assert not shop.store.entries


async def test_a_placeholder_that_is_kept_answers_only_where_one_would_be_drawn():
    shop = workshop(models=[STORYBOARD], placeholders=True)
    asked = {"routing": Routing(allow_placeholder=True)}
    await shop.make("j1", **asked)
    job = await shop.make("j2", **asked)
    assert job.clip(1).reused is not None
    assert job.clip(1).clip.placeholder
    shop.steps.preparing.models.rows = [hosted("a"), STORYBOARD]
    job = await shop.make("j3", **asked)
    assert job.clip(1).reused is None


async def test_twins_are_served_with_one_generation():
    shop = workshop()
    names = [f"j{i}" for i in range(10)]
    for name in names:
        shop.add(name)
    await asyncio.gather(*(generate_video(n, shop.steps, Journal()) for n in names))
    assert len(shop.generator.begun) == 1
    made = [shop.jobs.jobs[name] for name in names]
    assert {job.state for job in made} == {JobState.SUCCEEDED}
    assert len({job.clip(1).clip.asset for job in made}) == 1
    assert sum(job.cost_micros for job in made) == COST
    assert sum([(await shop.totals(name))[1] for name in names]) == 9 * COST


async def test_a_twin_makes_it_when_the_first_one_fails():
    shop = workshop(lambda i: "fail" if i.startswith("j1") else "ok")
    shop.add("j1")
    shop.add("j2")
    await asyncio.gather(*(generate_video(name, shop.steps, Journal()) for name in ("j1", "j2")))
    assert shop.jobs.jobs["j1"].state is JobState.FALLBACK
    assert shop.jobs.jobs["j2"].state is JobState.SUCCEEDED
    assert shop.jobs.jobs["j2"].clip(1).reused is None


async def test_a_twin_that_is_cancelled_stops_waiting():
    shop = workshop(lambda i: "hang" if i.startswith("j1") else "ok")
    shop.add("j1")
    shop.add("j2")
    await shop.steps.prepare("j1")
    plan = await shop.steps.prepare("j2")
    assert plan["twins"] == [1]
    waiting = asyncio.create_task(shop.steps.join("j2", 1))
    await shop.jobs.request_cancel("acme", "j2")
    assert await waiting is True
    await shop.steps.finish("j2")
    assert shop.jobs.jobs["j2"].state is JobState.CANCELLED


async def test_jobs_that_share_variations_do_not_wait_for_each_other():
    shop = workshop()
    shop.add("j1", 2, seed=1)
    shop.add("j2", 2, seed=2)
    await asyncio.gather(*(generate_video(name, shop.steps, Journal()) for name in ("j2", "j1")))
    states = {shop.jobs.jobs[name].state for name in ("j1", "j2")}
    assert states == {JobState.SUCCEEDED}
    assert len(shop.generator.begun) == 3


async def test_a_cached_clip_bridges_the_time_until_a_fresh_one_replaces_it():
    shop = workshop()
    first = await shop.make("j1")
    job = await shop.make("j2", cache=PROGRESSIVE)
    log = [e for e in shop.jobs.log if e.job.id == "j2"]
    shown = [e.job.clip(1).clip.asset for e in log if e.job.clip(1)]
    assert shown[0] == first.clip(1).clip.asset
    assert shown[-1] == job.clip(1).clip.asset != shown[0]
    assert [e.kind for e in log if e.kind in {"cached", "result_stored"}] == [
        "cached",
        "result_stored",
    ]
    assert job.clip(1).reused is None
    assert await shop.totals("j2") == (COST, 0)
    [entry] = shop.store.entries.values()
    assert entry.job == "j2"


async def test_a_bridge_stays_when_no_fresh_clip_can_be_made():
    shop = workshop(lambda i: "fail" if i.startswith("j2") else "ok")
    await shop.make("j1")
    job = await shop.make("j2", cache=PROGRESSIVE)
    assert job.state is JobState.SUCCEEDED
    assert job.clip(1).reused is not None


@pytest.mark.parametrize("seed", range(25))
async def test_a_hit_that_dies_anywhere_is_counted_once(seed):
    shop = workshop()
    await shop.make("j1", 2)
    shop.add("j2", 3)
    journal = Journal(chance=0.3, seed=seed)
    while True:
        journal.count = 0
        try:
            await generate_video("j2", shop.steps, journal)
            break
        except Crash:
            continue
    assert shop.jobs.jobs["j2"].state is JobState.SUCCEEDED
    assert await shop.totals("j2") == (COST, 2 * COST)
    assert len(shop.tally.hits) == len(shop.store.uses) == 2
    assert set(shop.clips.uses) == {attempt for _, attempt in shop.store.uses}
