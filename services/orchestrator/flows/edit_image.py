"""The life of an edit: one step, because it is one purchase."""

from typing import Protocol

from services.orchestrator.flows.runner import Runner


class EditSteps(Protocol):
    """The steps."""

    async def edit(self, edit_id: str) -> None:
        """Make the edit to its end."""

    async def abandon(self, edit_id: str) -> None:
        """End an edit that nobody works on. Not a step."""


async def edit_image(edit_id: str, steps: EditSteps, runner: Runner) -> None:
    """Make an edit. Safe to replay."""
    await runner.reserve().run("edit", steps.edit, edit_id)
