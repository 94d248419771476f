"""A GPU worker's parts in this process: a card that does as it is told, on a real queue."""

import asyncio
import hashlib
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from services.common import clock
from services.common.bus import Bus
from services.common.telemetry import Metrics
from services.generator.adapters.work_intake import WorkIntake
from services.generator.adapters.work_queue import WorkQueue
from services.generator.domain.catalogue import Catalogue
from services.generator.domain.gpu_work import Queue, Tier, queue_of
from services.generator.domain.models import Model
from services.generator.domain.orders import Order, Priority
from services.generator.domain.ports import Work
from services.generator.engines.engine import Product
from services.generator.usecases.references import References
from services.generator.usecases.storing import Storing
from services.generator.worker.gpu.equipment import Memory
from services.generator.worker.gpu.job import Bench
from services.generator.worker.gpu.shift import Shift
from services.generator.worker.gpu.state import Health
from services.generator.worker.queued import QueueBackend
from tests.fakes.generator_parts import MemoryStorage, entry, paid_model


class Card:
    """Equipment whose engine writes a file once it is let go; `errors` are raised first."""

    device = "a card of the tests"
    tier = Tier.CINEMA

    def __init__(self, model: Model) -> None:
        self.models = (model.id,)
        self.loaded: list[str] = []
        self.go = asyncio.Event()
        self.begun: list[str] = []
        self.ended: list[str] = []
        self.errors: list[BaseException] = []
        self.warm_ups = 0
        self.looks = 0
        self.warm_up_errors: list[Exception] = []
        self.answers = asyncio.Event()
        self.answers.set()
        self.seen: list[Work] = []

    @property
    def engine(self) -> "Card":
        return self

    async def look(self) -> None:
        self.looks += 1
        await self.answers.wait()

    def memory(self) -> Memory:
        return Memory(used=7, total=80)

    async def warm_up(self) -> None:
        self.warm_ups += 1
        if self.warm_up_errors:
            raise self.warm_up_errors.pop(0)
        self.loaded = list(self.models)

    def suffix(self, work: Work) -> str:
        return ".mp4"

    async def make(
        self, work: Work, destination: Path, *, on_progress: Callable[[float], None]
    ) -> Product:
        self.begun.append(work.id)
        self.seen.append(work)
        try:
            on_progress(0.5)
            await self.go.wait()
            if self.errors:
                raise self.errors.pop(0)
            data = f"film of {work.id}".encode()
            destination.write_bytes(data)
            digest = hashlib.sha256(data).hexdigest()
            return Product(
                content_type="video/mp4",
                sha256=digest,
                size_bytes=len(data),
                seed=3,
                gpu_seconds=36.0,
            )
        finally:
            self.ended.append(work.id)


@dataclass
class Hall:
    """A queue of its own on a real bus, one storage, and workers that come and go."""

    bus: Bus
    scratch: Path
    model: Model = field(default_factory=lambda: paid_model(id=f"m{uuid.uuid4().hex[:10]}"))
    storage: MemoryStorage = field(default_factory=MemoryStorage)

    @property
    def queue(self) -> WorkQueue:
        return WorkQueue(self.bus)

    def queues(self) -> tuple[Queue, ...]:
        return tuple(queue_of(self.model, priority) for priority in Priority)

    def backend(self) -> QueueBackend:
        return QueueBackend(self.queue, self.storage, look_seconds=0.2)

    def work(self, identifier: str = "", *, priority: Priority = Priority.INTERACTIVE) -> Work:
        identifier = identifier or uuid.uuid4().hex
        made = entry(identifier)
        order = Order(
            request_id=made.order.request_id,
            request_hash=made.order.request_hash,
            model=self.model.id,
            task=made.order.task,
            priority=priority,
        )
        return Work(
            id=identifier,
            tenant="acme",
            model=self.model,
            identity=made.generation.identity,
            task=order.task,
            order=order,
        )

    def bench(self, name: str, card: Card, bus: Bus, **changes: float) -> Bench:
        catalogue = Catalogue([self.model])
        settings: Mapping[str, float] = {"ack_wait": 0.6, **changes}
        return Bench(
            name=name,
            queue=WorkQueue(bus),
            intake=WorkIntake(bus, self.queues(), ack_wait=float(settings["ack_wait"])),
            engine=card,
            catalogue=catalogue,
            references=References(self.storage),
            storing=Storing(self.storage, catalogue.get, patience=1.0),
            health=Health(Metrics(name)),
            scratch=self.scratch,
            now=clock.now,
            ack_wait=float(settings["ack_wait"]),
            deliveries=int(settings.get("deliveries", 3)),
            patience=20.0,
            gpu_rate=100_000,
        )

    @asynccontextmanager
    async def worker(
        self, card: Card, name: str = "w1", *, grace: float = 5.0, **changes: float
    ) -> AsyncIterator[Shift]:
        """Work while the block runs, with a connection of its own."""
        async with AsyncExitStack() as stack:
            url = self.bus.client.connected_url
            assert url is not None
            bus = await stack.enter_async_context(await Bus.connect(url.geturl()))
            bench = self.bench(name, card, bus, **changes)
            await stack.enter_async_context(bench.intake.open())
            shift = Shift(bench, card, (self.queues()[0].engine,), grace=grace, rest=0.05)
            working = asyncio.create_task(shift.work())
            announcing = asyncio.create_task(shift.announce(0.2))
            try:
                yield shift
            finally:
                shift.ending.set()
                await working
                announcing.cancel()
                await asyncio.gather(announcing, return_exceptions=True)
                await shift.leave()


async def followed(backend: QueueBackend, work: Work) -> list[object]:
    """Every update until the end."""
    return [update async for update in backend.updates(work, work.id)]
