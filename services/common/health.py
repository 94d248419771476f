"""``grpc.health.v1``: the health of a server and its services, as ``Readiness`` sees it."""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from typing_extensions import override

from services.common.telemetry import get_logger

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from services.common.readiness import Readiness

_Answer = health_pb2.HealthCheckResponse

log = get_logger(__name__)


class Health(health_pb2_grpc.HealthServicer):
    """Follows a ``Readiness``: NOT_SERVING until every check passes, and again while draining."""

    def __init__(
        self, readiness: Readiness, names: Sequence[str], *, interval: float = 1.0
    ) -> None:
        self._readiness = readiness
        self._names = frozenset({"", *names})
        self._interval = interval
        self._failing: tuple[str, ...] = ("starting",)
        self._changed = asyncio.Event()

    @override
    async def Check(self, request: Any, context: Any) -> Any:
        """Answer the state of one service, "" for the whole server."""
        if request.service not in self._names:
            await context.abort(grpc.StatusCode.NOT_FOUND, "no such service")
        return _Answer(status=self._status(request.service))

    @override
    async def Watch(self, request: Any, context: Any) -> None:
        """Stream the state until the caller leaves or the server drains."""
        last = None
        while True:
            changed, leaving = self._changed, self._readiness.draining.is_set()
            status = self._status(request.service)
            if status != last:
                await context.write(_Answer(status=status))
                last = status
            if leaving:
                return
            await changed.wait()

    def _status(self, service: str) -> Any:
        if service not in self._names:
            return _Answer.SERVICE_UNKNOWN
        away = self._failing or self._readiness.draining.is_set()
        return _Answer.NOT_SERVING if away else _Answer.SERVING

    async def refresh(self) -> None:
        """Run the checks once and publish what they say."""
        failing = await self._readiness.failing()
        if failing == self._failing:
            return
        log.info("health", serving=not failing, failing=list(failing))
        self._failing = failing
        self._changed.set()
        self._changed = asyncio.Event()

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
