"""Takes work out of the engine's queues: at once when somebody tells of some, else now and then.

The engine looks into each queue ten times a second to be as quick, which is half of what a suite
costs that has nothing to do. Its loop is used as it is; only what it waits on is ours.
"""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from dbos import DBOS, Queue
from dbos._dbos import _get_dbos_instance
from dbos._queue import queue_worker_thread
from typing_extensions import override

from services.common.telemetry import get_logger

# Between two looks into one queue, however often it is told of work.
REST_SECONDS = 0.1
# A look waits for the database, and the end of the process not for ever for a look.
STOP_SECONDS = 10
# A loop that has given up begins again so much later.
AGAIN_SECONDS = 1.0

_log = get_logger(__name__)


class Bell(threading.Event):
    """What a queue's loop waits on: set, it ends the loop; rung, it makes it look at once."""

    def __init__(self, rest: float = REST_SECONDS) -> None:
        """A wait lasts at least `rest` seconds after the one before, however often it is rung."""
        super().__init__()
        self._rest = rest
        self._rung = threading.Event()
        self._looked = -rest

    def ring(self) -> None:
        """Tell the loop that there may be work; from any thread, never waits."""
        self._rung.set()

    @override
    def set(self) -> None:
        """End the loop."""
        super().set()
        self._rung.set()

    @override
    def wait(self, timeout: float | None = None) -> bool:
        """Return when rung, when set, or after `timeout` seconds; tells whether it is set."""
        if not self.is_set():
            self._rung.wait(timeout)
        early = self._looked + self._rest - time.monotonic()
        if early > 0:
            super().wait(early)
        self._rung.clear()
        self._looked = time.monotonic()
        return self.is_set()


class Bells:
    """The bells of all queues of a process."""

    def __init__(self) -> None:
        """Start without any."""
        self._bells: list[Bell] = []

    def ring(self) -> None:
        """Something happened in the deployment: whoever takes work may find some."""
        for bell in self._bells:
            bell.ring()

    def ring_soon(self) -> None:
        """A workflow is about to end, which makes room for another. From the running loop only."""
        asyncio.get_running_loop().call_later(REST_SECONDS, self.ring)

    @asynccontextmanager
    async def taking(self, queues: Sequence[Queue]) -> AsyncIterator[None]:
        """Take work out of the queues while the block runs; a look under way at its end ends."""
        engine = _get_dbos_instance()
        bells = [Bell() for _ in queues]
        threads = [
            threading.Thread(target=_take, args=(bell, engine, queue), daemon=True)
            for bell, queue in zip(bells, queues, strict=True)
        ]
        self._bells = bells
        self.ring()  # what an earlier life left is taken at once
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._bells = []
            for bell in bells:
                bell.set()
            for thread in threads:
                await asyncio.to_thread(thread.join, STOP_SECONDS)


def _take(bell: Bell, engine: DBOS, queue: Queue) -> None:
    """The engine's loop, begun again where it gives up: its queue's row is gone, or it broke."""
    while not bell.is_set():
        try:
            queue_worker_thread(bell, engine, queue)
        except Exception:
            _log.exception("queue_failed", queue=queue.name)
        bell.wait(AGAIN_SECONDS)
