"""Something that waits for a while, unless it is told that there is news."""

import asyncio


class Bell:
    """Rung when a vendor has called back: whoever waits looks now instead of later.

    A ring that nobody waits for is kept for the next who does. One at a time waits.
    """

    __slots__ = ("_waiter", "rung")

    def __init__(self) -> None:
        self.rung = False
        self._waiter: asyncio.Future[None] | None = None

    def ring(self) -> None:
        """Wake the one who waits."""
        self.rung = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def wait(self, seconds: float) -> bool:
        """Return True when it was rung, False after so many seconds."""
        if not self.rung:
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await asyncio.wait((self._waiter,), timeout=seconds)
            finally:
                self._waiter = None
        was_rung, self.rung = self.rung, False
        return was_rung
