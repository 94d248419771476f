"""Something that waits for a while, unless it is told that there is news."""

import asyncio


class Bell:
    """Rung when a vendor has called back: whoever waits looks now instead of later.

    A ring that nobody waits for is kept for the next who does.
    """

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """Wake the one who waits."""
        self._rung.set()

    async def wait(self, seconds: float) -> bool:
        """Return True when it was rung, False after so many seconds."""
        try:
            async with asyncio.timeout(seconds):
                await self._rung.wait()
        except TimeoutError:
            return False
        self._rung.clear()
        return True
