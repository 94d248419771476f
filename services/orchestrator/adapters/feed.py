"""Live events for watchers: one subscription to the bus per process, fanned out by job."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from services.orchestrator.domain.ports import HeardEvent, Subscription

# A watcher that is this far behind reads the rest from the database.
BACKLOG = 256


class Follower:
    """`domain.ports.Subscription`: a queue that may lose events, and then says so."""

    def __init__(self) -> None:
        """Start empty."""
        self._queue: asyncio.Queue[HeardEvent] = asyncio.Queue(BACKLOG)

    async def next(self, wait_seconds: float) -> HeardEvent | None:
        """The next event; None after a while, after a loss, or when the bus was away."""
        try:
            async with asyncio.timeout(wait_seconds):
                return await self._queue.get()
        except TimeoutError:
            return None

    def offer(self, event: HeardEvent) -> None:
        """Hand an event over; a full queue drops its oldest, and the gap will be seen."""
        if self._queue.full():
            self._queue.get_nowait()
        self._queue.put_nowait(event)


class JobFeed:
    """`domain.ports.EventFeed`."""

    def __init__(self, heard: Callable[[], None] = lambda: None) -> None:
        """Start without followers; `heard` is called at every event, followed or not."""
        self.heard = heard
        self._followers: dict[str, set[Follower]] = defaultdict(set)

    @contextmanager
    def follow(self, job_id: str) -> Iterator[Subscription]:
        """Events of one job while the block runs."""
        follower = Follower()
        self._followers[job_id].add(follower)
        try:
            yield follower
        finally:
            self._followers[job_id].discard(follower)
            if not self._followers[job_id]:
                del self._followers[job_id]

    def wanted(self, job_id: str) -> bool:
        """Whether anybody follows this job; others need not even be decoded."""
        return job_id in self._followers

    def offer(self, event: HeardEvent) -> None:
        """An event came in."""
        for follower in self._followers.get(event.job_id, ()):
            follower.offer(event)
