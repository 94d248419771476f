"""The whole suite in this process, with vendors of the simulator set up as a user would."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.suite.embedded import Addresses, running
from services.suite.settings import SuiteSettings
from services.suite.simulator.exports import variables
from services.suite.simulator.world import World
from tests.fakes.quick_engine import end_engines_at_once
from tests.stack import Client

end_engines_at_once()
QUICK = {"GENERATOR_POLL_SECONDS": "0.1", "GENERATOR_CPU_SLOTS": "1"}


@asynccontextmanager
async def vendored_suite(
    world: World, vendors: Iterable[str], *, folder: Path, nats_url: str, **more: str
) -> AsyncIterator[Client]:
    """A client of a suite that has keys for `vendors`, by their prefixes, such as "RUNWAY"."""
    suite = addressed_suite(world, vendors, folder=folder, nats_url=nats_url, **more)
    async with suite as addresses, Client(addresses.orchestrator, None) as client:
        yield client


@asynccontextmanager
async def addressed_suite(
    world: World, vendors: Iterable[str], *, folder: Path, nats_url: str, **more: str
) -> AsyncIterator[Addresses]:
    """The same suite, by where each service listens."""
    names = tuple(f"{vendor}_" for vendor in vendors)
    with pytest.MonkeyPatch.context() as environment:
        for name, value in variables(world).items():
            if name.startswith((*names, "GENERATOR_")):
                environment.setenv(name, value)
        for name, value in (QUICK | more).items():
            environment.setenv(name, value)
        settings = SuiteSettings(data_dir=folder, port_base=0, nats_url=nats_url)
        async with running(settings) as addresses:
            yield addresses


async def billed(world: World) -> list[dict[str, Any]]:
    """The rows of the simulator's bill."""
    async with httpx.AsyncClient(base_url=world.url, trust_env=False, timeout=10) as http:
        answer = await http.get("/_sim/bill")
    rows: list[dict[str, Any]] = answer.raise_for_status().json()["rows"]
    return rows


async def calls(world: World) -> list[dict[str, Any]]:
    """Every call that a vendor was sent."""
    async with httpx.AsyncClient(base_url=world.url, trust_env=False, timeout=10) as http:
        answer = await http.get("/_sim/calls")
    found: list[dict[str, Any]] = answer.raise_for_status().json()["calls"]
    return found
