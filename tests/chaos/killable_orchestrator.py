"""The orchestrator as it is, with named points at which a test may end it: `python -m …`.

Around each step: before its work, after its work, and after its checkpoint, told from the engine's
return. Around accepting: before the transaction and after its commit.
"""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from services.common.telemetry import configure_logging
from services.orchestrator import __main__ as orchestrator
from services.orchestrator.adapters.sql_jobs import SqlJobs
from services.orchestrator.durable.runtime import DurableSlot
from services.orchestrator.settings import Settings
from services.orchestrator.worker import Steps
from tests.chaos.kill_points import STEPS, reached


def _step(file: Path, name: str, work: Callable[..., Awaitable[Any]]) -> Callable[..., Any]:
    async def stepped(self: Steps, *arguments: Any) -> Any:
        reached(file, f"{name}.before")
        result = await work(self, *arguments)
        reached(file, f"{name}.worked")
        return result

    return stepped


def make_killable(file: Path) -> None:
    """Put the points in."""
    for name in STEPS:
        setattr(Steps, name, _step(file, name, getattr(Steps, name)))
    accept, run = SqlJobs.accept, DurableSlot.run

    async def accepting(self: SqlJobs, job: Any) -> Any:
        reached(file, "accept.before")
        accepted = await accept(self, job)
        reached(file, "accept.after")
        return accepted

    async def running(self: DurableSlot, name: str, step: Any, *arguments: Any) -> Any:
        result = await run(self, name, step, *arguments)
        reached(file, f"{name.rpartition('.')[2]}.after")
        return result

    SqlJobs.accept = accepting  # type: ignore[method-assign] # the points under test
    DurableSlot.run = running  # type: ignore[method-assign] # the points under test


if __name__ == "__main__":
    settings = Settings()
    configure_logging(settings)
    make_killable(settings.data_dir / f"kill-{settings.service}.json")
    orchestrator.main()
