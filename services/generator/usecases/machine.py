"""Every generation that this process drives: a task while there is something to do, else a row."""

import asyncio
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from services.common.background import asked_to_stop
from services.generator.domain.generation import Generation
from services.generator.domain.ports import Entry
from services.generator.usecases.drive import Drive
from services.generator.usecases.means import Means
from services.generator.usecases.wheel import Wheel

if TYPE_CHECKING:
    from services.generator.usecases.looking import Vigil

Report = Callable[[Generation, BaseException], None]

_PAUSES_SECONDS = (1.0, 5.0, 20.0, 60.0)


class Machine:
    """Starts drives, has them look again in time, passes cancels on, and lets go at the end.

    At most `rate` looks a second are made. A drive that broke, be it on a database that is away, on
    a defect or by a cancel that nobody has asked for, is reported and goes on after a pause from
    where its row stands.
    """

    def __init__(self, means: Means, report: Report, *, rate: float = 50.0) -> None:
        self._means = means
        self._report = report
        self._drives: dict[str, Drive] = {}
        self._waiting: dict[str, tuple[Entry, Vigil]] = {}
        self._wheel = Wheel(rate, self._come_back)
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, entry: Entry) -> None:
        """Drive this generation, unless it is being driven already."""
        identifier = entry.generation.id
        if identifier in self._drives or identifier in self._waiting:
            return
        self._means.books.hub.begin(entry.generation)
        self._begin(Drive(entry, self._means))

    def cancelled(self, generation: Generation) -> None:
        """Tell the drive of a generation that was cancelled."""
        self.cancel_all([generation.id])

    def cancel_all(self, identifiers: Iterable[str]) -> None:
        """Tell the drives of generations that were cancelled, here or by another replica."""
        for identifier in identifiers:
            if identifier in self._waiting:
                self._wheel.take(identifier)
                self._come_back(identifier)
            if identifier in self._drives:
                self._drives[identifier].cancel()

    def wake(self, identifiers: Iterable[str]) -> None:
        """Tell the drives of generations that their vendor has called back."""
        for identifier in identifiers:
            self._wheel.hurry(identifier)
            if identifier in self._drives:
                self._drives[identifier].wake()

    def generations(self) -> list[Generation]:
        """Return the states of all generations that are being driven."""
        waiting = [entry.generation for entry, _ in self._waiting.values()]
        return [drive.generation for drive in self._drives.values()] + waiting

    async def close(self, grace: float) -> None:
        """Let calls whose answer must not be lost finish, then let go of everything."""
        self._wheel.stop()
        end = asyncio.get_running_loop().time() + grace
        while any(drive.sending for drive in self._drives.values()):
            left = end - asyncio.get_running_loop().time()
            if left <= 0:
                break
            await asyncio.sleep(min(0.05, left))
        self._wheel.stop()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        self._wheel.stop()

    def _begin(self, drive: Drive) -> None:
        generation = drive.generation
        self._drives[generation.id] = drive
        task = asyncio.create_task(self._drive(generation.id), name=generation.name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _come_back(self, identifier: str) -> None:
        entry, vigil = self._waiting.pop(identifier)
        self._begin(Drive(entry, self._means, vigil))

    async def _drive(self, identifier: str) -> None:
        try:
            breaks = 0
            while not await self._ran(identifier):
                pause = _PAUSES_SECONDS[min(breaks, len(_PAUSES_SECONDS) - 1)]
                await asyncio.sleep(pause)
                breaks += 1
        finally:
            drive = self._drives.pop(identifier)
            if drive.vigil is None:
                self._means.books.hub.end(identifier)
            else:
                self._waiting[identifier] = (drive.entry, drive.vigil)
                self._wheel.put(identifier, drive.vigil.seconds)

    async def _ran(self, identifier: str) -> bool:
        """Run the drive; False when it broke and a new one stands ready to go on."""
        drive = self._drives[identifier]
        try:
            if drive.broken:
                entry = await self._means.books.ledger.load(identifier)
                if entry is None:
                    return True
                drive = self._drives[identifier] = drive.again(entry)
            await drive.run()
        except (Exception, asyncio.CancelledError) as error:
            if asked_to_stop():
                raise
            drive.broken = True
            self._report(drive.generation, error)
            return False
        return True
