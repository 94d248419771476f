"""A result that cannot be stored is fetched again, and ends: it is never bought again."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from services.common.errors import Aborted, DataLoss, RateLimited, ServiceError, Unavailable
from services.generator.domain.facts import Cost
from services.generator.domain.generation import State
from services.generator.domain.ports import Accepted, Content, Made, Work
from tests.fakes.generator_parts import CLIP, ScriptedBackend, entry
from tests.fakes.waiting import until
from tests.unit.generator.usecases.conftest import Plant

PRICE = Cost(micros=250_000, source="catalogue")


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.generator.usecases.storing._FIRST_WAIT_SECONDS", 0.01)
    monkeypatch.setattr("services.generator.usecases.storing._LONGEST_WAIT_SECONDS", 0.05)
    monkeypatch.setattr("services.generator.usecases.machine._PAUSES_SECONDS", (0.01,))


class Breaking:
    """A result that breaks off with each of these in turn, and is whole after that."""

    def __init__(self, *breaks: BaseException) -> None:
        self.openings = 0
        self._breaks = list(breaks)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Content]:
        self.openings += 1
        yield Content(content_type="video/mp4", chunks=self._chunks())

    async def _chunks(self) -> AsyncIterator[bytes]:
        yield CLIP[:100]
        if self._breaks:
            raise self._breaks.pop(0)
        yield CLIP[100:]


def plant_of(result: Breaking, **kwargs: float) -> Plant:
    backend = ScriptedBackend([Made(opened=result.opened)])
    return Plant(backend=backend, **kwargs)  # type: ignore[arg-type]  # fields by name


async def driven(plant: Plant) -> State:
    """Let a machine drive a new generation to its end, and return that."""
    machine = plant.machine()
    opened, _ = await plant.ledger.open(entry(), "local/1")
    machine.start(opened)
    await until(lambda: not machine.generations())
    return (await plant.present(entry())).state


@pytest.mark.parametrize(
    "error", [Unavailable("too slow"), RateLimited("later"), Aborted("was given up meanwhile")]
)
async def test_what_breaks_off_is_fetched_again_and_bought_once(error: ServiceError) -> None:
    result = Breaking(error, error)
    plant = plant_of(result)
    assert await driven(plant) is State.SUCCEEDED
    assert plant.storage.assets["g1"] == CLIP
    assert (result.openings, len(plant.backend.submitted), plant.broken) == (3, 1, [])


async def test_a_cancel_that_nobody_asked_for_breaks_a_drive_and_ends_none() -> None:
    result = Breaking(asyncio.CancelledError())
    plant = plant_of(result)
    assert await driven(plant) is State.SUCCEEDED
    assert [type(error) for error in plant.broken] == [asyncio.CancelledError]
    assert (result.openings, len(plant.backend.submitted)) == (2, 1)


@pytest.mark.parametrize("defect", [ValueError("of ours"), asyncio.CancelledError()])
async def test_what_breaks_for_ever_ends_with_its_cost_when_time_and_patience_are_over(
    defect: BaseException,
) -> None:
    result = Breaking(*[defect] * 10_000)
    plant = plant_of(result, patience=100.0)
    machine = plant.machine()
    opened, _ = await plant.ledger.open(entry(), "local/1")
    machine.start(opened)
    await until(lambda: len(plant.broken) >= 2)
    plant.clock.advance(hours=1, seconds=99)
    before = len(plant.broken)
    await until(lambda: len(plant.broken) >= before + 2)
    plant.clock.advance(seconds=1)
    await until(lambda: not machine.generations())
    done = await plant.present(entry())
    assert done.failure is not None
    assert (done.state, done.failure.reason, done.cost) == (State.FAILED, "INTERNAL", PRICE)
    assert type(defect).__name__ in done.failure.message
    assert len(plant.backend.submitted) == 1


async def test_a_paid_call_that_a_library_gave_up_is_looked_up_and_not_made_again() -> None:
    plant = plant_of(Breaking())
    submit = plant.backend.submit

    async def given_up(work: Work) -> Accepted | Made:
        await submit(work)
        raise asyncio.CancelledError

    plant.backend.submit = given_up  # type: ignore[method-assign]  # whose library gives up
    plant.backend.found = [Accepted(job="found")]
    assert await driven(plant) is State.SUCCEEDED
    assert [type(error) for error in plant.broken] == [asyncio.CancelledError]
    assert (len(plant.backend.submitted), (await plant.present(entry())).job) == (1, "found")


async def test_damage_is_not_fetched_again() -> None:
    result = Breaking(DataLoss("bigger than allowed"))
    plant = plant_of(result)
    assert await driven(plant) is State.FAILED
    assert result.openings == 1
    assert (await plant.present(entry())).cost == PRICE


async def test_a_machine_that_closes_stops_what_is_being_stored() -> None:
    plant = plant_of(Breaking())
    arrived = asyncio.Event()

    async def hangs(*_: object) -> None:
        arrived.set()
        await asyncio.Event().wait()

    plant.storage.upload = hangs  # type: ignore[method-assign,assignment]  # one that hangs
    machine = plant.machine()
    opened, _ = await plant.ledger.open(entry(), "local/1")
    machine.start(opened)
    await arrived.wait()
    await machine.close(5)
    assert (await plant.present(entry())).state is State.STORING, "the next life stores it"
    assert (plant.broken, machine.generations()) == ([], [])
