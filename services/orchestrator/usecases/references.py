"""Whose the pictures and the clip of a request are, asked before it is planned or accepted."""

from services.common.errors import NotFound
from services.orchestrator.domain.ports import AssetPort
from services.orchestrator.domain.request import VideoRequest


async def require_references(assets: AssetPort, tenant: str, request: VideoRequest) -> None:
    """Raise NotFound naming the field for an asset that is not the tenant's, or not there."""
    for name in ("video", "image", "last_image"):
        given = getattr(request, name)
        if given is not None and given.asset and not await assets.present(tenant, given.asset):
            raise NotFound("asset", given.asset, field=f"{name}.asset")
