"""A service is ready when everything that it needs is there."""

import asyncio

from services.common.readiness import Readiness


async def test_with_no_checks_it_is_ready() -> None:
    assert await Readiness().failing() == ()


async def test_the_parts_that_are_away_are_named() -> None:
    async def answers() -> None:
        return None

    async def raises() -> None:
        raise OSError("refused")

    async def hangs() -> bool:
        await asyncio.Event().wait()
        return True

    readiness = Readiness(timeout=0.01)
    readiness.add("database", answers)
    readiness.add("bus", lambda: False)
    readiness.add("storage", raises)
    readiness.add("prompt", hangs)
    readiness.add("clock", lambda: True)
    assert await readiness.failing() == ("bus", "storage", "prompt")


async def test_a_service_that_drains_is_not_ready() -> None:
    readiness = Readiness()
    readiness.draining.set()
    assert await readiness.failing() == ("draining",)
