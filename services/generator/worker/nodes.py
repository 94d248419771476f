"""The GPU nodes of this deployment as the generator uses them: a queue, and who works it off."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from services.common.bus import Bus
from services.generator.adapters.work_queue import WorkQueue
from services.generator.catalogue.loader import load_catalogue
from services.generator.domain.catalogue import Surroundings
from services.generator.domain.ports import Backend
from services.generator.domain.storage_port import AssetStorage
from services.generator.domain.vendor_keys import OwnKeys
from services.generator.domain.workers import Fleet, WorkerReport
from services.generator.settings import Settings
from services.generator.worker.fleet import hearing_of_workers
from services.generator.worker.queued import QueueBackend

PROVIDER = "local"
"""Whose models are made on GPU nodes."""

Around: TypeAlias = Callable[[OwnKeys], Surroundings]


@dataclass(frozen=True, slots=True)
class Nodes:
    """Back ends by provider, and the workers; `fleet` None is a deployment without a queue."""

    backends: Mapping[str, Backend] = field(default_factory=dict)
    fleet: Fleet | None = None

    def workers(self) -> Sequence[WorkerReport]:
        """Return who was heard of lately."""
        return self.fleet.workers if self.fleet else ()

    def beside(self, around: Around) -> Around:
        """Return `around` with the models that workers serve at the moment of asking."""
        fleet = self.fleet
        if fleet is None:
            return around
        return lambda own: replace(around(own), served=_served(fleet))


async def gpu_nodes(settings: Settings, storage: AssetStorage, stack: AsyncExitStack) -> Nodes:
    """Open the queue where the settings ask for one. Raises Unavailable without a bus."""
    if settings.local != "queue":
        return Nodes()
    bus = await Bus.connect(
        settings.nats_url, source="reelmesh/generator", credentials=settings.nats_credentials
    )
    queue = WorkQueue(await stack.enter_async_context(bus))
    silence = settings.worker_silence_seconds
    fleet = await stack.enter_async_context(hearing_of_workers(queue, believed=silence))
    return Nodes({PROVIDER: QueueBackend(queue, storage)}, fleet)


def _served(fleet: Fleet) -> frozenset[str]:
    models = (model for model in load_catalogue() if model.provider == PROVIDER)
    return frozenset(model.id for model in models if fleet.serves(model))
