"""What is around this generator: which vendors are set up, rested, and within reach."""

from contextlib import AsyncExitStack

from services.common import clock
from services.common.background import background
from services.generator.domain.catalogue import Surroundings
from services.generator.domain.circuit import Circuits
from services.generator.domain.reachability import Reachability, addresses_of
from services.generator.domain.vendor_keys import OwnKeys
from services.generator.providers import configured as configured_providers
from services.generator.providers.client import origin
from services.generator.settings import Settings
from services.generator.usecases.halting import Halting
from services.generator.worker.access import VendorAccess
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
    settings: Settings,
    circuits: Circuits,
    own: OwnKeys,
    *,
    reach: Reachability,
    halting: Halting,
    access: VendorAccess,
) -> Surroundings:
    """What models are admitted by at this moment, for a tenant with these keys of its own."""
    now = clock.now()
    return Surroundings(
        now=now,
        configured=access.configured(own),
        device_present=settings.device,
        open_circuits=access.open_circuits(own, circuits.open(now)),
        halted=halting.providers,
        unreachable=reach.unreachable,
    )
