"""Client of storage: what is known about an asset, and its bytes in order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reelmesh.storage.v1 import storage_service_pb2, storage_service_pb2_grpc
from services.gateway.domain.media import StoredMedia

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    import grpc.aio


class StorageClient:
    """Calls in the name of the identity that is current when they begin."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        """Use ``channel``, which stays the caller's to close."""
        self._stub = storage_service_pb2_grpc.StorageServiceStub(channel)

    async def find(self, name: str) -> StoredMedia:
        """Return the facts of ``assets/{id}``; raises ``NotFound``."""
        request = storage_service_pb2.GetAssetRequest(name=name)
        asset = (await self._stub.GetAsset(request)).asset
        return StoredMedia(asset.size_bytes, asset.content_type, asset.sha256)

    async def read(self, name: str, *, offset: int, length: int) -> AsyncGenerator[bytes, None]:
        """Yield ``length`` bytes from ``offset`` in chunks; closing ends the transfer."""
        request = storage_service_pb2.DownloadAssetRequest(name=name, offset=offset, length=length)
        call = self._stub.DownloadAsset(request)
        try:
            async for response in call:
                if response.chunk:
                    yield response.chunk
        finally:
            call.cancel()
