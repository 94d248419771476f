"""Tells watchers in this process what became of a generation, without asking the database."""

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from services.generator.domain.generation import Generation


class Watcher:
    """Holds the newest state of one generation until it is looked at; older ones are dropped."""

    def __init__(self) -> None:
        self.newest: Generation | None = None
        self._changed = asyncio.Event()

    def offer(self, generation: Generation) -> None:
        """Take a newer state in."""
        if self.newest is None or generation.sequence > self.newest.sequence:
            self.newest = generation
        self._changed.set()

    def wake(self) -> None:
        """Let `wait` return although nothing is new."""
        self._changed.set()

    async def wait(self, seconds: float) -> Generation | None:
        """Return the newest state once there is one, or None after so many seconds."""
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            return None
        self._changed.clear()
        return self.newest


class Hub:
    """Watchers by generation id."""

    def __init__(self) -> None:
        self._watchers: defaultdict[str, set[Watcher]] = defaultdict(set)
        self._driven: dict[str, Generation] = {}
        self.draining = False

    def publish(self, generation: Generation) -> None:
        """Tell whoever watches."""
        if generation.id in self._driven:
            self._driven[generation.id] = generation
        for watcher in self._watchers.get(generation.id, ()):
            watcher.offer(generation)

    @contextmanager
    def watching(self, identifier: str) -> Iterator[Watcher]:
        """Be told of every change from now on."""
        watcher = Watcher()
        self._watchers[identifier].add(watcher)
        try:
            yield watcher
        finally:
            self._watchers[identifier].discard(watcher)
            if not self._watchers[identifier]:
                del self._watchers[identifier]

    def begin(self, generation: Generation) -> None:
        """Mark a generation as one whose every change passes through this hub from now on."""
        self._driven[generation.id] = generation

    def end(self, identifier: str) -> None:
        """Take the mark of `begin` away."""
        self._driven.pop(identifier, None)

    def driven(self, identifier: str) -> Generation | None:
        """Return the present state of a generation whose changes pass through this hub."""
        return self._driven.get(identifier)

    def drain(self) -> None:
        """Let every watch end: this process is about to."""
        self.draining = True
        for watchers in self._watchers.values():
            for watcher in watchers:
                watcher.wake()
