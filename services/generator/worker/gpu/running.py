"""The composition of a GPU worker around the equipment that it is given."""

import asyncio
import fcntl
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from services.common import clock
from services.common.background import background
from services.common.bus import Bus
from services.common.channels import Channel
from services.common.errors import FailedPrecondition
from services.common.readiness import Readiness
from services.common.server import serve
from services.common.telemetry import Metrics, get_logger
from services.generator.adapters.storage_client import StorageClient
from services.generator.adapters.work_intake import WorkIntake
from services.generator.adapters.work_queue import WorkQueue
from services.generator.catalogue.loader import load_catalogue
from services.generator.domain.catalogue import Catalogue
from services.generator.domain.gpu_work import Queue, Tier, queue_of, served_by
from services.generator.domain.orders import Priority
from services.generator.domain.storage_port import AssetStorage
from services.generator.usecases.references import References
from services.generator.usecases.storing import Storing
from services.generator.worker.gpu.equipment import Equipment
from services.generator.worker.gpu.job import Bench
from services.generator.worker.gpu.settings import WorkerSettings
from services.generator.worker.gpu.shift import Shift
from services.generator.worker.gpu.state import Health

log = get_logger(__name__)

Opened = Callable[[WorkerSettings, AssetStorage | None], AbstractAsyncContextManager[Equipment]]


@dataclass(frozen=True, slots=True)
class Running:
    """A worker that is up: where its health is asked for, and the shift that it works."""

    address: str
    shift: Shift
    health: Health


@asynccontextmanager
async def running(settings: WorkerSettings, opened: Opened) -> AsyncIterator[Running]:
    """Work while the block runs; drains on exit. Raises FailedPrecondition, Unavailable."""
    async with AsyncExitStack() as stack:
        own_device(settings, stack)
        await asyncio.to_thread(emptied, settings.scratch)
        metrics, readiness = Metrics(settings.service), Readiness()
        health = Health(metrics, gpu_rate=settings.gpu_rate)
        bus = await stack.enter_async_context(
            await Bus.connect(
                settings.nats_url, source="reelmesh/gpu", credentials=settings.nats_credentials
            )
        )
        readiness.add("worker", lambda: health.ready)
        readiness.add("bus", lambda: bus.connected)
        listening = await stack.enter_async_context(
            serve(settings, [], readiness=readiness, metrics=metrics)
        )
        way = Channel(settings.storage_address, settings.signer())
        storage = StorageClient(await stack.enter_async_context(way))
        equipment = await stack.enter_async_context(opened(settings, storage))
        shift = await _shift(settings, bus, equipment, health=health, storage=storage, stack=stack)
        working = asyncio.create_task(shift.work(), name="shift")
        stack.push_async_callback(_ended, shift, working)
        announcing = shift.announce(settings.report_seconds)
        await stack.enter_async_context(background("announcements", announcing))
        yield Running(listening.address, shift, health)


async def _shift(
    settings: WorkerSettings,
    bus: Bus,
    equipment: Equipment,
    *,
    health: Health,
    storage: StorageClient,
    stack: AsyncExitStack,
) -> Shift:
    catalogue = load_catalogue()
    queues = queues_of(settings, equipment, catalogue)
    log.info("queues", tier=equipment.tier, engines=sorted({queue.engine for queue in queues}))
    intake = WorkIntake(bus, queues, ack_wait=settings.ack_wait_seconds)
    await stack.enter_async_context(intake.open())
    bench = Bench(
        name=settings.worker_name,
        queue=WorkQueue(bus),
        intake=intake,
        engine=equipment.engine,
        catalogue=catalogue,
        references=References(storage),
        storing=Storing(storage, catalogue.get, patience=settings.storing_patience_seconds),
        health=health,
        scratch=settings.scratch,
        now=clock.now,
        ack_wait=settings.ack_wait_seconds,
        deliveries=settings.deliveries,
        gpu_rate=settings.gpu_rate,
    )
    engines = tuple(sorted({queue.engine for queue in queues}))
    return Shift(bench, equipment, engines, grace=settings.drain_seconds)


def queues_of(
    settings: WorkerSettings, equipment: Equipment, catalogue: Catalogue
) -> tuple[Queue, ...]:
    """Return the queues that are served, the most urgent first, of those the largest tier first.

    Raises FailedPrecondition when there are none.
    """
    tiers: tuple[Tier, ...] = served_by(settings.tier or equipment.tier)
    models = [catalogue.get(name) for name in equipment.models]
    found = {queue_of(model, priority) for model in models for priority in Priority}
    wanted = set(settings.engines)
    queues = [
        queue for queue in found if queue.tier in tiers and (not wanted or queue.engine in wanted)
    ]
    if not queues:
        have = ", ".join(sorted({queue.engine for queue in found})) or "no model"
        message = f"nothing to do: {have} is installed for a card of tier {tiers[0]}"
        raise FailedPrecondition(message)
    urgency = tuple(Priority)
    return tuple(
        sorted(queues, key=lambda q: (urgency.index(q.priority), tiers.index(q.tier), q.engine))
    )


def own_device(settings: WorkerSettings, stack: AsyncExitStack) -> None:
    """Hold the device against other workers of this machine. Raises FailedPrecondition."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    file = (settings.data_dir / f"device-{settings.device}.lock").open("w")
    stack.callback(file.close)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        message = f"another worker has device {settings.device} (GPU_WORKER_DEVICE)"
        raise FailedPrecondition(message) from error


def emptied(folder: Path) -> None:
    """Make a folder with nothing in it: a worker that was killed left what it was at."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


async def _ended(shift: Shift, working: asyncio.Task[None]) -> None:
    shift.ending.set()
    await asyncio.gather(working, return_exceptions=True)
    await shift.leave()
