"""Hears of the GPU workers over the bus."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from nats.aio.msg import Msg

from services.common import clock
from services.generator.adapters.work_queue import WorkQueue, signal_subject
from services.generator.domain.workers import Fleet, WorkerState, report_from_record


@asynccontextmanager
async def hearing_of_workers(queue: WorkQueue, *, believed: float) -> AsyncIterator[Fleet]:
    """Give the fleet, kept up to date while the block runs. Raises Unavailable."""
    fleet = Fleet(clock.now, believed=believed)

    async def heard(message: Msg) -> None:
        report = report_from_record(json.loads(message.data))
        if report.state is WorkerState.DRAINING and not report.work:
            fleet.leave(report.name)
        else:
            fleet.hear(report)

    async with queue.listening(signal_subject("worker", "*"), heard):
        yield fleet
