"""Sends one piece of work, once: again only where it provably never arrived or was turned away."""

from dataclasses import replace

from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    stop_after_attempt,
    wait_exponential,
)

from services.common.errors import RateLimited, Unavailable
from services.generator.domain.ports import Accepted, Backend, Made, Work
from services.generator.domain.storage_port import AssetStorage
from services.generator.usecases.references import Known, Measure, References

_TRIES = 4
_FIRST_WAIT_SECONDS = 0.5
_LONGEST_WAIT_SECONDS = 30.0


class Sending:
    """Makes references fit to travel and hands the work over."""

    def __init__(self, storage: AssetStorage, measure: Measure, known: Known | None = None) -> None:
        self._references = References(storage, measure, known)

    async def prepare(self, backend: Backend, work: Work) -> Work:
        """Return the work with references that can travel; nothing that costs is sent yet."""
        return replace(work, task=await self._references.ready(work, backend.take_in))

    async def send(self, backend: Backend, work: Work) -> Accepted | Made:
        """Return how the work is found again, or the result where the vendor answers with it.

        Raises UnknownOutcome when the answer was lost, any other ServiceError when it was refused
        or could not be delivered in several tries.
        """
        again = AsyncRetrying(
            retry=retry_if_exception(_worth_a_wait),
            wait=_pause,
            stop=stop_after_attempt(_TRIES),
            reraise=True,
        )
        return await again(backend.submit, work)


def _worth_a_wait(error: BaseException) -> bool:
    """Whether nothing was bought, and the vendor does not ask for far too long a wait."""
    if not isinstance(error, Unavailable | RateLimited):
        return False
    return (error.retry_after or 0.0) <= _LONGEST_WAIT_SECONDS


def _pause(state: RetryCallState) -> float:
    """Return how many seconds to wait: ever longer, and no less than the vendor asked for."""
    error = state.outcome.exception() if state.outcome else None
    asked = error.retry_after if isinstance(error, Unavailable | RateLimited) else None
    return max(wait_exponential(multiplier=_FIRST_WAIT_SECONDS)(state), asked or 0.0)
