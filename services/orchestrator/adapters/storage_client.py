"""The storage service over gRPC, on behalf of a tenant."""

import hashlib
import time
from collections import OrderedDict
from collections.abc import Iterator

from reelmesh.storage.v1 import asset_pb2, storage_service_pb2
from reelmesh.storage.v1.storage_service_pb2_grpc import StorageServiceStub
from services.common.channels import Channel
from services.common.identity import Identity, acting_as
from services.orchestrator.adapters.wire import to_duration

LIFETIME_SECONDS = 3600.0
CHUNK = 256 * 1024
REMEMBERED = 10_000


class StorageClient:
    """`domain.ports.AssetPort`; a signed URL is handed out again for half of its life."""

    def __init__(self, channel: Channel) -> None:
        """Start without remembered URLs."""
        self._stub = StorageServiceStub(channel)
        self._signed: OrderedDict[tuple[str, str], tuple[float, str]] = OrderedDict()

    async def sign(self, tenant: str, asset: str) -> str:
        """See `AssetPort.sign`."""
        known = self._signed.get((tenant, asset))
        if known is not None and known[0] > time.monotonic():
            return known[1]
        request = storage_service_pb2.SignAssetUrlRequest(
            name=asset, lifetime=to_duration(LIFETIME_SECONDS)
        )
        with acting_as(Identity(tenant)):
            url = (await self._stub.SignAssetUrl(request)).url
        self._signed[tenant, asset] = (time.monotonic() + LIFETIME_SECONDS / 2, url)
        if len(self._signed) > REMEMBERED:
            self._signed.popitem(last=False)
        return url

    async def store_image(self, tenant: str, data: bytes) -> str:
        """See `AssetPort.store_image`."""
        digest = hashlib.sha256(data).hexdigest()
        header = storage_service_pb2.UploadHeader(
            asset=asset_pb2.Asset(
                content_type=_picture_type(data), facets=asset_pb2.Facets(asset_type="image")
            ),
            request_id=f"image-{digest}",
            sha256=digest,
            size_bytes=len(data),
        )

        def parts() -> Iterator[storage_service_pb2.UploadAssetRequest]:
            yield storage_service_pb2.UploadAssetRequest(header=header)
            for start in range(0, len(data), CHUNK):
                yield storage_service_pb2.UploadAssetRequest(chunk=data[start : start + CHUNK])

        with acting_as(Identity(tenant)):
            return (await self._stub.UploadAsset(parts())).asset.name


def _picture_type(data: bytes) -> str:
    kinds = {b"\x89": "image/png", b"\xff": "image/jpeg"}
    return kinds.get(data[:1], "image/webp")
