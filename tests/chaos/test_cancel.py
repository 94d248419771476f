"""A cancel at each stage of a job stops it once and leaves nothing running.

How soon is measured apart: `python -m benchmarks cancel`.
"""

import asyncio
import uuid

import pytest

from services.common.errors import FailedPrecondition
from tests.chaos.kill_points import arm
from tests.stack import Client, Stack
from tests.stack.waiting import until

pytestmark = pytest.mark.timeout(90)


async def begin(client: Client, seconds: int) -> str:
    unique = f"To be cancelled {uuid.uuid4().hex}"
    job = await client.generate(unique, seconds=seconds, request_id=unique)
    return str(job.name)


async def kind_seen(stack: Stack, name: str, kind: str) -> None:
    await until(lambda: not (kind not in stack.evidence.kinds(name)), 30)


async def cancel_and_end(client: Client, name: str) -> None:
    """Cancel it and await its end; the watcher sees both, whole."""
    watching = asyncio.create_task(client.watch(name))
    await asyncio.sleep(0.05)
    first = await client.cancel(name)
    seen = await watching
    seen.assert_whole()
    assert seen.job.state == first.STATE_CANCELLED, seen.job


async def test_while_it_waits_for_its_turn(stack: Stack, client: Client) -> None:
    names = [await begin(client, 20) for _ in range(4)]
    await kind_seen(stack, names[-1], "attempt_started")
    for name in reversed(names):
        await cancel_and_end(client, name)
        stack.evidence.assert_ended_once(name)


async def test_while_it_is_drawn(stack: Stack, client: Client) -> None:
    name = await begin(client, 30)
    await kind_seen(stack, name, "progress")
    await cancel_and_end(client, name)
    stack.evidence.assert_ended_once(name)
    assert [row[1].lower() for row in stack.evidence.generations(name)] == ["cancelled"]
    job = await client.end(await begin(client, 1))
    assert job.state == job.STATE_SUCCEEDED


async def test_while_it_is_stored(stack: Stack, client: Client) -> None:
    """Storage is away, so that the clip waits to be stored when the cancel comes."""
    stack["storage"].kill()
    name = await begin(client, 1)

    async def storing() -> bool:
        job = await client.get(name)
        return bool(job.stage == job.STAGE_STORING)

    await until(storing, 30)
    await cancel_and_end(client, name)
    stack["storage"].start()
    await stack["storage"].ready()
    stack.evidence.assert_ended_once(name)
    job = await client.get(name)
    assert not [result.asset for result in job.results if result.asset]


async def test_twice_is_no_error_and_after_the_end_it_is_refused(
    stack: Stack, client: Client
) -> None:
    name = await begin(client, 20)
    await kind_seen(stack, name, "attempt_started")
    answers = await asyncio.gather(*(client.cancel(name) for _ in range(5)))
    assert {a.state for a in answers} <= {answers[0].STATE_CANCELLING, answers[0].STATE_CANCELLED}
    await client.end(name)
    stack.evidence.assert_ended_once(name)
    done = await client.end(await begin(client, 1))
    with pytest.raises(FailedPrecondition) as caught:
        await client.cancel(done.name)
    assert caught.value.reason == "ALREADY_ENDED"


async def test_the_orchestrator_dies_between_the_cancel_and_the_end(
    stack: Stack, client: Client
) -> None:
    name = await begin(client, 20)
    await kind_seen(stack, name, "attempt_started")
    arm(stack.directory / "kill-orchestrator.json", "follow.worked")
    watching = asyncio.create_task(client.watch(name))
    await client.cancel(name)
    await stack["orchestrator"].death()
    stack["orchestrator"].start()
    seen = await watching
    seen.assert_whole()
    assert seen.job.state == seen.job.STATE_CANCELLED
    stack.evidence.assert_ended_once(name)
