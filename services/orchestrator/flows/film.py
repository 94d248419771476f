"""The life of one run of a film: begin, every task as soon as it can, finish."""

from typing import Any, Protocol

from services.orchestrator.flows.dag import GraphRun, Node, Pace
from services.orchestrator.flows.runner import Runner


class FilmSteps(Protocol):
    """The steps; arguments and results are JSON. `film_run` is "{film id}.{run}"."""

    async def begin(self, film_run: str) -> dict[str, Any]:
        """Return {"tasks": [{"id", "after", "priority", "cost"}, …], "limit": n, "adaptive": bool}.

        The tasks are those still to be made, in an order that they could be made in.
        """

    async def task(self, film_run: str, task_id: str) -> bool:
        """Make a task; returns whether those behind it may begin."""

    async def finish(self, film_run: str) -> None:
        """End the run."""

    async def cancel(self, film_run: str) -> None:
        """Stop what runs."""

    def pace(self, film_run: str, limit: int, *, adaptive: bool) -> Pace:
        """How much of this run may go on at once. Not a step: it is about now alone."""


async def make_film(film_run: str, steps: FilmSteps, runner: Runner) -> None:
    """Make a film. Safe to replay from any step: what is done is never done again.

    The slot of every task is reserved up front in the graph's order, so that a replay gives each
    task its own result however the tasks' ends fell. Nothing is caught here, as in a job's flow.
    """
    plan = await runner.reserve().run("begin", steps.begin, film_run)
    nodes = [Node(**{**task, "after": tuple(task["after"])}) for task in plan["tasks"]]
    slots = {node.id: runner.reserve() for node in nodes}
    finish = runner.reserve()

    async def make(task_id: str) -> bool:
        return bool(await slots[task_id].run(task_id, steps.task, film_run, task_id))

    pace = steps.pace(film_run, plan["limit"], adaptive=plan["adaptive"])
    await GraphRun(nodes, make, pace)()
    await finish.run("finish", steps.finish, film_run)


async def cancel_film(film_run: str, steps: FilmSteps, runner: Runner) -> None:
    """Stop a film whose cancelling is on record."""
    await runner.reserve().run("cancel", steps.cancel, film_run)
