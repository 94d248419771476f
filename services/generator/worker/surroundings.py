"""What is around this generator: which vendors are set up, rested, and within reach."""

from contextlib import AsyncExitStack

from services.common import clock
from services.common.background import background
from services.generator.domain.catalogue import Surroundings
from services.generator.domain.circuit import Circuits
from services.generator.domain.reachability import Reachability, addresses_of
from services.generator.providers import configured as configured_providers
from services.generator.providers.client import origin
from services.generator.settings import Settings
from services.generator.usecases.halting import Halting
from services.generator.worker.network import Network


async def watch_network(settings: Settings, stack: AsyncExitStack) -> Reachability:
    """Start looking whether the vendors that are set up can be reached."""
    places = [(name, *origin(a.base_url)) for name, a in configured_providers(settings.vendors)]
    reach = Reachability(addresses_of((n, host, port) for n, _, host, port in places if port))
    if settings.probe_seconds and reach.providers:
        network = Network(reach, every=settings.probe_seconds)
        await stack.enter_async_context(background("network", network.run()))
    return reach


def surroundings(
    settings: Settings, circuits: Circuits, reach: Reachability, halting: Halting
) -> Surroundings:
    """What models are admitted by at this moment."""
    now = clock.now()
    return Surroundings(
        now=now,
        configured=frozenset(settings.vendors),
        device_present=settings.device,
        open_circuits=circuits.open(now),
        halted=halting.providers,
        unreachable=reach.unreachable,
    )
