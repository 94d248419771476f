"""Stock clips in the tenant's own storage, found by meaning."""

from collections.abc import Collection

from reelmesh.storage.v1 import asset_pb2, storage_service_pb2
from reelmesh.storage.v1.storage_service_pb2_grpc import StorageServiceStub
from services.common.channels import Channel
from services.common.identity import Identity, acting_as
from services.orchestrator.adapters.wire import from_duration
from services.orchestrator.domain.films.tasks import Piece

LABEL = "stock"
# Hits less like the words than this show something else.
LEAST_SCORE = 0.3
_LOOKED_AT = 50


class LibraryClient:
    """`domain.films.ports.LibraryPort`."""

    def __init__(self, channel: Channel) -> None:
        """Take the channel to storage."""
        self._stub = StorageServiceStub(channel)

    async def find(
        self, tenant: str, words: str, seconds: float, *, without: Collection[str] = ()
    ) -> Piece | None:
        """See `LibraryPort.find`."""
        # Films that stay here show their words to no embedder; and LEAST_SCORE is of words.
        request = storage_service_pb2.SearchAssetsRequest(
            query=words[:2000], limit=_LOOKED_AT, words_alone=True
        )
        with acting_as(Identity(tenant)):
            answer = await self._stub.SearchAssets(request)
        near = (hit.asset for hit in answer.hits if hit.score >= LEAST_SCORE)
        hits = (asset for asset in near if asset.name not in without)
        return next((_piece(asset) for asset in hits if _fits(asset, seconds)), None)

    async def still(self, tenant: str, asset: str) -> Piece | None:
        """See `LibraryPort.still`."""
        with acting_as(Identity(tenant)):
            made = await self._asset(asset)
            name = made.derived.get("thumbnail", "")
            still = await self._asset(name) if name else None
        return Piece(asset=still.name, sha256=still.sha256) if still else None

    async def _asset(self, name: str) -> asset_pb2.Asset:
        request = storage_service_pb2.GetAssetRequest(name=name)
        found: asset_pb2.Asset = (await self._stub.GetAsset(request)).asset
        return found


def _fits(asset: asset_pb2.Asset, seconds: float) -> bool:
    """Whether it is a stock clip that is long enough; a storyboard is none."""
    stock = asset.labels.get(LABEL) == "true" and asset.content_type.startswith("video/")
    long_enough = (from_duration(asset.media.duration) or 0.0) >= seconds
    return stock and long_enough and not asset.placeholder


def _piece(asset: asset_pb2.Asset) -> Piece:
    credit = [asset.labels.get(name, "") for name in ("attribution", "licence")]
    return Piece(
        asset=asset.name,
        sha256=asset.sha256,
        duration_seconds=from_duration(asset.media.duration) or 0.0,
        model=LABEL,
        credit=", ".join(part for part in credit if part),
    )
