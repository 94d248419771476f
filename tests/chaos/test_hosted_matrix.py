"""Every fault of a vendor, and a death at every step: one charge a generation, no clip lost."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.chaos.hosted import MODELS, Audit, Cell, cells, settled
from tests.chaos.plants import planted
from tests.fakes.mortal_generator import Plant

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
async def plant(tmp_path: Path) -> AsyncIterator[Plant]:
    async with planted(tmp_path) as found:
        yield found


async def run(plant: Plant, wanted: list[Cell]) -> Audit:
    names = [str(cell) for cell in wanted]
    async with plant.living() as life:
        for cell in wanted:
            await cell.begin(life)
        await life.over()
    async with plant.living() as life:
        await life.take_over()
        rows = await settled(life, names)
    audit = Audit.of(plant.world, rows, plant.ends)
    print(audit)
    return audit


@pytest.mark.stress
@pytest.mark.parametrize("provider", list(MODELS))
async def test_whatever_goes_wrong_a_generation_is_paid_once_and_its_clip_kept(
    plant: Plant, provider: str
) -> None:
    audit = await run(plant, cells([provider]))
    assert not audit.faults, "\n".join(audit.faults)
    assert not plant.world.leaks
    assert not plant.broken


async def test_a_slice_of_the_matrix(plant: Plant) -> None:
    """One vendor of each kind: polled, queued, asked by our own id, answering at once."""
    audit = await run(plant, cells(["runway", "fal", "kling", "openai_speech"])[::13])
    assert audit.generations >= 50
    assert not audit.faults, "\n".join(audit.faults)
    assert not plant.broken
