import asyncio

import pytest

from services.generator.domain.generation import State
from services.generator.usecases.patience import Patience
from services.generator.usecases.turns import Turns
from tests.fakes.generator_parts import entry
from tests.fakes.waiting import until


async def test_tenants_take_turns_and_each_tenant_keeps_its_order() -> None:
    turns, served = Turns(), []

    async def one(tenant: str, number: int) -> None:
        async with turns.turn("key", tenant):
            served.append(f"{tenant}{number}")
            await asyncio.sleep(0)

    names = [("a", 1), ("a", 2), ("a", 3), ("a", 4), ("b", 1), ("b", 2), ("c", 1)]
    await asyncio.gather(*(one(tenant, number) for tenant, number in names))
    assert served == ["a1", "a2", "b1", "c1", "a3", "b2", "a4"]


async def test_one_who_gives_up_does_not_block_the_line() -> None:
    turns = Turns()

    async def wait(tenant: str) -> None:
        async with turns.turn("key", tenant):
            pass

    async with turns.turn("key", "a"):
        waiting = [asyncio.create_task(wait(tenant)) for tenant in "bcd"]
        await asyncio.sleep(0)
        waiting[0].cancel()
        await asyncio.sleep(0)
    waiting[1].cancel()  # its turn has just come
    async with asyncio.timeout(30):
        await waiting[2]
        async with turns.turn("key", "e"):
            pass


async def test_a_job_that_leaves_is_heard_of_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.generator.usecases.turns._LOOK_SECONDS", 3600)
    turns = Turns()
    room = asyncio.create_task(turns.room("key"))
    await asyncio.sleep(0)
    turns.leave("key")
    async with asyncio.timeout(30):
        await room


async def test_a_full_credential_keeps_work_pending_and_sends_it_later(plant) -> None:
    plant.maximum = 1
    plant.backend.hold = asyncio.Event()
    machine = plant.machine()
    for name in ("g1", "g2"):
        opened, _ = await plant.ledger.open(entry(name), "local/1")
        machine.start(opened)

    async def states() -> list[State]:
        return [(await plant.present(entry(name))).state for name in ("g1", "g2")]

    async def one_runs() -> bool:
        return await states() == [State.RUNNING, State.PENDING]

    await until(one_runs)
    await asyncio.sleep(0.05)  # time enough for the other to begin, were it allowed
    assert await one_runs()
    plant.backend.hold.set()
    await until(lambda: not machine.generations())
    assert (await plant.present(entry("g2"))).state is State.SUCCEEDED


@pytest.mark.parametrize("ending", ["too long", "cancelled"])
async def test_waiting_for_a_turn_has_an_end(plant, ending: str) -> None:
    plant.maximum, plant.waits = 1, Patience(queue=0.1 if ending == "too long" else 5)
    plant.backend.hold = asyncio.Event()
    machine = plant.machine()
    for name in ("g1", "g2"):
        opened, _ = await plant.ledger.open(entry(name), "local/1")
        machine.start(opened)
    await asyncio.sleep(0.05)
    if ending == "cancelled":
        cancelled = (await plant.present(entry("g2"))).cancelled(at=plant.clock())
        assert await plant.ledger.save(cancelled)
        machine.cancelled(cancelled)

    async def over() -> bool:
        return bool((await plant.present(entry("g2"))).state.terminal)

    await until(over)
    await asyncio.sleep(0.05)
    present = await plant.present(entry("g2"))
    if ending == "too long":
        assert present.failure is not None
        assert (present.state, present.failure.reason) == (State.FAILED, "RATE_LIMITED")
        assert present.failure.retryable
    assert present.submissions == 0
    assert len(plant.backend.submitted) == 1
    await machine.close(0)
