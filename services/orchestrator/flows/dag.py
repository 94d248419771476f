"""Runs a graph: every task as soon as what it waits for is done, the most urgent first."""

import asyncio
import heapq
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

# How long to rest before looking whether there is room for a task that waits for it.
LOOK_SECONDS = 1.0


@dataclass(frozen=True, kw_only=True)
class Node:
    """A task to be run; `after` are the ids of those that must be done before."""

    id: str
    after: tuple[str, ...] = ()
    priority: int = 0
    cost: float = 0.5


class Pace(Protocol):
    """How much may run at once, asked again and again."""

    async def width(self) -> int:
        """How many may run now, at least one."""

    async def may_start(self, cost: float) -> bool:
        """Whether a task of this weight may begin beside those that run."""


class GraphRun:
    """One run. `run` makes a task and says whether those behind it may begin.

    There are no barriers between batches. After the first task that says no, nothing else begins;
    what runs is let end. Whatever `run` raises ends the run at once.
    """

    def __init__(
        self, nodes: Sequence[Node], run: Callable[[str], Awaitable[bool]], pace: Pace
    ) -> None:
        """`nodes` in an order in which none comes before what it waits for."""
        self._run = run
        self._pace = pace
        here = {node.id for node in nodes}
        self._missing = {node.id: here.intersection(node.after) for node in nodes}
        self._nodes = {node.id: (-node.priority, at, node) for at, node in enumerate(nodes)}
        self._ready = [self._nodes[i] for i, missing in self._missing.items() if not missing]
        heapq.heapify(self._ready)
        self._running: dict[asyncio.Future[bool], str] = {}

    async def __call__(self) -> None:
        """Run until nothing is left, or a task has said no."""
        try:
            while self._ready or self._running:
                await self._start()
                await self._wait()
        finally:
            for task in self._running:
                task.cancel()
            await asyncio.gather(*self._running, return_exceptions=True)

    async def _start(self) -> None:
        width = await self._pace.width()
        while self._ready and len(self._running) < width:
            node = self._ready[0][2]
            # Where nothing runs something begins, however busy the machine is with other things.
            if self._running and not await self._pace.may_start(node.cost):
                return
            heapq.heappop(self._ready)
            self._running[asyncio.ensure_future(self._run(node.id))] = node.id

    async def _wait(self) -> None:
        timeout = LOOK_SECONDS if self._ready else None
        done, _ = await asyncio.wait(
            self._running, timeout=timeout, return_when=asyncio.FIRST_COMPLETED
        )
        for task in done:
            ended = self._running.pop(task)
            if task.result():
                self._release(ended)
            else:
                self._missing.clear()
                self._ready.clear()

    def _release(self, ended: str) -> None:
        for waiting, missing in self._missing.items():
            if ended in missing:
                missing.discard(ended)
                if not missing:
                    heapq.heappush(self._ready, self._nodes[waiting])
