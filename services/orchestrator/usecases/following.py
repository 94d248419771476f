"""Following what the generator makes to its end, across its restarts."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Protocol, TypeVar

from tenacity import AsyncRetrying, retry_if_exception, wait_random_exponential

from services.common.errors import Unavailable
from services.orchestrator.usecases.patience import passing


class View(Protocol):
    """A generation as it was at a moment."""

    @property
    def sequence(self) -> int:
        """Grows by one with every change."""

    @property
    def ended(self) -> bool:
        """Whether nothing more will come of it."""


V = TypeVar("V", bound=View)


async def views_to_the_end(watch: Callable[[int], AsyncIterator[V]]) -> AsyncGenerator[V, None]:
    """Yield every view until it has ended; `watch` begins after the sequence that it is given.

    A generator that is away, or ends the watch early, is asked again after a pause.
    """
    seen = 0
    pause = wait_random_exponential(multiplier=0.1, max=2.0)
    async for attempt in AsyncRetrying(retry=retry_if_exception(passing), wait=pause, reraise=True):
        with attempt:
            async for view in watch(seen):
                seen = view.sequence
                yield view
                if view.ended:
                    return
            raise Unavailable("the generator ended the watch before the generation ended")
