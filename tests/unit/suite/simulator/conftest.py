"""One simulator for all of these tests."""

from collections.abc import AsyncIterator, Iterator

import pytest

from services.suite.simulator.world import World
from tests.fakes.simulator import Simulated, fresh, simulator_thread


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    with simulator_thread() as running:
        yield running


@pytest.fixture
async def sim(world: World) -> AsyncIterator[Simulated]:
    async with fresh(world) as simulated:
        yield simulated
