"""Asks another service whether it is ready."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from grpc_health.v1 import health_pb2, health_pb2_grpc

if TYPE_CHECKING:
    import grpc.aio


class HealthClient:
    """``grpc.health.v1`` of one service."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        """Use ``channel``, which stays the caller's to close."""
        # The package has no types for its stubs.
        self._stub: Any = health_pb2_grpc.HealthStub(channel)

    async def ready(self) -> bool:
        """Return whether the service says SERVING; raises when it cannot be reached."""
        response = await self._stub.Check(health_pb2.HealthCheckRequest(), timeout=1.5)
        return bool(response.status == health_pb2.HealthCheckResponse.SERVING)
