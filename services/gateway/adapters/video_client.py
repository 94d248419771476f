"""Client of the services behind REST: calls by name, driven by the endpoint table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reelmesh.generator.v1 import vendor_key_service_pb2_grpc
from reelmesh.orchestrator.v1 import (
    budget_service_pb2_grpc,
    cache_service_pb2_grpc,
    character_service_pb2_grpc,
    comparison_service_pb2_grpc,
    film_service_pb2_grpc,
    policy_service_pb2_grpc,
    video_service_pb2_grpc,
)
from reelmesh.storage.v1 import storage_service_pb2_grpc

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    import grpc.aio
    from google.protobuf.message import Message


class VideoClient:
    """Calls over a channel that turns statuses into ``ServiceError`` by itself."""

    def __init__(
        self, channel: grpc.aio.Channel, generator: grpc.aio.Channel, storage: grpc.aio.Channel
    ) -> None:
        """Speak to the orchestrator and two others; the channels stay the caller's to close."""
        self._stubs: tuple[object, ...] = (
            video_service_pb2_grpc.VideoServiceStub(channel),
            film_service_pb2_grpc.FilmServiceStub(channel),
            budget_service_pb2_grpc.BudgetServiceStub(channel),
            cache_service_pb2_grpc.CacheServiceStub(channel),
            policy_service_pb2_grpc.PolicyServiceStub(channel),
            vendor_key_service_pb2_grpc.VendorKeyServiceStub(generator),
            comparison_service_pb2_grpc.ComparisonServiceStub(channel),
            character_service_pb2_grpc.CharacterServiceStub(channel),
            storage_service_pb2_grpc.StorageServiceStub(storage),
        )

    async def call(self, rpc: str, request: Message) -> Message:
        """Return the answer of the unary call ``rpc``; raises its ``ServiceError``."""
        response: Message = await self._method(rpc)(request)
        return response

    async def watch(self, rpc: str, request: Message) -> AsyncGenerator[Message, None]:
        """Yield every answer of the stream ``rpc`` to its end; closing cancels the call."""
        call = self._method(rpc)(request)
        try:
            async for response in call:
                yield response
        finally:
            call.cancel()

    def _method(self, rpc: str) -> Any:
        return getattr(next(stub for stub in self._stubs if hasattr(stub, rpc)), rpc)
