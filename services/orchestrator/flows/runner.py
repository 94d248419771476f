"""What a flow needs of the durable engine."""

from collections.abc import Awaitable, Callable
from typing import Any, Protocol


class Slot(Protocol):
    """A place in the order of steps, taken now and filled later."""

    async def run(self, name: str, step: Callable[..., Awaitable[Any]], *arguments: Any) -> Any:
        """Run the step, or return what it returned before a crash. Values are JSON."""


class Runner(Protocol):
    """Hands out slots: taken in the same order on every replay, filled in any."""

    def reserve(self) -> Slot:
        """The next slot."""
