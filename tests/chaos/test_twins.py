"""Twins on two replicas with one PostgreSQL: one generation, also when its worker is killed."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from tests.chaos.conftest import KILLABLE
from tests.servers import Nats, Postgres
from tests.stack import Stack

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def replicas(postgres_server: Postgres) -> Iterator[Stack]:
    """Two orchestrators that keep placeholders, because nothing else is made without a key."""
    roles = {
        f"orchestrator-{number}": {
            "ORCHESTRATOR_EXECUTOR": f"orchestrator-{number}",
            "ORCHESTRATOR_JOBS_AT_ONCE": "6",
        }
        for number in range(2)
    }
    env = {
        "ORCHESTRATOR_CACHE": "true",
        "ORCHESTRATOR_CACHE_PLACEHOLDERS": "true",
        "GENERATOR_REPLICA": "generator-0",
    }
    modules = {"generator": KILLABLE["generator"]}
    url, nats = postgres_server.create_database(), Nats()
    stack = Stack(nats, url, modules=modules, orchestrators=roles, env=env)
    try:
        stack.start()
        yield stack
    finally:
        stack.close()
        nats.close()
        postgres_server.drop_database(url)


async def twins(stack: Stack, prompt: str, *, seconds: int) -> list[str]:
    """Names of ten equal jobs, accepted by both replicas in turn."""
    async with (
        stack.client(orchestrator="orchestrator-0") as one,
        stack.client(orchestrator="orchestrator-1") as two,
    ):
        asked = [
            (one, two)[n % 2].generate(prompt, seconds=seconds, request_id=f"{prompt}{n}")
            for n in range(10)
        ]
        return [job.name for job in await asyncio.gather(*asked)]


async def ended(stack: Stack, names: list[str]) -> list[Any]:
    async with stack.client(orchestrator="orchestrator-0") as client:
        return [*await asyncio.gather(*(client.end(name) for name in names))]


def assert_one_generation(stack: Stack, names: list[str], jobs: list[Any]) -> None:
    made = [found for name in names for found in stack.evidence.generations(name)]
    assert len(made) == 1, made
    assert len({job.results[0].asset for job in jobs}) == 1
    assert sorted(job.results[0].cached for job in jobs) == [False] + [True] * 9
    assert all(job.results[0].placeholder for job in jobs)
    for name in names:
        stack.evidence.assert_ended_once(name)


async def test_ten_equal_calls_on_two_replicas_are_one_generation(replicas: Stack):
    names = await twins(replicas, "A heron at dawn", seconds=1)
    assert_one_generation(replicas, names, await ended(replicas, names))


@pytest.mark.stress
async def test_twins_outlive_the_worker_that_makes_their_clip(replicas: Stack):
    names = await twins(replicas, "A heron at dusk", seconds=20)
    maker = ""
    async with asyncio.timeout(30):
        while not maker:
            made = [found[0] for name in names for found in replicas.evidence.generations(name)]
            rows = replicas.evidence.query(
                "dbos",
                "SELECT executor_id FROM workflow_status WHERE workflow_uuid = ?",
                f"generate_video.{made[0].partition('/')[0]}" if made else "",
            )
            maker = rows[0][0] if rows else ""
            await asyncio.sleep(0.05)
    replicas[maker].kill()
    replicas.heal()
    assert_one_generation(replicas, names, await ended(replicas, names))
