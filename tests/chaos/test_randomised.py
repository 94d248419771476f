"""Kills at random moments, for many jobs: none is lost, doubled or stuck."""

import asyncio
import random
import uuid

import pytest

from services.orchestrator.domain.values import MAX_REPEATS
from tests.stack import Client, Stack, Watcher

JOBS = 40
AT_ONCE = 5
SEED = 20_260_101
pytestmark = [pytest.mark.stress, pytest.mark.timeout(600)]


async def kill_now_and_then(stack: Stack, dice: random.Random, kills: list[str]) -> None:
    """Until cancelled: kill one of the parts that make jobs, or both, and start them again."""
    while True:
        await asyncio.sleep(dice.uniform(0.3, 2.5))
        chosen = dice.choice([("orchestrator",), ("generator",), ("orchestrator", "generator")])
        for name in chosen:
            stack[name].kill()
        await asyncio.sleep(dice.uniform(0, 0.5))
        for name in chosen:
            stack[name].start()
        for name in chosen:
            await stack[name].ready()
        kills.append("+".join(chosen))


async def make_one(client: Client, room: asyncio.Semaphore) -> Watcher:
    async with room:
        unique = uuid.uuid4().hex
        job = await client.generate(f"Random {unique}", creative_id=unique, request_id=unique)
        return await client.watch(job.name, 300)


async def test_no_job_is_lost_or_doubled(stack: Stack, client: Client) -> None:
    kills: list[str] = []
    killer = asyncio.create_task(kill_now_and_then(stack, random.Random(SEED), kills))
    room = asyncio.Semaphore(AT_ONCE)
    watched = await asyncio.gather(*(make_one(client, room) for _ in range(JOBS)))
    killer.cancel()
    await asyncio.gather(killer, return_exceptions=True)
    stack.heal()
    print(f"{JOBS} jobs, {len(kills)} kills")
    assert len(kills) >= 5
    for seen in watched:
        seen.assert_whole()
        stack.evidence.assert_ended_once(seen.name)
        # Kills may use up every try of a model that is killed again and again: then it says so.
        assert seen.job.state in {seen.job.STATE_SUCCEEDED, seen.job.STATE_FALLBACK}
        if seen.job.state == seen.job.STATE_SUCCEEDED:
            stack.evidence.assert_stored(seen.job.results, seen.job.creative_id)
    fell_back = [seen.job for seen in watched if seen.job.state == seen.job.STATE_FALLBACK]
    print(f"{JOBS - len(fell_back)} succeeded, {len(fell_back)} used up their tries")
    for job in fell_back:
        # The one excuse: every try that a model has was lost to a restart, and none is left.
        told = [(a.model, a.error.message) for a in job.attempts]
        assert len(told) >= MAX_REPEATS, told
        assert all("interrupted by a restart" in message for _, message in told), told
