"""A worker's shift: warmed up, one piece of work after another, drained at the end."""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, TypeVar

from services.common.errors import ServiceError, Unavailable
from services.common.telemetry import get_logger
from services.generator.adapters.work_intake import Delivery
from services.generator.domain.records import to_record
from services.generator.domain.workers import WorkerReport, WorkerState
from services.generator.worker.gpu.equipment import Equipment
from services.generator.worker.gpu.job import Bench, Job

_T = TypeVar("_T")
_REST = 10.0

log = get_logger(__name__)


class Shift:
    """`work` until it is told to end. One piece of work at a time: a card has one owner."""

    def __init__(
        self,
        bench: Bench,
        equipment: Equipment,
        engines: tuple[str, ...],
        *,
        grace: float,
        rest: float = _REST,
    ) -> None:
        self._bench = bench
        self._equipment = equipment
        self._engines = engines
        self._grace = grace
        self._rest = rest
        self._doing = ""
        self._news = asyncio.Event()
        self.ending = asyncio.Event()

    async def work(self) -> None:
        """Work until `ending` is set; what is under way then may finish within the grace."""
        while not self.ending.is_set():
            try:
                await self._turn()
            except Exception:  # a worker that stopped here would look well and do nothing
                log.exception("turn_broke")
                await self._pause(self._rest)
        self._drain()

    async def announce(self, every: float) -> None:
        """Say over and over how it stands; see `WorkerReport`."""
        while True:
            # A device that does not answer is told as it was, for silence would mean a dead worker.
            with suppress(TimeoutError, ServiceError):
                async with asyncio.timeout(every):
                    await self._equipment.look()
            with suppress(Unavailable):
                await self._say(self._report())
            with suppress(TimeoutError):
                async with asyncio.timeout(every):
                    await self._news.wait()
            self._news.clear()

    async def leave(self) -> None:
        """Say good-bye."""
        with suppress(Unavailable):
            await self._say(self._report())

    async def _turn(self) -> None:
        if not self._bench.health.ready and not await self._warmed():
            await self._pause(self._rest)
            return
        delivery = await self._next()
        if delivery is not None:
            await self._carry_out(delivery)

    def _drain(self) -> None:
        self._bench.health.drain()
        self._news.set()

    def _changed(self, doing: str) -> None:
        self._doing = doing
        self._news.set()

    async def _warmed(self) -> bool:
        health = self._bench.health
        failed = health.state is WorkerState.SETUP_FAILED
        if failed:
            return False  # what is not installed does not come by waiting
        try:
            await self._unless_ending(self._equipment.warm_up())
        except Exception as error:
            log.error(
                "warm_up_failed", cause=str(error), exc_info=not isinstance(error, ServiceError)
            )
            health.warm_up_failed(str(error))
        else:
            if not self.ending.is_set():
                health.warmed()
        self._news.set()
        return health.ready

    async def _next(self) -> Delivery | None:
        return await self._unless_ending(self._bench.intake.next())

    async def _carry_out(self, delivery: Delivery) -> None:
        job = asyncio.create_task(Job(self._bench, delivery, self._changed).run())
        ending = asyncio.create_task(self.ending.wait())
        await asyncio.wait({job, ending}, return_when=asyncio.FIRST_COMPLETED)
        ending.cancel()
        if not job.done():
            self._drain()  # nobody is to count on this worker any more
            await asyncio.wait({job}, timeout=self._grace)
        job.cancel()
        (result,) = await asyncio.gather(job, return_exceptions=True)
        if isinstance(result, Exception):
            log.error("work_broke", exc_info=result)

    async def _unless_ending(self, work: Coroutine[Any, Any, _T]) -> _T | None:
        task = asyncio.create_task(work)
        ending = asyncio.create_task(self.ending.wait())
        await asyncio.wait({task, ending}, return_when=asyncio.FIRST_COMPLETED)
        ending.cancel()
        if not task.done():
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            return None
        return task.result()

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.ending.wait()

    async def _say(self, report: WorkerReport) -> None:
        await self._bench.queue.signal("worker", report.name, to_record(report))

    def _report(self) -> WorkerReport:
        health, equipment = self._bench.health, self._equipment
        memory = equipment.memory()
        health.measured(memory.used, memory.total, len(equipment.loaded))
        return WorkerReport(
            name=self._bench.name,
            state=health.state,
            tier=equipment.tier,
            engines=self._engines,
            device=equipment.device,
            memory_total=memory.total,
            memory_used=memory.used,
            loaded=tuple(equipment.loaded),
            work=self._doing,
            cold_start_seconds=health.cold_start_seconds,
            reason=health.reason,
        )
