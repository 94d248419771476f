"""The storage service over gRPC, on behalf of a tenant."""

import hashlib
import time
from collections import OrderedDict
from collections.abc import Iterator

from reelmesh.storage.v1 import asset_pb2, storage_service_pb2
from reelmesh.storage.v1.storage_service_pb2_grpc import StorageServiceStub
from services.common.channels import Channel
from services.common.errors import NotFound, ServiceError, Unavailable
from services.common.identity import Identity, acting_as
from services.orchestrator.adapters.wire import to_duration, to_money
from services.orchestrator.domain.cache.entries import Use
from services.orchestrator.domain.options import ImageInput
from services.orchestrator.domain.ports import Links

LIFETIME_SECONDS = 3600.0
WITHOUT_STILL_SECONDS = 5.0
CHUNK = 256 * 1024
REMEMBERED = 10_000


class StorageClient:
    """`AssetPort` and the cache's `Clips`; links are handed out again for half of their life."""

    def __init__(self, channel: Channel) -> None:
        """Start without remembered links."""
        self._stub = StorageServiceStub(channel)
        self._known: OrderedDict[tuple[str, str], tuple[float, Links]] = OrderedDict()

    async def links(self, tenant: str, asset: str, *, still: bool = True) -> Links:
        """See `AssetPort.links`."""
        known = self._known.get((tenant, asset))
        if known is not None and known[0] > time.monotonic():
            return known[1]
        with acting_as(Identity(tenant)):
            thumbnail = await self._still_of(asset) if still else ""
            links = Links(
                content=await self._sign(asset),
                thumbnail=await self._sign(thumbnail) if thumbnail else "",
            )
        # A still is made a moment after its clip: without one the links are soon looked up again.
        keep = LIFETIME_SECONDS / 2 if thumbnail else WITHOUT_STILL_SECONDS
        self._known[tenant, asset] = (time.monotonic() + keep, links)
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return links

    async def _still_of(self, asset: str) -> str:
        request = storage_service_pb2.GetAssetRequest(name=asset)
        found: asset_pb2.Asset = (await self._stub.GetAsset(request)).asset
        return found.derived.get("thumbnail", "")

    async def _sign(self, asset: str) -> str:
        request = storage_service_pb2.SignAssetUrlRequest(
            name=asset, lifetime=to_duration(LIFETIME_SECONDS)
        )
        answer: storage_service_pb2.SignAssetUrlResponse = await self._stub.SignAssetUrl(request)
        return answer.url

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

        with acting_as(Identity(tenant)):
            asset = (await self._stub.UploadAsset(_parts(header, data))).asset
            while asset.state == asset_pb2.Asset.STATE_DELETED:
                # Once more for each deletion, under an id that another life finds again.
                header.request_id = f"image-{digest[:40]}-{asset.name.partition('/')[2]}"
                asset = (await self._stub.UploadAsset(_parts(header, data))).asset
        if asset.state != asset_pb2.Asset.STATE_STORED:
            raise Unavailable(f"the bytes of {asset.name} are not stored yet")
        return asset.name

    async def digest(self, tenant: str, image: ImageInput, once: str) -> str:
        """See `Clips.digest`."""
        with acting_as(Identity(tenant)):
            if image.uri:
                picture = asset_pb2.Asset(facets=asset_pb2.Facets(asset_type="image"))
                wanted = storage_service_pb2.ImportAssetRequest(
                    uri=image.uri, asset=picture, request_id=once
                )
                found: asset_pb2.Asset = (await self._stub.ImportAsset(wanted)).asset
            else:
                request = storage_service_pb2.GetAssetRequest(name=image.asset)
                found = (await self._stub.GetAsset(request)).asset
        if not found.sha256:  # all whose bytes never came would be the same picture
            raise NotFound("picture", found.name)
        return found.sha256

    async def picture(self, tenant: str, asset: str) -> str | None:
        """See `AssetPort.picture`."""
        with acting_as(Identity(tenant)):
            request = storage_service_pb2.GetAssetRequest(name=asset)
            found: asset_pb2.Asset = (await self._stub.GetAsset(request)).asset
        if found.state == asset_pb2.Asset.STATE_DELETED:
            raise NotFound("asset", asset)
        known = found.content_type
        return found.sha256 if not known or known.startswith("image/") else None

    async def present(self, tenant: str, asset: str) -> bool:
        """See `Clips.present`."""
        request = storage_service_pb2.GetAssetRequest(name=asset)
        with acting_as(Identity(tenant)):
            try:
                found: asset_pb2.Asset = (await self._stub.GetAsset(request)).asset
            except NotFound:
                return False
            except ServiceError:
                return True
        return found.state != asset_pb2.Asset.STATE_DELETED

    async def reused(self, use: Use) -> None:
        """See `Clips.reused`."""
        request = storage_service_pb2.RecordReuseRequest(
            name=use.asset, request_id=use.attempt, saving=to_money(use.saved_micros)
        )
        with acting_as(Identity(use.tenant)):
            await self._stub.RecordReuse(request)

    async def delete(self, tenant: str, asset: str) -> None:
        """See `Clips.delete`."""
        with acting_as(Identity(tenant)):
            await self._stub.DeleteAsset(storage_service_pb2.DeleteAssetRequest(name=asset))


def _parts(
    header: storage_service_pb2.UploadHeader, data: bytes
) -> Iterator[storage_service_pb2.UploadAssetRequest]:
    yield storage_service_pb2.UploadAssetRequest(header=header)
    for start in range(0, len(data), CHUNK):
        yield storage_service_pb2.UploadAssetRequest(chunk=data[start : start + CHUNK])


def _picture_type(data: bytes) -> str:
    kinds = {b"\x89": "image/png", b"\xff": "image/jpeg"}
    return kinds.get(data[:1], "image/webp")
