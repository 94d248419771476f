from collections.abc import Sequence
from datetime import datetime

from services.generator.domain.callbacks import Callback
from services.generator.worker.keeper import Keeper
from tests.fakes.generator_parts import START, Clock, MemoryLedger, entry
from tests.fakes.waiting import until


class Machine:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self.cancelled: list[str] = []
        self.woken: list[str] = []

    def start(self, row) -> None:
        self.started.append(row.generation.id)

    def cancel_all(self, identifiers) -> None:
        self.cancelled += identifiers

    def wake(self, identifiers) -> None:
        self.woken += identifiers


class FlakyLedger(MemoryLedger):
    """Is away for the next so many heartbeats."""

    troubles = 0

    async def heartbeat(self, owner: str, *, now: datetime) -> Sequence[str]:
        if self.troubles:
            self.troubles -= 1
            raise ConnectionError
        return await super().heartbeat(owner, now=now)


def keeper(ledger, machine, clock, *, owner: str = "me/2") -> Keeper:
    return Keeper(ledger, machine, owner=owner, every=0.02, lease=6, now=clock)


async def test_rows_of_a_silent_replica_are_taken_over_after_its_lease() -> None:
    ledger, machine, clock = MemoryLedger(), Machine(), Clock()
    await ledger.heartbeat("other/1", now=clock())
    await ledger.open(entry(), "other/1")
    mine = keeper(ledger, machine, clock)
    clock.advance(seconds=5)
    await mine.beat()
    assert machine.started == []
    clock.advance(seconds=2)
    await mine.beat()
    assert machine.started == ["g1"]


async def test_an_earlier_life_is_succeeded_at_once() -> None:
    ledger, machine, clock = MemoryLedger(), Machine(), Clock()
    await ledger.heartbeat("me/1", now=clock())
    await ledger.open(entry(), "me/1")
    async with keeper(ledger, machine, clock).keeping("me"):
        assert machine.started == ["g1"]


async def test_cancels_by_other_replicas_are_heard_and_beats_survive_trouble() -> None:
    ledger, machine, clock = FlakyLedger(), Machine(), Clock()
    await ledger.open(entry(), "me/2")
    async with keeper(ledger, machine, clock).keeping(""):
        ledger.troubles = 2
        await ledger.save(entry().generation.cancelled(at=START))
        await until(lambda: machine.cancelled)
    assert ledger.troubles == 0
    assert (await ledger.heartbeat("me/2", now=START)) == ["g1"]


async def test_a_callback_that_another_replica_took_in_is_heard_of_once() -> None:
    ledger, machine, clock = MemoryLedger(), Machine(), Clock()
    await ledger.open(entry(), "me/2")
    await ledger.note("g1", Callback(message="m1"), now=clock())
    mine = keeper(ledger, machine, clock)
    await mine.beat()
    await mine.beat()
    assert machine.woken == ["g1"]
