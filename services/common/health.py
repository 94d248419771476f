"""``grpc.health.v1``: the health of a server and its services, as ``Readiness`` sees it."""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from grpc_health.v1 import health_pb2
from grpc_health.v1._async import HealthServicer
from typing_extensions import override

from services.common.telemetry import get_logger

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from services.common.readiness import Readiness

_SERVING = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING

log = get_logger(__name__)


class Health(HealthServicer):
    """Follows a ``Readiness``: NOT_SERVING until every check passes, and again while draining."""

    def __init__(
        self, readiness: Readiness, names: Sequence[str], *, interval: float = 1.0
    ) -> None:
        super().__init__()
        self._readiness = readiness
        self._names = ("", *names)
        self._interval = interval
        self._failing: tuple[str, ...] | None = None
        self._server_status = dict.fromkeys(self._names, _NOT_SERVING)

    @override
    async def Watch(self, request: Any, context: Any) -> None:
        """Stream the state until the caller leaves or the server has drained."""
        watching = asyncio.ensure_future(super().Watch(request, context))
        leaving = asyncio.ensure_future(self._readiness.draining.wait())
        try:
            await asyncio.wait({watching, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if leaving.done():
                await context.write(health_pb2.HealthCheckResponse(status=_NOT_SERVING))
        finally:
            for task in (watching, leaving):
                task.cancel()
            await asyncio.gather(watching, leaving, return_exceptions=True)

    async def refresh(self) -> None:
        """Run the checks once and publish what they say."""
        failing = await self._readiness.failing()
        if failing == self._failing:
            return
        if self._failing is not None or failing:
            log.info("health", serving=not failing, failing=list(failing))
        self._failing = failing
        for name in self._names:
            await self.set(name, _NOT_SERVING if failing else _SERVING)

    @asynccontextmanager
    async def following(self) -> AsyncIterator[None]:
        """Keep the published state true while the block runs."""
        await self.refresh()
        task = asyncio.create_task(self._follow())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _follow(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._interval):
                    await self._readiness.draining.wait()
            await self.refresh()
            if self._readiness.draining.is_set():
                return
