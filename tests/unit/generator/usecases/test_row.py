"""A row is written through a database that goes away and comes back."""

from typing import Any

import pytest

from services.common.errors import Unavailable
from services.generator.domain.facts import Progress
from services.generator.domain.generation import Generation, State
from services.generator.usecases.row import SupersededError
from tests.fakes.generator_parts import entry, made

AWAY = Unavailable("the database is away for the moment")


@pytest.fixture
def outages(plant, monkeypatch) -> dict[State, list[str]]:
    """What befalls the next saves of a state: "before" they are committed, or "after"."""
    planned: dict[State, list[str]] = {}
    save = plant.ledger.save

    async def flaky(generation: Generation, **options: Any) -> bool:
        moment = (planned.get(generation.state) or [""]).pop()
        if moment == "before":
            raise AWAY
        saved: bool = await save(generation, **options)
        if moment == "after":
            raise AWAY
        return saved

    monkeypatch.setattr(plant.ledger, "save", flaky)
    return planned


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("state", [State.RUNNING, State.STORING, State.SUCCEEDED])
async def test_a_drive_outlives_an_outage_at_any_write(plant, outages, state, moment) -> None:
    outages[state] = [moment, moment]
    plant.backend.scripts = [[Progress(percent=10, source="provider"), made()]]
    done = await plant.drive(entry())
    assert done.state is State.SUCCEEDED
    assert [g.state for g in plant.ledger.history].count(state) >= 1
    sequences = [g.sequence for g in plant.ledger.history]
    assert sequences == sorted(set(sequences))
    assert len(plant.backend.submitted) == 1


async def test_a_row_that_somebody_else_took_meanwhile_is_left_alone(plant, outages) -> None:
    outages[State.STORING] = ["before"]
    plant.backend.scripts = [[made()]]
    order = entry()
    load = plant.ledger.load

    async def taken(identifier: str):
        plant.ledger.owners[identifier] = "another/1"
        return await load(identifier)

    plant.ledger.load = taken
    await plant.drive(order)
    assert plant.ledger.history[-1].state is State.RUNNING
    assert plant.storage.assets == {}


def test_superseded_is_no_service_error() -> None:
    assert not issubclass(SupersededError, Unavailable)
