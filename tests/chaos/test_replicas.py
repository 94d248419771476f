"""Three replicas on PostgreSQL: what one of them held is taken over, and nothing is asked twice."""

import asyncio
import time
import uuid
from collections.abc import Iterator

import pytest

from tests.chaos.conftest import KILLABLE
from tests.servers import Nats, Postgres
from tests.stack import Client, Stack
from tests.stack.waiting import until

JOBS = 9
TAKEN_OVER_WITHIN = 10.0
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


def held_by(stack: Stack, executor: str) -> list[str]:
    """Ids of the jobs that a replica has in work."""
    rows = stack.evidence.query(
        "dbos",
        "SELECT workflow_uuid FROM workflow_status WHERE status = ? AND executor_id = ?",
        "PENDING",
        executor,
    )
    return [row[0].removeprefix("generate_video.") for row in rows]


async def generate(client: Client, what: str, count: int, seconds: int) -> list[str]:
    """Names of new jobs; no two clips are alike, so that none comes from a cache."""
    made = []
    for number in range(count):
        unique = f"{what} {number} {uuid.uuid4().hex}"
        made.append((await client.generate(unique, seconds=seconds, request_id=unique)).name)
    return made


async def first_held(stack: Stack, executors: list[str]) -> tuple[str, list[str]]:
    async with asyncio.timeout(30):
        while True:
            for executor in executors:
                held = held_by(stack, executor)
                if len(held) >= 2:
                    return executor, held
            await asyncio.sleep(0.05)


async def test_the_jobs_of_a_killed_replica_are_taken_over(
    replicas: Stack,
) -> None:
    async with replicas.client(orchestrator=replicas.orchestrators[0].name) as client:
        jobs = await generate(client, "A long walk", JOBS, seconds=6)
        watching = [asyncio.create_task(client.watch(name, 120)) for name in jobs]
        workers = [s.name for s in replicas.orchestrators if s.name != "orchestrator"]
        # The one that the client talks to lives on where it can, so that watches measure the work.
        victim, held = await first_held(replicas, workers[::-1])
        replicas[victim].kill()
        killed = time.monotonic()
        taken = asyncio.create_task(taken_over(replicas, victim, killed))
        watched = await asyncio.gather(*watching)
        seconds = await taken
    print(f"{len(held)} jobs were taken over {seconds:.2f} s after the kill")
    assert seconds < TAKEN_OVER_WITHIN
    for seen in watched:
        seen.assert_whole()
        assert seen.job.state == seen.job.STATE_SUCCEEDED, seen.job
        replicas.evidence.assert_ended_once(seen.name)
        assert len(replicas.evidence.generations(seen.name)) == 1


async def taken_over(stack: Stack, victim: str, since: float) -> float:
    """Seconds until nothing is left in the name of the dead."""
    await until(lambda: not held_by(stack, victim), 60)
    return time.monotonic() - since


async def test_a_replica_that_is_stopped_in_order_hands_over_at_once(replicas: Stack) -> None:
    front = replicas.orchestrators[0].name
    async with replicas.client(orchestrator=front) as client:
        jobs = await generate(client, "A short walk", 8, seconds=4)
        watching = [asyncio.create_task(client.watch(name, 120)) for name in jobs]
        workers = [s.name for s in replicas.orchestrators if s.name != front]
        victim, _ = await first_held(replicas, workers)
        replicas[victim].terminate()
        stopped = time.monotonic()
        await replicas[victim].death()
        assert await taken_over(replicas, victim, time.monotonic()) < 5
        assert time.monotonic() - stopped < 20
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
