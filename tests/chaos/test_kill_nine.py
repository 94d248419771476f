"""kill -9 of real generators at every point, under every fault: paid once, no clip lost."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.generator.domain.generation import State
from services.suite.simulator.faults import Fault
from tests.chaos.hosted import Audit, Cell, cells, charges_of, play_the_operator, read_the_bill
from tests.chaos.killing import MID_CALL, POINTS, Ground, ground
from tests.chaos.sheet import show, verdict

# One vendor of each family: polled; queued with signed callbacks of either kind; with a challenge;
# asked by our own id; a long-running operation; answering at once.
FAMILIES = ("runway", "pika", "replicate", "minimax", "kling", "google", "openai_speech")


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Ground]:
    async with ground(tmp_path) as found:
        yield found


async def outlived(place: Ground, wanted: list[Cell]) -> tuple[Audit, dict[Cell, str]]:
    """Kill them all, take over, settle what stays unknown; returns what is found, and in words."""
    names = [str(cell) for cell in wanted]
    await place.kill_all(wanted)
    async with place.survived():
        first = await place.rest(names)
        unknown = await play_the_operator(place.ledger, place.world, first)
        await place.rest(names)
        untold = await read_the_bill(place.ledger, place.database, place.world)
        rows = await place.rest(names)
    audit = Audit.of(place.world, rows, await place.ends(), untold)
    audit.unknown += unknown
    bill = charges_of(place.world)
    wrong = {line.partition(": ")[0] for line in audit.faults}
    return audit, {
        cell: verdict(
            rows[name],
            bill.get(name, []),
            wrong=name in wrong,
            asked=first[name].state is State.UNKNOWN_OUTCOME,
        )
        for cell, name in zip(wanted, names, strict=True)
    }


@pytest.mark.stress
@pytest.mark.timeout(600)
@pytest.mark.parametrize("provider", FAMILIES)
async def test_the_matrix_of_one_vendor(
    place: Ground, capsys: pytest.CaptureFixture[str], provider: str
) -> None:
    wanted = cells([provider], POINTS, webhooks=True)
    audit, words = await outlived(place, wanted)
    with capsys.disabled():
        show(provider, words, audit)
    assert not audit.faults, "\n".join(audit.faults)
    assert audit.generations == len(wanted)
    assert not place.world.leaks
    for point in set(POINTS) - {MID_CALL}:
        assert place.killed[point], f"nobody died at {point}"


async def test_a_slice_of_the_matrix(place: Ground) -> None:
    """A lost answer and each thing that can be wrong with a callback."""
    words = ("lost_response", "webhook_forged", "webhook_replayed", "webhook_missing")
    points = ("after_send", "polling", "after_upload", MID_CALL)
    wanted = [Cell("pika", Fault(fault), point) for fault, point in zip(words, points, strict=True)]
    audit, _ = await outlived(place, wanted)
    assert not audit.faults, "\n".join(audit.faults)
    assert audit.generations == 4
    assert place.killed.total() == 4
