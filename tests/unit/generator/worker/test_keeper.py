import asyncio

from services.generator.domain.generation import State
from services.generator.worker.keeper import Keeper
from tests.fakes.generator_parts import START, Clock, MemoryLedger, entry


class Machine:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self.cancelled: list[str] = []

    def start(self, row) -> None:
        self.started.append(row.generation.id)

    def cancel_all(self, identifiers) -> None:
        self.cancelled += identifiers


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
    ledger, machine, clock = MemoryLedger(), Machine(), Clock()
    await ledger.open(entry(), "me/2")
    beat, troubles = ledger.heartbeat, [2]

    async def flaky(owner, *, now):
        if troubles[0] and machine.started == ["begun"]:
            troubles[0] -= 1
            raise ConnectionError
        return await beat(owner, now=now)

    ledger.heartbeat = flaky
    async with keeper(ledger, machine, clock).keeping(""):
        machine.started.append("begun")
        await ledger.save(entry().generation.cancelled(at=START))
        async with asyncio.timeout(2):
            while not machine.cancelled:
                await asyncio.sleep(0.01)
    assert troubles == [0]
    assert (await ledger.load("g1")).generation.state is State.CANCELLED
