"""The simulator as a server: the vendors on one port, their results on another."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import httpx
from starlette.applications import Starlette

from services.common.http_server import serve_http
from services.suite.simulator.control import Control
from services.suite.simulator.postman import Postman
from services.suite.simulator.results import result_route
from services.suite.simulator.uploads import upload_route
from services.suite.simulator.vendors import VENDORS
from services.suite.simulator.wire import Connection
from services.suite.simulator.world import World, utc_now

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from datetime import datetime

    from services.suite.simulator.settings import SimulatorSettings
    from services.suite.simulator.vendor import Vendor

GRACE_SECONDS = 1.0


def _vendor_app(world: World, vendors: Mapping[str, Vendor]) -> Starlette:
    routes = Control(world, vendors).routes()
    for vendor in vendors.values():
        routes += vendor.routes()
    # The longest prefixes first: /hf/fal-ai lies below /hf.
    routes += [
        vendor.nowhere()
        for vendor in sorted(vendors.values(), key=lambda one: -len(one.prefix or one.name))
    ]
    return Starlette(routes=routes)


@asynccontextmanager
async def simulating(
    settings: SimulatorSettings, *, now: Callable[[], datetime] = utc_now
) -> AsyncIterator[World]:
    """Serve while the block runs; yields the world, whose `url` is where the vendors are.

    Raises FailedPrecondition where an address is taken.
    """
    world = World(settings, now=now)
    vendors = {kind.name: kind(world) for kind in VENDORS}
    media = settings.media_port
    if media is None:
        media = settings.port + 1 if settings.port else 0
    results = Starlette(routes=[result_route(world, vendors), upload_route(world)])
    door = f"{settings.host}:{settings.port}"
    async with (
        httpx.AsyncClient(trust_env=False, follow_redirects=False) as http,
        serve_http(
            results, f"{settings.host}:{media}", grace=GRACE_SECONDS, http=Connection
        ) as media_address,
        serve_http(
            _vendor_app(world, vendors), door, grace=GRACE_SECONDS, http=Connection
        ) as address,
    ):
        world.url, world.media_url = f"http://{address}", f"http://{media_address}"
        postman = Postman(world, http)
        world.announce = postman.announce
        try:
            yield world
        finally:
            await postman.close()
