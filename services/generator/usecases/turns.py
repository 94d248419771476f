"""Who may send next where only so many jobs may be under way: tenants take turns.

The limit itself is kept by the ledger, for all replicas together; here the waiting of one process
is put in order, so that one tenant's thousand jobs do not stand before another's first.
"""

import asyncio
from collections import OrderedDict, defaultdict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

_LOOK_SECONDS = 0.5


@dataclass(slots=True)
class _Line:
    busy: bool = False
    waiting: OrderedDict[str, deque[asyncio.Future[None]]] = field(default_factory=OrderedDict)
    left: asyncio.Event = field(default_factory=asyncio.Event)

    async def enter(self, tenant: str) -> None:
        if not self.busy:
            self.busy = True
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.waiting.setdefault(tenant, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.exit()  # it was our turn: pass it on
            raise

    def exit(self) -> None:
        while self.waiting:
            tenant, turns = self.waiting.popitem(last=False)
            turn = turns.popleft()
            if turns:
                self.waiting[tenant] = turns  # to the end of the round
            if not turn.done():
                turn.set_result(None)
                return
        self.busy = False


class Turns:
    """One line per credential."""

    def __init__(self) -> None:
        self._lines: defaultdict[str, _Line] = defaultdict(_Line)

    @asynccontextmanager
    async def turn(self, credential: str, tenant: str) -> AsyncIterator[None]:
        """Wait until it is this tenant's turn and nobody else of this process tries."""
        line = self._lines[credential]
        await line.enter(tenant)
        try:
            yield
        finally:
            line.exit()

    async def room(self, credential: str) -> None:
        """Return when a job has left, or after a moment: other replicas' jobs leave unseen."""
        left = self._lines[credential].left
        with suppress(TimeoutError):
            async with asyncio.timeout(_LOOK_SECONDS):
                await left.wait()
        left.clear()  # not before: who left while room was looked for counts

    def leave(self, credential: str) -> None:
        """Say that a job is no longer under way."""
        if credential in self._lines:
            self._lines[credential].left.set()
