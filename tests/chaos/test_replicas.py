"""Three replicas on PostgreSQL: what one of them held is taken over, and nothing is asked twice.

How soon is measured apart: `python -m benchmarks takeover`.
"""

import asyncio
import uuid
from collections.abc import Iterator

import pytest

from tests.chaos.conftest import KILLABLE
from tests.servers import Nats, Postgres
from tests.stack import Client, Stack
from tests.stack.waiting import until

# One replica makes four at once: of these one of the two others has at least two.
JOBS = 8
pytestmark = pytest.mark.timeout(180)


@pytest.fixture(
    scope="module", params=["all", pytest.param("front-and-workers", marks=pytest.mark.stress)]
)
def kept_replicas(request: pytest.FixtureRequest, postgres_server: Postgres) -> Iterator[Stack]:
    """Three that do everything, or one that answers and three that work."""
    roles: dict[str, dict[str, str]] = {}
    if request.param != "all":
        roles["orchestrator"] = {"ORCHESTRATOR_ROLE": "front"}
    role = "all" if request.param == "all" else "worker"
    for number in range(3):
        roles[f"orchestrator-{number}"] = {
            "ORCHESTRATOR_ROLE": role,
            "ORCHESTRATOR_EXECUTOR": f"orchestrator-{number}",
            # So that no replica takes all that there is.
            "ORCHESTRATOR_JOBS_AT_ONCE": "4",
        }
    url = postgres_server.create_database()
    nats = Nats()
    modules = {**KILLABLE, "orchestrator": "services.orchestrator"}
    stack = Stack(
        nats, url, modules=modules, orchestrators=roles, env={"GENERATOR_REPLICA": "generator-0"}
    )
    try:
        stack.start()
        yield stack
    finally:
        stack.close()
        nats.close()
        postgres_server.drop_database(url)


@pytest.fixture
def replicas(kept_replicas: Stack) -> Stack:
    kept_replicas.heal()
    return kept_replicas


async def generate(client: Client, what: str, count: int, seconds: int) -> list[str]:
    """Names of new jobs; no two clips are alike, so that none comes from a cache."""
    made = []
    for number in range(count):
        unique = f"{what} {number} {uuid.uuid4().hex}"
        made.append((await client.generate(unique, seconds=seconds, request_id=unique)).name)
    return made


async def first_held(stack: Stack, executors: list[str]) -> tuple[str, list[str]]:
    async with asyncio.timeout(60):
        while True:
            for executor in executors:
                held = stack.evidence.held_by(executor)
                if len(held) >= 2:
                    return executor, held
            await asyncio.sleep(0.05)


async def test_the_jobs_of_a_killed_replica_are_taken_over(
    replicas: Stack,
) -> None:
    async with replicas.client(orchestrator=replicas.orchestrators[0].name) as client:
        jobs = await generate(client, "A long walk", JOBS, seconds=3)
        watching = [asyncio.create_task(client.watch(name, 120)) for name in jobs]
        workers = [s.name for s in replicas.orchestrators if s.name != "orchestrator"]
        # The one that the client talks to lives on where it can, so that watches measure the work.
        victim, held = await first_held(replicas, workers[::-1])
        replicas[victim].kill()
        await until(lambda: not replicas.evidence.held_by(victim), 100)
        watched = await asyncio.gather(*watching)
    assert set(held) <= {name.removeprefix("videoJobs/") for name in jobs}
    for seen in watched:
        seen.assert_whole()
        assert seen.job.state == seen.job.STATE_SUCCEEDED, seen.job
        replicas.evidence.assert_ended_once(seen.name)
        assert len(replicas.evidence.generations(seen.name)) == 1


async def test_a_replica_that_is_stopped_in_order_hands_over(replicas: Stack) -> None:
    front = replicas.orchestrators[0].name
    async with replicas.client(orchestrator=front) as client:
        jobs = await generate(client, "A short walk", JOBS, seconds=3)
        watching = [asyncio.create_task(client.watch(name, 120)) for name in jobs]
        workers = [s.name for s in replicas.orchestrators if s.name != front]
        victim, _ = await first_held(replicas, workers)
        replicas[victim].terminate()
        await replicas[victim].death()
        await until(lambda: not replicas.evidence.held_by(victim), 100)
        for seen in await asyncio.gather(*watching):
            seen.assert_whole()
            replicas.evidence.assert_ended_once(seen.name)


@pytest.mark.stress
async def test_a_rolling_restart_of_all_replicas_loses_no_job(replicas: Stack) -> None:
    async with replicas.client(orchestrator=replicas.orchestrators[0].name) as client:
        jobs = await generate(client, "A roll", 6, seconds=3)
        watching = [asyncio.create_task(client.watch(name, 120)) for name in jobs]
        for service in replicas.orchestrators:
            await service.restart()
        for seen in await asyncio.gather(*watching):
            seen.assert_whole()
            assert seen.job.state == seen.job.STATE_SUCCEEDED
            replicas.evidence.assert_ended_once(seen.name)
