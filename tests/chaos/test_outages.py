"""Parts go away for a while and come back: jobs end, watchers see no gap."""

import asyncio
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.chaos.conftest import KILLABLE, NAMED
from tests.servers import Nats, Postgres
from tests.stack import Client, Stack, Watcher
from tests.stack.waiting import until

pytestmark = pytest.mark.timeout(120)
MOST_ATTEMPTS = 8  # of one free model, as flows.generate_video allows


@dataclass
class Own:
    """A stack and the database server that it alone uses."""

    stack: Stack
    postgres: Postgres


@pytest.fixture(scope="module")
def kept_own() -> Iterator[Own]:
    """On a PostgreSQL of its own, which nobody else would miss."""
    nats, postgres = Nats(), Postgres()
    stack = Stack(nats, postgres.create_database(durable=True), modules=KILLABLE, env=NAMED)
    try:
        stack.start()
        yield Own(stack, postgres)
    finally:
        stack.close()
        postgres.close()
        nats.close()


@pytest.fixture
def stack(kept_own: Own) -> Stack:
    kept_own.stack.heal()
    return kept_own.stack


@pytest.fixture
def postgres(kept_own: Own) -> Postgres:
    return kept_own.postgres


async def under_way(
    client: Client, count: int = 4, seconds: int = 3
) -> list[asyncio.Task[Watcher]]:
    """Watches of new jobs, of which the first is being drawn."""
    watches = []
    for _ in range(count):
        unique = f"An outage {uuid.uuid4().hex}"
        job = await client.generate(unique, seconds=seconds, request_id=unique)
        watches.append(asyncio.create_task(client.watch(job.name, 100)))

    async def begun() -> bool:
        return bool((await client.get(job.name)).attempts)

    await until(begun, 30)
    return watches


async def assert_all_made(
    stack: Stack, watches: list[asyncio.Task[Watcher]], *, attempts: int = MOST_ATTEMPTS
) -> None:
    """A drawing that an outage broke is free and drawn anew: how often depends on the load."""
    for seen in await asyncio.gather(*watches):
        seen.assert_whole()
        told = [(a.model, a.error.message) for a in seen.job.attempts]
        assert seen.job.state == seen.job.STATE_SUCCEEDED, told
        stack.evidence.assert_ended_once(seen.name)
        assert 1 <= len(stack.evidence.generations(seen.name)) <= attempts


async def test_the_database_is_killed_and_comes_back(stack: Stack, postgres: Postgres) -> None:
    async with stack.client() as client:
        watches = await under_way(client)
        postgres.kill()
        await asyncio.sleep(1)
        postgres.start_again()
        await assert_all_made(stack, watches)


async def test_the_event_bus_is_away_for_three_seconds(stack: Stack) -> None:
    async with stack.client() as client:
        watches = await under_way(client)
        stack.nats.kill()
        late = await client.generate(
            "While the bus is away", seconds=1, request_id=uuid.uuid4().hex
        )
        watches.append(asyncio.create_task(client.watch(late.name, 100)))
        await asyncio.sleep(3)
        await stack.nats.restart()
        await assert_all_made(stack, watches)
    await until(lambda: not (stack.evidence.unpublished()), 40)


async def test_the_generator_is_away_for_five_seconds(stack: Stack) -> None:
    """What it was drawing is lost and drawn anew, for nothing; what waited is drawn once."""
    async with stack.client() as client:
        watches = await under_way(client)
        stack["generator"].kill()
        late = await client.generate("While it is away", seconds=1, request_id=uuid.uuid4().hex)
        watches.append(asyncio.create_task(client.watch(late.name, 100)))
        await asyncio.sleep(5)
        stack["generator"].start()
        await assert_all_made(stack, watches)


@pytest.mark.stress
@pytest.mark.parametrize("part", ["storage", "prompt"])
async def test_another_part_is_away_for_three_seconds(stack: Stack, part: str) -> None:
    async with stack.client() as client:
        stack[part].kill()
        watches = []
        for _ in range(2):
            unique = f"Without {part} {uuid.uuid4().hex}"
            job = await client.generate(unique, request_id=unique)
            watches.append(asyncio.create_task(client.watch(job.name, 100)))
        await asyncio.sleep(3)
        stack[part].start()
        await assert_all_made(stack, watches)
