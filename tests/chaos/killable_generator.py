"""The generator as it is, with its own fault points read from a file, and every drawing counted."""

from pathlib import Path
from typing import Any

from services.generator import __main__ as generator
from services.generator.domain.steps import Step
from services.generator.engines.placeholder import Placeholder
from services.generator.settings import Settings
from services.generator.worker.faults import Crash
from tests.chaos.kill_points import reached


def make_killable(folder: Path) -> None:
    """Put the points in, and a line into `renders.log` for every clip that is asked for."""
    make = Placeholder.make

    async def making(self: Placeholder, work: Any, destination: Path, **options: Any) -> Any:
        with (folder / "renders.log").open("a") as log:
            log.write(f"{work.id}\n")
        return await make(self, work, destination, **options)

    def reaching(self: Crash, step: Step) -> None:
        reached(folder / "kill-generator.json", step.value)

    Placeholder.make = making  # type: ignore[method-assign] # counted by the test
    Crash.reached = reaching  # type: ignore[method-assign] # the points under test


if __name__ == "__main__":
    make_killable(Settings().data_dir)
    generator.main()
