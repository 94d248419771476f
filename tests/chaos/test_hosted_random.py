"""A thousand generations at random vendors, with random faults, deaths, kills and cancels."""

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.generator.domain.steps import Step
from tests.chaos.hosted import MODELS, Audit, Cell, cells, play_the_operator, read_the_bill, settled
from tests.chaos.plants import planted
from tests.fakes.mortal_generator import Plant, Reaper

RUNS, BATCH, SEED = 1000, 50, 20_261_121
# Long and costly to simulate, and told by the matrix.
SLOW = {"slow_drip", "hung_response"}
ANY = [cell for cell in cells(MODELS) if cell.fault is None or cell.fault.value not in SLOW]
# A killed life leaves connections behind, as a killed process does.
pytestmark = [
    pytest.mark.timeout(900),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture
async def plant(tmp_path: Path) -> AsyncIterator[Plant]:
    async with planted(tmp_path) as found:
        yield found


def drawn(dice: random.Random, count: int, first: int = 1) -> list[Cell]:
    """Cells in random order, each with a number of its own."""
    return [
        Cell(one.provider, one.fault, one.point, number)
        for number, one in enumerate(dice.choices(ANY, k=count), start=first)
    ]


async def lived_through(plant: Plant, dice: random.Random, wanted: list[Cell]) -> Audit:
    """Begin them all; kill, take over and cancel at random; settle what stays unknown."""
    names = [str(cell) for cell in wanted]
    async with plant.living() as life:
        for cell in wanted:
            await cell.begin(life, nth=dice.choice((1, 1, 2)))
        await asyncio.sleep(dice.uniform(0.0, 1.5))  # then everything dies, mid-call
    async with plant.living() as life:
        await life.take_over(lambda _: Reaper(dice.choice((None, None, None, *Step))))
        for name in dice.sample(names, len(names) // 20):
            await life.cancel(name)
        await life.over()
    async with plant.living() as life:
        await life.take_over()
        rows = await settled(life, names)
        unknown = await play_the_operator(life.ledger, plant.world, rows)
    async with plant.living() as life:
        await life.take_over()
        await settled(life, names)
        untold = await read_the_bill(life.ledger, life.ledger.database, plant.world)
        audit = Audit.of(plant.world, await settled(life, names), plant.ends, untold)
    audit.unknown += unknown
    return audit


@pytest.mark.stress
async def test_a_thousand_generations_are_paid_once_each_and_none_is_lost(plant: Plant) -> None:
    dice = random.Random(SEED)
    total = Audit(plant.world, plant.ends, [])
    for first in range(1, RUNS + 1, BATCH):
        total += await lived_through(plant, dice, drawn(dice, BATCH, first))
    print(total)
    assert total.generations == RUNS
    assert not total.faults, "\n".join(total.faults)


async def test_some_of_them(plant: Plant) -> None:
    dice = random.Random(SEED + 1)
    audit = await lived_through(plant, dice, drawn(dice, 30))
    assert audit.generations == 30
    assert not audit.faults, "\n".join(audit.faults)
