"""The vendor simulator for tests: on free ports, twenty times as fast, in a thread of its own."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from services.suite.simulator.server import simulating
from services.suite.simulator.settings import SimulatorSettings
from services.suite.simulator.world import World

SPEED = 20.0


@dataclass
class Simulated:
    """A running simulator: `http` calls it, the rest reads what it has kept."""

    world: World
    http: httpx.AsyncClient

    async def bill(self, vendor: str = "") -> dict[str, Any]:
        answer = await self.http.get("/_sim/bill", params={"vendor": vendor} if vendor else {})
        found: dict[str, Any] = answer.raise_for_status().json()
        return found

    async def kept(self, what: str) -> list[dict[str, Any]]:
        """Return the calls, the leaks or the deliveries."""
        answer = await self.http.get(f"/_sim/{what}")
        found: list[dict[str, Any]] = answer.raise_for_status().json()[what]
        return found

    async def spoil(self, fault: str, vendor: str = "*", **numbers: Any) -> None:
        rule = {"vendor": vendor, "fault": fault, **numbers}
        (await self.http.put("/_sim/scenario", json=rule)).raise_for_status()


def quick(**settings: Any) -> SimulatorSettings:
    """Return settings fit for tests."""
    chosen = {"port": 0, "speed": SPEED, "drip_seconds": 0.4, "hang_seconds": 0.5, **settings}
    return SimulatorSettings(**chosen)


@contextmanager
def simulator_thread(**settings: Any) -> Iterator[World]:
    """Serve for many tests, each of which begins with `fresh`."""
    ready, worlds = threading.Event(), []
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()

    async def serve() -> None:
        async with simulating(quick(**settings)) as world:
            worlds.append(world)
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), daemon=True)
    thread.start()
    assert ready.wait(50), "the simulator does not start"
    yield worlds[0]
    loop.call_soon_threadsafe(stop.set)
    thread.join(20)
    loop.close()


@asynccontextmanager
async def fresh(world: World) -> AsyncIterator[Simulated]:
    """Forget what other tests did, and hand out a client."""
    async with httpx.AsyncClient(base_url=world.url, trust_env=False, timeout=30) as http:
        (await http.post("/_sim/reset")).raise_for_status()
        yield Simulated(world, http)
