"""Client of the generator, for what vendors send of their own accord."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reelmesh.generator.v1 import generator_service_pb2, generator_service_pb2_grpc
from services.common.identity import INTERNAL, Identity, acting_as

if TYPE_CHECKING:
    from collections.abc import Mapping

    import grpc.aio

_WE_OURSELVES = Identity("reelmesh-gateway", frozenset({INTERNAL}))


class GeneratorClient:
    """Calls in the gateway's own name: a vendor has no tenant."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        """Use ``channel``, which stays the caller's to close."""
        self._stub = generator_service_pb2_grpc.GeneratorServiceStub(channel)

    async def receive(
        self, provider: str, token: str, *, headers: Mapping[str, str], body: bytes
    ) -> str:
        """Pass a callback on; return the word to echo, "" for none. Raises ``PermissionDenied``."""
        request = generator_service_pb2.ReceiveWebhookRequest(
            provider=provider, token=token, headers=headers, body=body
        )
        with acting_as(_WE_OURSELVES):
            answer = await self._stub.ReceiveWebhook(request)
        return answer.challenge
