"""Sends one piece of work, once: again only where it provably never arrived or was turned away."""

import asyncio
from dataclasses import replace

from services.common.errors import RateLimited, ServiceError, Unavailable
from services.generator.domain.ports import (
    Accepted,
    Backend,
    Made,
    Work,
)
from services.generator.domain.storage_port import AssetStorage
from services.generator.usecases.references import References

_TRIES = 4
_FIRST_WAIT_SECONDS = 0.5
_LONGEST_WAIT_SECONDS = 30.0


class Sending:
    """Makes references fit to travel and hands the work over."""

    def __init__(self, storage: AssetStorage) -> None:
        self._references = References(storage)

    async def prepare(self, work: Work) -> Work:
        """Return the work with references that can travel; nothing is sent to the vendor yet."""
        return replace(work, task=await self._references.ready(work))

    async def send(self, backend: Backend, work: Work) -> Accepted | Made:
        """Return how the work is found again, or the result where the vendor answers with it.

        Raises UnknownOutcome when the answer was lost, any other ServiceError when it was refused
        or could not be delivered in several tries.
        """
        wait = _FIRST_WAIT_SECONDS
        for _ in range(_TRIES - 1):
            try:
                return await backend.submit(work)
            except (Unavailable, RateLimited) as error:
                await asyncio.sleep(_pause(error, wait))
                wait *= 2
        return await backend.submit(work)


def _pause(error: ServiceError, wait: float) -> float:
    """Return how long to wait: what the vendor asked for counts; far too long is not worth it."""
    asked = error.retry_after
    if asked is not None and asked > _LONGEST_WAIT_SECONDS:
        raise error
    return wait if asked is None else max(wait, asked)
