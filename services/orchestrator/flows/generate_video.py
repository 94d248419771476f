"""The life of one job: prepare, then every variation side by side, then finish."""

import asyncio
from typing import Any, Protocol

from services.orchestrator.domain.values import MAX_REPEATS, MAX_TRIES
from services.orchestrator.flows.runner import Runner, Slot


class VideoSteps(Protocol):
    """The steps; arguments and results are JSON."""

    async def prepare(self, job_id: str) -> dict[str, Any]:
        """{"models": [...], "variations": n, "served": [...], "twins": [...]}.

        Variations that the cache has served, and those that another job is making, by number.
        """

    async def join(self, job_id: str, iteration: int) -> bool:
        """Wait for a twin; whether its clip serves this variation as well."""

    async def submit(self, job_id: str, iteration: int, number: int, model: str) -> dict[str, Any]:
        """{"generation": name or "", "verdict": "done" | "next"}."""

    async def follow(self, job_id: str, iteration: int, number: int, generation: str) -> str:
        """What to do next: "done", "next" or "again"."""

    async def finish(self, job_id: str) -> None:
        """End the job."""

    async def cancel(self, job_id: str) -> None:
        """Stop what runs."""


async def generate_video(job_id: str, steps: VideoSteps, runner: Runner) -> None:
    """Make a job. Safe to replay from any step.

    Nothing is caught here: steps tell failures as verdicts, and what they raise is a defect or the
    engine's word that this process has lost the job, after which it must not touch it any more.
    """
    plan = await runner.reserve().run("prepare", steps.prepare, job_id)
    slots = [
        [(runner.reserve(), runner.reserve()) for _ in range(MAX_TRIES)]
        for _ in range(plan["variations"])
    ]
    finish = runner.reserve()
    joins = {i: runner.reserve() for i in plan.get("twins", ())}
    served = plan.get("served", ())

    async def variation(iteration: int, tries: list[tuple[Slot, Slot]]) -> None:
        join = joins.get(iteration)
        if join and await join.run(f"{iteration}.join", steps.join, job_id, iteration):
            return
        await _variation(job_id, iteration, plan["models"], steps, tries)

    await asyncio.gather(
        *(variation(i, tries) for i, tries in enumerate(slots, 1) if i not in served)
    )
    await finish.run("finish", steps.finish, job_id)


async def _variation(
    job_id: str,
    iteration: int,
    models: list[str],
    steps: VideoSteps,
    slots: list[tuple[Slot, Slot]],
) -> None:
    """Try the models in order until one serves; one that fails in passing is tried again."""
    queue = list(models)
    repeats = 0
    for number, (submit, follow) in enumerate(slots, start=1):
        if not queue:
            return
        label = f"{iteration}.{number}"
        sent = await submit.run(
            f"{label}.submit", steps.submit, job_id, iteration, number, queue[0]
        )
        verdict = sent["verdict"]
        if sent["generation"]:
            verdict = await follow.run(
                f"{label}.follow", steps.follow, job_id, iteration, number, sent["generation"]
            )
        if verdict == "done":
            return
        repeats = repeats + 1 if verdict == "again" else MAX_REPEATS
        if repeats >= MAX_REPEATS:
            queue.pop(0)
            repeats = 0


async def cancel_video(job_id: str, steps: VideoSteps, runner: Runner) -> None:
    """Stop a job whose cancelling is on record."""
    await runner.reserve().run("cancel", steps.cancel, job_id)
