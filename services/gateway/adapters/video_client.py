"""Client of the orchestrator's services: calls by name, driven by the endpoint table."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from reelmesh.orchestrator.v1 import budget_service_pb2_grpc, video_service_pb2_grpc

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    import grpc.aio
    from google.protobuf.message import Message

    from reelmesh.orchestrator.v1.video_service_pb2 import WatchVideoJobRequest


class VideoClient:
    """Calls over a channel that turns statuses into ``ServiceError`` by itself."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        """Use ``channel``, which stays the caller's to close."""
        self._stub = video_service_pb2_grpc.VideoServiceStub(channel)
        self._budgets = budget_service_pb2_grpc.BudgetServiceStub(channel)

    async def call(self, rpc: str, request: Message) -> Message:
        """Return the answer of the unary call ``rpc``; raises its ``ServiceError``."""
        stub = self._stub if hasattr(self._stub, rpc) else self._budgets
        response: Message = await getattr(stub, rpc)(request)
        return response

    async def watch(self, request: Message) -> AsyncGenerator[Message, None]:
        """Yield every ``WatchVideoJobResponse`` until the job ends; closing cancels the call."""
        call = self._stub.WatchVideoJob(cast("WatchVideoJobRequest", request))
        try:
            async for response in call:
                yield response
        finally:
            call.cancel()
