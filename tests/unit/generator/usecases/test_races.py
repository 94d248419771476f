"""What happens between two steps: databases that answer late, processes that end, keys that go."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from services.common.errors import NoCredentials, Unavailable
from services.generator.domain.facts import NOTHING, Cost, Failure, Progress
from services.generator.domain.generation import State
from services.generator.domain.ports import Entry
from services.generator.ledger.together import Together
from services.generator.usecases.drive import Drive
from services.generator.usecases.machine import Machine
from services.generator.usecases.patience import Patience
from services.generator.usecases.turns import Turns
from tests.fakes.generator_parts import START, OneBackend, ScriptedBackend, entry, made
from tests.fakes.waiting import until


class PolledBackend(ScriptedBackend):
    """Is looked at every hour, unless it rings or somebody else says so."""

    def pause(self, work, job, trouble=0, asked=None):
        return 3600.0


async def test_a_claim_whose_answer_was_lost_by_the_database_is_sent_all_the_same(plant) -> None:
    plant.maximum = 1
    save_within, losses = plant.ledger.save_within, [1]

    async def forgetful(generation: Any, **kwargs: Any) -> bool | None:
        written: bool | None = await save_within(generation, **kwargs)
        if losses.pop() if losses else 0:
            raise Unavailable("committed, and then away")
        return written

    plant.ledger.save_within = forgetful
    present = await plant.drive(entry())
    assert (present.state, present.submissions) == (State.SUCCEEDED, 1)
    assert len(plant.backend.submitted) == 1


async def test_a_process_that_ends_sends_what_it_has_just_claimed(plant) -> None:
    """Else the row would say for ever that a call may have been made that nobody made."""
    plant.maximum, plant.backend.hold = 1, asyncio.Event()
    save_within, written, answer = plant.ledger.save_within, asyncio.Event(), asyncio.Event()

    async def slow(generation: Any, **kwargs: Any) -> bool | None:
        done: bool | None = await save_within(generation, **kwargs)
        written.set()
        await answer.wait()
        return done

    plant.ledger.save_within = slow
    machine = plant.machine()
    opened, _ = await plant.ledger.open(entry(), "local/1")
    machine.start(opened)
    await written.wait()
    closing = asyncio.create_task(machine.close(30))
    await asyncio.sleep(0.1)
    answer.set()
    await closing
    present = await plant.present(entry())
    assert (present.state, present.job) == (State.RUNNING, "job-g1")
    assert len(plant.backend.submitted) == 1


async def test_a_process_that_ends_does_not_wait_for_who_waits_for_room(plant) -> None:
    plant.maximum, plant.backend.hold = 1, asyncio.Event()
    machine = plant.machine()
    for name in ("g1", "g2"):
        opened, _ = await plant.ledger.open(entry(name), "local/1")
        machine.start(opened)
    await until(lambda: len(plant.backend.submitted) == 1)
    async with asyncio.timeout(30):
        await machine.close(3600)
    assert (await plant.present(entry("g2"))).state is State.PENDING


async def test_a_cancel_in_the_middle_of_a_claim_holds_nobody_up(plant) -> None:
    plant.maximum = 1
    save_within, written = plant.ledger.save_within, asyncio.Event()

    async def cut_off(generation: Any, **kwargs: Any) -> bool | None:
        done: bool | None = await save_within(generation, **kwargs)
        cancelled = generation.cancelled(at=START)
        await plant.ledger.save(cancelled)
        machine.cancelled(cancelled)
        written.set()
        return done

    plant.ledger.save_within = cut_off
    plant.backend.hold_updates = True
    machine = plant.machine()
    opened, _ = await plant.ledger.open(entry(), "local/1")
    machine.start(opened)
    await written.wait()
    async with asyncio.timeout(30):
        await machine.close(3600)
    assert plant.backend.submitted == []
    assert (await plant.present(entry())).cost is None, "nobody bills a call that was not made"


@pytest.mark.parametrize("maximum", [0, 1])
async def test_a_deadline_in_the_middle_of_a_claim_is_no_call_that_may_have_arrived(
    plant, maximum: int
) -> None:
    """The claim is written to its end; the call is not made, and so nothing is unknown."""
    plant.maximum = maximum
    save = plant.ledger.save

    async def slow(generation: Any, **kwargs: Any) -> bool:
        done = bool(await save(generation, **kwargs))
        if generation.state is State.SUBMITTING:
            await asyncio.sleep(0.3)
        return done

    plant.ledger.save = slow
    present = await plant.drive(entry(deadline=START + timedelta(seconds=0.1)))
    assert plant.backend.submitted == []
    assert present.failure is not None
    assert (present.state, present.failure.reason) == (State.FAILED, "DEADLINE_EXCEEDED")
    assert present.cost == NOTHING
    assert plant.ledger.owners["g1"] == ""


def running() -> Entry:
    """A row of a job that was paid for and is under way."""
    sent = entry().generation.submitting(START).accepted("job-g1", "g1", at=START)
    return replace(entry(), generation=sent)


def owned(plant: Any, row: Entry) -> Entry:
    """Put the row into the ledger as ours."""
    plant.ledger.rows["g1"], plant.ledger.owners["g1"] = row, "local/1"
    return row


class Gone(OneBackend):
    """Has no credential any more; `times` says how often."""

    def __init__(self, backend: ScriptedBackend, error: Exception, times: int) -> None:
        super().__init__(backend)
        self.error, self.times = error, times

    async def serving(self, identity: Any, tenant: str) -> ScriptedBackend:
        if self.times:
            self.times -= 1
            raise self.error
        return self.backend


def machine_of(plant: Any, error: Exception, times: int) -> Machine:
    """A machine that cannot reach the vendor so many times."""
    means = replace(plant.means(), backends=Gone(plant.backend, error, times))
    return Machine(means, lambda _, told: plant.broken.append(told))


async def test_a_timeout_of_somebody_elses_is_not_the_deadline(plant, monkeypatch) -> None:
    monkeypatch.setattr("services.generator.usecases.machine._PAUSES_SECONDS", (0.01,))
    save, breaks = plant.ledger.save, [1]

    async def slow(generation: Any, **kwargs: Any) -> bool:
        if generation.state is State.RUNNING and breaks:
            breaks.pop()
            raise TimeoutError
        return bool(await save(generation, **kwargs))

    plant.ledger.save = slow
    plant.backend.scripts = [[Progress(percent=50), made()]]
    machine = plant.machine()
    machine.start(owned(plant, running()))
    await until(lambda: not machine.generations())
    assert [type(error) for error in plant.broken] == [TimeoutError]
    assert (await plant.present(entry())).state is State.SUCCEEDED
    assert plant.backend.cancelled == []


async def test_a_callback_that_comes_while_a_drive_lies_broken_is_not_lost(
    plant, monkeypatch
) -> None:
    monkeypatch.setattr("services.generator.usecases.machine._PAUSES_SECONDS", (0.05,))
    plant.backend = PolledBackend()
    plant.backend.looks = [made()]
    machine = machine_of(plant, ConnectionError(), times=1)
    machine.start(owned(plant, running()))
    await until(lambda: bool(plant.broken))
    machine.wake(["g1"])
    await until(lambda: not machine.generations())
    assert (await plant.present(entry())).state is State.SUCCEEDED


async def test_a_cancel_that_comes_while_a_broken_drive_is_begun_anew_reaches_it(
    plant, monkeypatch
) -> None:
    """It comes while the row is read: the new drive is handed what stood there before."""
    monkeypatch.setattr("services.generator.usecases.machine._PAUSES_SECONDS", (0.01,))
    load = plant.ledger.load

    async def late(identifier: str) -> Entry | None:
        found: Entry | None = await load(identifier)
        plant.ledger.load = load
        assert found is not None
        cancelled = found.generation.cancelled(at=START)
        await plant.ledger.save(cancelled)
        machine.cancelled(cancelled)
        return found

    plant.ledger.load, plant.backend.hold = late, asyncio.Event()
    machine = machine_of(plant, ConnectionError(), times=1)
    machine.start(owned(plant, running()))
    await until(lambda: plant.backend.cancelled == ["job-g1"])
    plant.backend.hold.set()
    await until(lambda: not machine.generations())
    assert (await plant.present(entry())).state is State.CANCELLED


@pytest.mark.parametrize("state", [State.CANCELLED, State.FAILED])
async def test_what_has_ended_is_let_go_when_its_key_is_gone_and_time_is_up(
    plant, state: State
) -> None:
    sent, failure = running().generation, Failure.of(Unavailable("it failed"))
    cost = Cost(micros=7, source="reported")
    ended = (
        sent.cancelled(at=START)
        if state is State.CANCELLED
        else sent.failed(failure, at=START, cost=cost)
    )
    machine = machine_of(plant, NoCredentials("it was taken away"), times=9)
    plant.clock.advance(hours=2)
    machine.start(owned(plant, replace(entry(), generation=ended)))
    await until(lambda: not machine.generations())
    present = await plant.present(entry())
    assert plant.broken == []
    assert plant.ledger.owners["g1"] == ""
    assert present.state is state
    assert present.cost is not None  # what was begun is taken for billed
    assert present.cost.micros == (250_000 if state is State.CANCELLED else 7)


@pytest.mark.parametrize(
    ("state", "ends", "micros"),
    [
        (State.PENDING, State.FAILED, 0),
        (State.RUNNING, State.FAILED, 250_000),  # the vendor bills it, whoever has the key
        (State.SUBMITTING, State.UNKNOWN_OUTCOME, None),
        (State.UNKNOWN_OUTCOME, State.UNKNOWN_OUTCOME, None),
    ],
)
async def test_what_was_sent_costs_what_is_assumed_or_stays_unknown_when_its_key_is_gone(
    plant, state: State, ends: State, micros: int | None
) -> None:
    begun = entry().generation.submitting(START)
    rows = {
        State.PENDING: entry().generation,
        State.RUNNING: running().generation,
        State.SUBMITTING: begun,
        State.UNKNOWN_OUTCOME: begun.unknown(Failure.of(Unavailable("its answer was lost"))),
    }
    machine = machine_of(plant, NoCredentials("it was taken away"), times=9)
    plant.clock.advance(hours=2)
    machine.start(owned(plant, replace(entry(), generation=rows[state])))
    await until(lambda: not machine.generations())
    present = await plant.present(entry())
    assert plant.broken == []
    assert plant.ledger.owners["g1"] == ""
    assert present.state is ends
    assert (present.cost.micros if present.cost else None) == micros


async def test_a_clock_that_is_set_back_does_not_put_off_the_second_look(plant) -> None:
    plant.waits = Patience(second_looks=(0.01,))
    plant.backend.looks = [made()]
    failed = running().generation.failed(Failure.of(Unavailable("it failed")), at=START)
    plant.clock.advance(hours=-9)
    async with asyncio.timeout(30):
        late = await plant.resume(replace(entry(), generation=failed))
    assert (late.state, late.asset) == (State.FAILED, "assets/g1")


async def test_who_left_while_room_was_looked_for_is_not_missed(monkeypatch) -> None:
    monkeypatch.setattr("services.generator.usecases.turns._LOOK_SECONDS", 3600)
    turns = Turns()
    async with turns.turn("key", "a"):
        turns.leave("key")  # between the count that found no room and the wait for it
        async with asyncio.timeout(30):
            await turns.room("key")


@pytest.mark.parametrize("ends", ["made", "refused"])
async def test_room_is_told_of_when_the_row_no_longer_takes_it(plant, ends: str) -> None:
    plant.maximum = 1
    if ends == "refused":
        plant.backend.answers = [NoCredentials("no")]
    means, states = plant.means(), []

    class Told(Turns):
        def leave(self, credential: str) -> None:
            states.append(plant.ledger.history[-1].state)

    opened, _ = await plant.ledger.open(entry(), "local/1")
    await Drive(opened, replace(means, turns=Told())).run()
    assert states == [State.STORING if ends == "made" else State.FAILED]


async def test_what_is_written_together_is_held_on_to() -> None:
    answer = asyncio.Event()

    async def write(items: Any) -> list[bool]:
        await answer.wait()
        return [True for _ in items]

    together = Together[int](write, seconds=0.0)
    adding = asyncio.create_task(together.add(1))
    await until(lambda: together._task is None and bool(together._tasks))
    answer.set()
    assert await adding
    await until(lambda: not together._tasks)
