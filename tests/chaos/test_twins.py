"""Twins on two replicas with one PostgreSQL: one charge, also when the worker is killed."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from services.suite.simulator.exports import variables
from services.suite.simulator.world import World
from tests.chaos.conftest import KILLABLE
from tests.fakes.simulator import simulator_thread
from tests.servers import Nats, Postgres
from tests.stack import Stack

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with simulator_thread() as found:
        yield found


@pytest.fixture(scope="module")
def replicas(postgres_server: Postgres, world: World) -> Iterator[Stack]:
    """Two orchestrators with a vendor, which keep placeholders as well."""
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
        "GENERATOR_POLL_SECONDS": "0.1",
        **{k: v for k, v in variables(world).items() if k.startswith(("RUNWAY_", "GENERATOR_"))},
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


async def twins(stack: Stack, prompt: str, **fields: Any) -> list[str]:
    """Names of ten equal jobs, accepted by both replicas in turn."""
    async with (
        stack.client(orchestrator="orchestrator-0") as one,
        stack.client(orchestrator="orchestrator-1") as two,
    ):
        asked = [
            (one, two)[n % 2].generate(prompt, **fields, request_id=f"{prompt}{n}")
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
    for name in names:
        stack.evidence.assert_ended_once(name)


async def test_ten_equal_calls_on_two_replicas_are_one_charge_on_the_vendors_bill(
    replicas: Stack, world: World
):
    sharp = {"seconds": 5, "resolution": "720p", "fps": 24}
    names = await twins(replicas, "A heron at dawn", model="runway_gen4_5", **sharp)
    assert_one_generation(replicas, names, await ended(replicas, names))
    assert len(world.charges) == 1


@pytest.mark.stress
async def test_twins_outlive_the_worker_that_makes_their_clip(replicas: Stack):
    names = await twins(replicas, "A heron at dusk", seconds=20, model="storyboard")
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
