"""One piece of work in a worker's hands: made, stored, concluded, and only then out of the queue.

Whatever happens on the way, the work either has a verdict or is in the queue: a worker that dies
is noticed by its silence, one that was frozen finds the verdict of whoever took over.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, wait_exponential

from services.common.errors import GenerationFailed, Internal, ServiceError, Unavailable
from services.common.telemetry import get_logger
from services.generator.adapters.news import News
from services.generator.adapters.work_intake import Delivery, WorkIntake
from services.generator.adapters.work_queue import WorkQueue, signal_subject
from services.generator.domain.catalogue import Catalogue
from services.generator.domain.facts import Failure
from services.generator.domain.gpu_work import Verdict, WorkOrder
from services.generator.domain.ports import Clock
from services.generator.engines.engine import Engine, Product
from services.generator.usecases.references import References
from services.generator.usecases.storing import Storing
from services.generator.worker.costs import cost_of
from services.generator.worker.gpu.state import Health
from services.generator.worker.local import made_of

_TOLD_EVERY = 0.25
_QUIET = 3600.0
_MOST = 99  # what is made is not yet stored

log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What work is done with. Times in seconds; `deliveries` counts how often work is given out."""

    name: str
    queue: WorkQueue
    intake: WorkIntake
    engine: Engine
    catalogue: Catalogue
    references: References
    storing: Storing
    health: Health
    scratch: Path
    now: Clock
    ack_wait: float = 30.0
    deliveries: int = 3
    patience: float = 300.0
    gpu_rate: int | None = None


class Job:
    """Carries out one delivery; `run` once. `doing` is told the generation's id, "" at the end."""

    def __init__(self, bench: Bench, delivery: Delivery, doing: Callable[[str], None]) -> None:
        self._at = bench
        self._delivery = delivery
        self._doing = doing
        self._stop = asyncio.Event()
        self._news = News()

    async def run(self) -> None:
        """Do the work, or give it back when this call is cancelled."""
        order = await self._order()
        if order is None or await self._settled(order.id):
            await self._delivery.done()
            return
        if self._delivery.count > self._at.deliveries:
            await self._give_up(order)
            return
        self._doing(order.id)
        since, outcome, ill = self._at.health.began(), "handed_back", False
        try:
            outcome, ill = await self._carry_out(order)
        except asyncio.CancelledError:
            await asyncio.shield(self._delivery.hand_back())
            raise
        finally:
            self._at.health.ended(outcome, since, machine_failed=ill)
            self._doing("")

    async def _order(self) -> WorkOrder | None:
        try:
            return self._delivery.order
        except Exception as error:
            log.exception("work_unreadable")
            await self._at.intake.bury(self._delivery, f"{type(error).__name__}: {error}")
            return None

    async def _settled(self, work: str) -> bool:
        with suppress(Unavailable):
            return await self._at.queue.verdict(work) is not None
        return False

    async def _give_up(self, order: WorkOrder) -> None:
        times = self._delivery.count - 1
        error = GenerationFailed(f"{times} workers in a row did not come back from it")
        await self._conclude(order, Verdict(failure=Failure.of(error), worker=self._at.name))
        await self._at.intake.bury(self._delivery, error.message)
        await self._delivery.done()

    async def _carry_out(self, order: WorkOrder) -> tuple[str, bool]:
        """Return how it ended, and whether the machine failed at it."""
        making = asyncio.create_task(self._made(order))
        beside = [asyncio.create_task(self._keep(order)), asyncio.create_task(self._tell(order))]
        stopped = asyncio.create_task(self._stop.wait())
        try:
            async with self._at.queue.listening(signal_subject("stop", order.id), self._hear):
                await asyncio.wait({making, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if not making.done():
                await self._delivery.done()  # the verdict is there already
                return "stopped", False
            return await self._ended(order, making)
        finally:
            for task in (making, stopped, *beside):
                task.cancel()
            await asyncio.gather(making, stopped, *beside, return_exceptions=True)

    async def _ended(self, order: WorkOrder, making: asyncio.Task[Verdict]) -> tuple[str, bool]:
        # Cancelled by nobody here: a library of the engine's, or storage's, gave up by itself.
        error = (
            asyncio.CancelledError("it was given up") if making.cancelled() else making.exception()
        )
        if error is None:
            first = await self._conclude(order, making.result())
            await self._delivery.done()
            return ("succeeded" if first else "too_late"), False
        unforeseen = None if isinstance(error, ServiceError) else error
        log.warning("work_failed", work=order.id, cause=str(error), exc_info=unforeseen)
        ill = not isinstance(error, ServiceError) or isinstance(error, Unavailable | Internal)
        if ill and self._delivery.count < self._at.deliveries:
            await self._delivery.hand_back(delay=1.0)
            return "handed_back", True
        told = error if isinstance(error, ServiceError) else GenerationFailed(str(error))
        verdict = Verdict(failure=Failure.of(told), worker=self._at.name)
        await self._conclude(order, verdict)
        await self._delivery.done()
        return "failed", ill

    async def _made(self, order: WorkOrder) -> Verdict:
        """Make it and store it. Raises ServiceError, or whatever a broken engine raises."""
        model = self._at.catalogue.get(order.model)
        work = order.work(model)
        work = replace(work, task=await self._at.references.ready(work))
        path = self._at.scratch / f"{order.id}{self._at.engine.suffix(work)}"
        try:
            product = await self._at.engine.make(work, path, on_progress=self._progress)
            return await self._store(order, path, product)
        finally:
            await asyncio.to_thread(path.unlink, missing_ok=True)

    async def _store(self, order: WorkOrder, path: Path, product: Product) -> Verdict:
        """Store it under the generation's id: whoever is first, everybody gets the same asset."""
        # Without a digest, because a twin that was made elsewhere need not be the same to the bit.
        unnamed = replace(product, sha256="", size_bytes=0)
        cost = cost_of(product, self._at.gpu_rate)
        stored = await self._at.storing.store(
            order.entry(self._at.now()), made_of(path, unnamed, cost)
        )
        return Verdict(
            asset=stored.asset,
            cost=cost,
            seed=product.seed,
            warnings=product.warnings,
            words=product.words,
            quality=product.quality,
            method=product.method,
            worker=self._at.name,
        )

    async def _conclude(self, order: WorkOrder, verdict: Verdict) -> bool:
        """Give the verdict, again while the bus is away: what was made must not be forgotten."""
        async for attempt in AsyncRetrying(
            retry=retry_if_exception_type(Unavailable),
            wait=wait_exponential(multiplier=0.1, max=5.0),
            stop=stop_after_delay(self._at.patience),
            reraise=True,
        ):
            with attempt:
                return await self._at.queue.conclude(order.id, verdict)
        raise AssertionError  # unreachable: the last attempt returns or raises

    def _progress(self, fraction: float) -> None:
        self._news.tell(min(_MOST, int(fraction * 100)))

    async def _hear(self, _: Any) -> None:
        self._stop.set()

    async def _keep(self, order: WorkOrder) -> None:
        """Say that the work lives, and stop where somebody else has concluded it."""
        while True:
            await asyncio.sleep(self._at.ack_wait / 3)
            await self._delivery.living()
            if await self._settled(order.id):
                self._stop.set()

    async def _tell(self, order: WorkOrder) -> None:
        while True:
            percent = await self._news.next(_QUIET)
            if percent is not None:
                with suppress(Unavailable):
                    facts = {"percent": percent, "worker": self._at.name}
                    await self._at.queue.signal("progress", order.id, facts)
                await asyncio.sleep(_TOLD_EVERY)
