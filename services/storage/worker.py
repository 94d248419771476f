"""The background work of storage: one sweep after the other."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING

from services.common.errors import ServiceError
from services.common.telemetry import get_logger

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import timedelta

    from services.storage.usecases.sweep import Sweep

log = get_logger(__name__)


@asynccontextmanager
async def sweeping(sweep: Sweep, every: timedelta) -> AsyncIterator[None]:
    """Sweep while the block runs; an error is logged and the next sweep tries again."""
    task = asyncio.create_task(_sweep_for_ever(sweep, every))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _sweep_for_ever(sweep: Sweep, every: timedelta) -> None:
    while True:
        try:
            report = await sweep.once()
        except ServiceError as error:
            log.warning("sweep_failed", reason=error.reason, message=error.message)
        except Exception:
            log.exception("sweep_failed")
        else:
            if report.worked:
                log.info("swept", **asdict(report))
        await asyncio.sleep(every.total_seconds())
