import asyncio
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.generator.catalogue.loader import load_catalogue
from services.generator.domain.bell import Bell
from services.generator.domain.models import Latency, Model
from services.generator.providers import adapters
from services.generator.providers.adapter import Running
from services.generator.worker.pace import Pacer, Rhythm, after_trouble
from services.generator.worker.progress import progress_of
from tests.fakes.generator_parts import START


@given(st.floats(0.1, 30), st.floats(0, 600), st.floats(0, 100_000))
def test_a_pause_is_never_shorter_than_the_advice_nor_endless(base, typical, age) -> None:
    assert base <= Rhythm(base, typical).pause(age) <= 60


def test_looks_come_seldom_at_first_often_when_due_and_seldom_when_overdue() -> None:
    rhythm = Rhythm(5.0, typical=100.0)
    assert rhythm.pause(0) > rhythm.pause(80) == 5.0
    assert rhythm.pause(1000) == 60.0


HOSTED = [model for model in load_catalogue() if model.provider in adapters()]


@pytest.mark.parametrize("model", HOSTED, ids=lambda model: model.id)
def test_a_job_is_asked_for_at_most_200_times_before_its_deadline(model: Model) -> None:
    advice = adapters()[model.provider].poll_seconds
    rhythm = Rhythm(advice, model.latency.p50_seconds or 0.0)
    age, looks = 0.0, 0
    while age < timedelta(hours=1).total_seconds():
        age += rhythm.pause(age)
        looks += 1
    assert looks <= 200


def test_trouble_makes_it_wait_longer_and_retry_after_is_kept() -> None:
    assert after_trouble(5, 1, None) == 10
    assert after_trouble(5, 3, None) == 40
    assert after_trouble(5, 50, None) == 60
    assert after_trouble(5, 1, 90.0) == 90


async def test_a_crowd_is_spread_out() -> None:
    pacer = Pacer(100, scatter=lambda low, high: 1.0)
    loop = asyncio.get_running_loop()
    begun = loop.time()
    await asyncio.gather(*(pacer.wait(0.01, Bell()) for _ in range(31)))
    assert loop.time() - begun >= 0.29


async def test_who_is_rung_up_does_not_wait_for_the_time_to_pass() -> None:
    pacer, bell = Pacer(100), Bell()
    waiting = asyncio.create_task(pacer.wait(3600, bell))
    await asyncio.sleep(0)
    bell.ring()
    async with asyncio.timeout(30):
        await waiting
    early = Bell()
    early.ring()  # before anybody waits
    async with asyncio.timeout(30):
        await pacer.wait(3600, early)
    assert not await early.wait(0)


def test_the_vendors_own_progress_counts_and_never_says_done() -> None:
    told = progress_of(Running(progress=1.0), Latency(), begun=START, now=START)
    assert (told.percent, told.source) == (99, "provider")


@given(st.floats(0, 10_000), st.floats(0.1, 10_000))
def test_an_estimate_grows_and_stays_below_the_end(age, more) -> None:
    latency = Latency(p50_seconds=60, p90_seconds=90)

    def at(seconds: float):
        now = START + timedelta(seconds=seconds)
        return progress_of(Running(), latency, begun=START, now=now)

    assert at(age).percent <= at(age + more).percent <= 95
    assert at(age).source == "estimate"
    assert at(30).eta == START + timedelta(seconds=90)
    assert at(100).eta is None


def test_a_look_at_what_is_being_made_is_passed_on_if_a_browser_may_open_it() -> None:
    def shown(url: str) -> str:
        update = Running(progress=0.5, preview_url=url)
        return progress_of(update, Latency(), begun=START, now=START).preview

    assert shown("https://cdn.example/p.mp4") == "https://cdn.example/p.mp4"
    assert not any(map(shown, ("javascript:alert(1)", "/p.mp4", "https://" + "x" * 9000)))


def test_without_a_typical_time_nothing_is_made_up() -> None:
    told = progress_of(Running(queued=True), Latency(), begun=START, now=START)
    assert (told.percent, told.source, told.queued) == (0, "none", True)
