"""The loop that outboxes share: what is written goes out at once, what fails waits and goes out."""

import asyncio
from contextlib import suppress

from services.orchestrator.adapters.relay import Relay
from tests.stack.waiting import until


class Pile(Relay):
    """Publishes numbers; `away` is how many tries the bus is still away for."""

    def __init__(self, *, left: int = 0, away: int = 0) -> None:
        super().__init__(name="pile", batch=10)
        self.written: list[int] = []
        self.published: list[int] = []
        self.left, self.away = left, away

    def write(self, number: int) -> None:
        self.written.append(number)
        self.wake()

    async def relay_written(self) -> None:
        if self.away:
            self.away -= 1
            raise ConnectionError
        self.published += self.written
        self.written.clear()

    async def sweep(self) -> int:
        taken = min(self.left, 10)
        self.left -= taken
        return taken


async def run_until(pile: Pile, done) -> None:
    """Run the relay until something is so."""
    running = asyncio.create_task(pile.run())
    try:
        await until(done, 40)
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


async def test_what_is_written_goes_out_and_a_backlog_is_swept_to_its_end():
    pile = Pile(left=35)
    pile.write(1)
    await run_until(pile, lambda: pile.published == [1] and pile.left == 0)


async def test_what_the_bus_does_not_take_goes_out_when_it_is_back():
    pile = Pile(away=1)
    pile.write(1)
    pile.write(2)
    await run_until(pile, lambda: pile.published == [1, 2])
