"""A job at a vendor is a row that waits, and a task only while somebody looks."""

import asyncio
from datetime import datetime, timedelta

import pytest

from services.common.errors import Moderated, ProviderRefused, RateLimited, Unavailable
from services.generator.domain.facts import Failure, Progress
from services.generator.domain.generation import State
from services.generator.domain.ports import Lost, Update, Work
from services.generator.usecases.machine import Machine
from services.generator.usecases.patience import Patience
from tests.fakes.generator_parts import START, ScriptedBackend, entry, made
from tests.fakes.waiting import until
from tests.unit.generator.usecases.conftest import Plant

FAR = 3600.0
LATE = START + timedelta(hours=1)


class AskedBackend(ScriptedBackend):
    """A vendor that is asked how a job stands; `pauses` are given one after the other."""

    def __init__(self, *looks: Update | Exception, pauses: tuple[float, ...] = (0.01,)) -> None:
        super().__init__()
        self.looks = list(looks)  # type: ignore[arg-type]  # any error may be raised
        self.pauses = list(pauses)
        self.troubles: list[tuple[int, float | None]] = []
        self.looked = 0
        self.held: asyncio.Event | None = None

    def pause(
        self, work: Work, job: str, trouble: int = 0, asked: float | None = None
    ) -> float | None:
        if trouble:
            self.troubles.append((trouble, asked))
        return self.pauses.pop(0) if len(self.pauses) > 1 else self.pauses[0]

    async def look(self, work: Work, job: str) -> Update:
        assert job == f"job-{work.id}"
        self.looked += 1
        if self.held is not None:
            await self.held.wait()
        return await super().look(work, job)


async def started(plant: Plant, backend: AskedBackend, *, deadline: datetime = LATE) -> Machine:
    plant.backend = backend
    machine = plant.machine()
    opened, _ = await plant.ledger.open(entry(deadline=deadline), "local/1")
    machine.start(opened)
    return machine


async def state(plant: Plant) -> State:
    return (await plant.present(entry())).state


def idle(machine: Machine) -> bool:
    return not machine.generations()


async def test_a_job_is_looked_at_until_it_is_done_and_no_task_waits_for_it(plant) -> None:
    steps = [Progress(percent=percent, source="provider") for percent in (10, 40, 70)]
    backend = AskedBackend(*steps, made(), pauses=(0.1, 0.01))
    machine = await started(plant, backend)
    await until(lambda: bool(machine._waiting))
    assert not machine._tasks
    machine.start(entry())  # it is driven already
    await until(lambda: idle(machine))
    assert (await state(plant), backend.looked, len(backend.submitted)) == (State.SUCCEEDED, 4, 1)
    told = [g.progress for g in plant.ledger.history if g.state is State.RUNNING]
    assert told == [0, 10, 40, 70]
    assert plant.hub.driven("g1") is None


async def test_what_waits_is_still_told_to_watchers_without_the_database(plant) -> None:
    machine = await started(plant, AskedBackend(pauses=(FAR,)))
    await until(lambda: bool(machine._waiting))
    assert plant.hub.driven("g1").state is State.RUNNING
    assert [generation.state for generation in machine.generations()] == [State.RUNNING]
    await machine.close(1)
    assert not machine._tasks


async def test_a_callback_brings_the_look_forward(plant) -> None:
    backend = AskedBackend(made(), pauses=(FAR,))
    machine = await started(plant, backend)
    await until(lambda: bool(machine._waiting))
    machine.wake(["g1", "nobody"])
    await until(lambda: idle(machine))
    assert (await state(plant), backend.looked) == (State.SUCCEEDED, 1)


async def test_a_callback_in_the_middle_of_a_look_leads_to_another_one(plant) -> None:
    backend = AskedBackend(Progress(percent=5), made(), pauses=(0.01, FAR))
    backend.held = asyncio.Event()
    machine = await started(plant, backend)
    await until(lambda: backend.looked == 1)
    machine.wake(["g1"])
    backend.held.set()
    await until(lambda: idle(machine))
    assert (await state(plant), backend.looked) == (State.SUCCEEDED, 2)


@pytest.mark.parametrize("looking", [False, True], ids=["between looks", "during a look"])
async def test_a_cancel_stops_the_job_at_once(plant, looking: bool) -> None:
    plant.waits = Patience(look_ups=(0.01,), second_looks=())
    backend = AskedBackend(pauses=(0.01 if looking else FAR,))
    backend.held = asyncio.Event() if looking else None
    backend.scripts = [[Lost(Failure.of(Unavailable("stopped")), stopped=True)]]
    machine = await started(plant, backend)
    await until(lambda: backend.looked == 1 if looking else bool(machine._waiting))
    cancelled = (await plant.present(entry())).cancelled(at=START)
    await plant.ledger.save(cancelled)
    machine.cancelled(cancelled)
    await until(lambda: idle(machine))
    assert (await state(plant), backend.cancelled) == (State.CANCELLED, ["job-g1"])


async def test_trouble_while_looking_ends_nothing_and_is_counted(plant) -> None:
    trouble = [Unavailable("away"), RateLimited("slowly", 7.0), ProviderRefused("the key?")]
    backend = AskedBackend(*trouble, Progress(percent=5), Unavailable("away"), made())
    machine = await started(plant, backend)
    await until(lambda: idle(machine))
    assert await state(plant) is State.SUCCEEDED
    assert backend.troubles == [(1, None), (2, 7.0), (3, None), (1, None)]


async def test_a_failure_ends_it(plant) -> None:
    plant.waits = Patience(second_looks=())
    lost = Lost(Failure.of(Moderated("not this")))
    machine = await started(plant, AskedBackend(Progress(percent=5), lost))
    await until(lambda: idle(machine))
    present = await plant.present(entry())
    assert (present.state, present.failure.message) == (State.FAILED, "not this")


async def test_the_deadline_is_kept_however_long_the_pause(plant) -> None:
    plant.waits = Patience(second_looks=())
    soon = START + timedelta(seconds=0.3)
    backend = AskedBackend(Progress(percent=5), Progress(percent=5), pauses=(FAR,))
    machine = await started(plant, backend, deadline=soon)
    await until(lambda: idle(machine))
    present = await plant.present(entry())
    assert (present.state, present.failure.reason) == (State.FAILED, "DEADLINE_EXCEEDED")
    assert backend.cancelled == ["job-g1"]


async def test_a_result_that_lies_here_is_taken_without_a_pause(plant) -> None:
    machine = await started(plant, AskedBackend(made(), pauses=(0.0,)))
    await until(lambda: idle(machine))
    assert await state(plant) is State.SUCCEEDED


async def test_a_look_that_broke_goes_on_from_the_row(plant, monkeypatch) -> None:
    monkeypatch.setattr("services.generator.usecases.machine._PAUSES_SECONDS", (0.01,))
    backend = AskedBackend(made())
    backend.looks.insert(0, RuntimeError("a defect"))  # type: ignore[arg-type]  # no service error

    async def look(work: Work, job: str) -> Update:
        step = backend.looks.pop(0)
        if isinstance(step, Exception):
            raise step
        return step

    backend.look = look  # type: ignore[method-assign]  # breaks once
    machine = await started(plant, backend)
    await until(lambda: idle(machine))
    assert [str(error) for error in plant.broken] == ["a defect"]
    assert await state(plant) is State.SUCCEEDED
