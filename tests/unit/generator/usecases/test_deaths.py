"""A thousand lives with random deaths, lost answers and trouble: paid at most once, never lost."""

import asyncio
import random
from collections.abc import AsyncGenerator
from contextlib import suppress
from dataclasses import dataclass, field

import pytest

from services.common.errors import Unavailable, UnknownOutcome
from services.generator.domain.facts import Progress
from services.generator.domain.generation import State
from services.generator.domain.ports import Accepted, Content, Entry, Update, Work
from services.generator.domain.steps import Step
from services.generator.domain.storage_port import Stored
from services.generator.usecases.drive import Drive
from services.generator.usecases.patience import Patience
from tests.fakes.generator_parts import (
    START,
    MemoryStorage,
    ScriptedBackend,
    entry,
    made,
)

RUNS, BATCHES = 1000, 8
BATCH = [0, *(pytest.param(number, marks=pytest.mark.stress) for number in range(1, BATCHES))]


class Death(BaseException):
    """The process is gone: nothing in it can catch this."""


@dataclass
class MortalSteps:
    """Dies at a step with some probability, at most `lives` times."""

    dice: random.Random
    lives: int
    deaths: list[Step] = field(default_factory=list)

    def reached(self, step: Step) -> None:
        if len(self.deaths) < self.lives and self.dice.random() < 0.3:
            self.deaths.append(step)
            raise Death


class FaultyVendor(ScriptedBackend):
    """Keeps a bill by our id; answers get lost before and after the job is taken."""

    def __init__(self, dice: random.Random, *, looks_up: bool) -> None:
        super().__init__()
        self.dice = dice
        self.looks_up = looks_up
        self.bill: list[str] = []

    async def submit(self, work: Work) -> Accepted:
        fate = self.dice.random()
        if fate < 0.1:
            raise Unavailable("connection refused")
        if fate < 0.2:
            raise UnknownOutcome("reset before it was taken")
        self.bill.append(work.id)
        if fate < 0.4:
            raise UnknownOutcome("reset after it was taken")
        return Accepted(job=f"job-{work.id}")

    async def look_up(self, work: Work) -> Accepted | None:
        if self.looks_up and work.id in self.bill:
            return Accepted(job=f"job-{work.id}")
        return None

    def pause(
        self, work: Work, job: str, trouble: int = 0, asked: float | None = None
    ) -> float | None:
        return None

    async def updates(self, work: Work, job: str) -> AsyncGenerator[Update, None]:
        assert job == f"job-{work.id}"
        assert self.bill == [work.id]
        for percent in range(0, 100, 33):
            yield Progress(percent=percent, source="provider")
        yield made()


class FaultyStorage(MemoryStorage):
    """Sometimes keeps the bytes and does not say so."""

    def __init__(self, dice: random.Random) -> None:
        super().__init__()
        self.dice = dice

    async def upload(self, entry: Entry, content: Content) -> Stored:
        stored = await super().upload(entry, content)
        if self.dice.random() < 0.2:
            raise Unavailable("the answer was lost")
        return stored


async def live(plant, dice: random.Random) -> tuple[State, FaultyVendor, int]:
    """Drive one generation through its deaths; returns how it ended, the vendor, the deaths."""
    vendor = plant.backend = FaultyVendor(dice, looks_up=dice.random() < 0.5)
    plant.storage = FaultyStorage(dice)
    plant.steps = MortalSteps(dice, lives=dice.randrange(5))
    row = entry()
    await plant.ledger.open(row, "local/1")
    for _ in range(20):
        present = await plant.ledger.load("g1")
        if present.generation.state.terminal:
            break
        if dice.random() < 0.05:
            await plant.ledger.save(present.generation.cancelled(at=START))
            present = await plant.ledger.load("g1")
        with suppress(Death, TimeoutError):
            async with asyncio.timeout(0.1):
                await Drive(present, plant.means()).run()
        present = await plant.ledger.load("g1")
        known = vendor.looks_up and vendor.bill
        if present.generation.state is State.UNKNOWN_OUTCOME and not known:
            break
    return present.generation.state, vendor, len(plant.steps.deaths)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("batch", BATCH)
async def test_a_generation_is_paid_at_most_once_and_never_lost(plant, monkeypatch, batch) -> None:
    for module in ("sending", "storing"):
        monkeypatch.setattr(f"services.generator.usecases.{module}._FIRST_WAIT_SECONDS", 0.0)
    plant.waits = Patience(look_ups=(0.01,), second_looks=())
    ends: list[State] = []
    deaths = 0
    for number in range(RUNS // BATCHES):
        fresh = type(plant)()
        dice = random.Random(batch * RUNS + number)
        state, vendor, died = await live(fresh, dice)
        ends.append(state)
        deaths += died
        generation = (await fresh.ledger.load("g1")).generation
        assert len(vendor.bill) <= 1, f"paid twice: seed {batch * RUNS + number}"
        assert len(fresh.storage.assets) <= 1
        if state is State.SUCCEEDED:
            assert vendor.bill == ["g1"]
            assert generation.cost is not None
        if state is State.FAILED:
            assert vendor.bill == [], "a paid clip was given up"
    assert ends.count(State.SUCCEEDED) > len(ends) // 3
    assert deaths > len(ends)
    assert set(ends) <= {State.SUCCEEDED, State.FAILED, State.UNKNOWN_OUTCOME, State.CANCELLED}
