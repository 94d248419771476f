"""kill -9 at each named step of a job: it ends once, is drawn once an attempt, without a gap."""

import asyncio
from collections.abc import Sequence

import pytest

from services.generator.domain.steps import Step
from tests.chaos.kill_points import ORCHESTRATOR, arm
from tests.stack import Client, Service, Stack, Watcher

GENERATOR = tuple(f"generator:{step.value}" for step in Step)
# What a change is tried with on every run; `make stress` runs all of it.
ALWAYS_ALONE = ("accept.after", "prepare.worked", "submit.worked", "finish.worked")
ALWAYS_BOTH = ("submit.after", "follow.before")
ALWAYS_GENERATOR = ("generator:before_send", "generator:polling", "generator:after_upload")
pytestmark = pytest.mark.timeout(90)


def points(always: Sequence[str], every: Sequence[str]) -> list[object]:
    assert set(always) <= set(every)
    rest = [each for each in every if each not in always]
    return [*always, *(pytest.param(each, marks=pytest.mark.stress) for each in rest)]


async def revive(*services: Service) -> None:
    """Start these again as soon as the first of them is dead."""
    await services[0].death()
    for service in services:
        service.kill()
        service.start()


async def make_one(client: Client, creative: str) -> Watcher:
    """One job from the request to its end, whatever happens on the way."""
    job = await client.generate(
        f"A lighthouse, {creative}", creative_id=creative, request_id=creative
    )
    return await client.watch(job.name)


async def assert_made(stack: Stack, seen: Watcher, creative: str) -> None:
    seen.assert_whole()
    assert seen.job.state == seen.job.STATE_SUCCEEDED, seen.job
    assert len(seen.job.results) == 1
    stack.evidence.assert_ended_once(seen.name)
    stack.evidence.assert_stored(seen.job.results, creative)
    assert stack.evidence.query(
        "orchestrator", "SELECT count(*) FROM jobs WHERE creative_id = ?", creative
    ) == [(1,)]


@pytest.mark.parametrize("point", points(ALWAYS_ALONE, ORCHESTRATOR))
async def test_a_job_survives_the_orchestrator(
    stack: Stack, client: Client, creative: str, point: str
) -> None:
    arm(stack.directory / "kill-orchestrator.json", point)
    _, seen = await asyncio.gather(revive(stack["orchestrator"]), make_one(client, creative))
    await assert_made(stack, seen, creative)
    assert len(stack.evidence.generations(seen.name)) == 1


@pytest.mark.parametrize("point", points(ALWAYS_BOTH, ORCHESTRATOR))
async def test_a_job_survives_both(stack: Stack, client: Client, creative: str, point: str) -> None:
    arm(stack.directory / "kill-orchestrator.json", point, also=[stack["generator"].pid])
    both = revive(stack["orchestrator"], stack["generator"])
    _, seen = await asyncio.gather(both, make_one(client, creative))
    await assert_made(stack, seen, creative)


@pytest.mark.parametrize("point", points(ALWAYS_GENERATOR, GENERATOR))
async def test_a_job_survives_the_generator(
    stack: Stack, client: Client, creative: str, point: str
) -> None:
    arm(stack.directory / "kill-generator.json", point.removeprefix("generator:"))
    _, seen = await asyncio.gather(revive(stack["generator"]), make_one(client, creative))
    await assert_made(stack, seen, creative)


async def test_a_request_whose_answer_was_lost_is_the_same_job_when_it_is_sent_again(
    stack: Stack, client: Client, creative: str
) -> None:
    """It dies after the commit and before the answer: the client cannot know, and need not."""
    arm(stack.directory / "kill-orchestrator.json", "accept.after")
    _, seen = await asyncio.gather(revive(stack["orchestrator"]), make_one(client, creative))
    again = await make_one(client, creative)
    assert again.name == seen.name
    assert again.sequences == seen.sequences[-1:]
