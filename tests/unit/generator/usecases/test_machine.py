import asyncio

from services.generator.domain.generation import State
from tests.fakes.generator_parts import START, entry
from tests.fakes.waiting import until


async def until_idle(machine) -> None:
    await until(lambda: not machine.generations())


async def test_a_generation_is_driven_once_however_often_it_is_started(plant) -> None:
    machine = plant.machine()
    opened, _ = await plant.ledger.open(entry(), "local/1")
    machine.start(opened)
    machine.start(opened)
    await until_idle(machine)
    assert len(plant.backend.submitted) == 1
    assert (await plant.present(entry())).state is State.SUCCEEDED


async def test_a_drive_that_broke_goes_on_from_its_row(plant, monkeypatch) -> None:
    monkeypatch.setattr("services.generator.usecases.machine._PAUSES_SECONDS", (0.01,))
    save, breaks = plant.ledger.save, [2]

    async def flaky(generation, **kwargs):
        if generation.state is State.STORING and breaks[0]:
            breaks[0] -= 1
            raise ConnectionError("the database is away")
        return await save(generation, **kwargs)

    plant.ledger.save = flaky
    machine = plant.machine()
    opened, _ = await plant.ledger.open(entry(), "local/1")
    machine.start(opened)
    await until_idle(machine)
    assert [str(error) for error in plant.broken] == ["the database is away"] * 2
    assert (await plant.present(entry())).state is State.SUCCEEDED
    assert len(plant.backend.submitted) == 1


async def test_closing_waits_for_a_call_whose_answer_must_not_be_lost(plant) -> None:
    plant.backend.hold_submit = asyncio.Event()
    plant.backend.hold = asyncio.Event()
    machine = plant.machine()
    opened, _ = await plant.ledger.open(entry(), "local/1")
    machine.start(opened)
    await until(lambda: bool(plant.backend.submitted))
    closing = asyncio.create_task(machine.close(5))
    await asyncio.sleep(0.1)
    assert not closing.done()
    plant.backend.hold_submit.set()
    await closing
    present = await plant.present(entry())
    assert (present.state, present.job) == (State.RUNNING, "job-g1")


async def test_a_cancel_reaches_the_drive(plant) -> None:
    plant.backend.hold = asyncio.Event()
    machine = plant.machine()
    opened, _ = await plant.ledger.open(entry(), "local/1")
    machine.start(opened)
    await until(lambda: plant.ledger.history[-1].state is State.RUNNING)
    cancelled = (await plant.present(entry())).cancelled(at=START)
    await plant.ledger.save(cancelled)
    machine.cancelled(cancelled)
    await until(lambda: plant.backend.cancelled == ["job-g1"])
    plant.backend.hold.set()
    await until_idle(machine)
