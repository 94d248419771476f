"""News of one piece of work: the newest counts, older ones are not waited for."""

import asyncio


class News:
    """How far the work is, and a bell that rings when there may be more to learn."""

    def __init__(self) -> None:
        self._percent: int | None = None
        self._woken = False
        self._came = asyncio.Event()

    def tell(self, percent: int) -> None:
        """Take in how far it is, 0 to 100."""
        self._percent = percent
        self._came.set()

    def wake(self) -> None:
        """Ring without saying why; what is to be learned then matters more than a percentage."""
        self._woken = True
        self._came.set()

    async def next(self, seconds: float) -> int | None:
        """Return the newest percent that was not returned before; None after a bell or a wait."""
        try:
            async with asyncio.timeout(seconds):
                await self._came.wait()
        except TimeoutError:
            return None
        self._came.clear()
        percent, self._percent = self._percent, None
        woken, self._woken = self._woken, False
        return None if woken else percent
