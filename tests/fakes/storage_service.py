"""A StorageService in memory: assets of tenants, read in chunks through the real protocol."""

import hashlib

from reelmesh.storage.v1 import asset_pb2, storage_service_pb2, storage_service_pb2_grpc
from services.common.errors import DataLoss, NotFound, Unimplemented
from services.common.identity import current_identity

CHUNK = 64 * 1024


class FakeStorageService(storage_service_pb2_grpc.StorageServiceServicer):
    """Keeps assets by tenant and name; counts the bytes that were read."""

    def __init__(self) -> None:
        self.content: dict[tuple[str, str], bytes] = {}
        self.content_type = "video/mp4"
        self.bytes_read = 0
        self.damaged = False

    def put(self, name: str, content: bytes, *, tenant: str = "default") -> None:
        self.content[tenant, name] = content

    def _asset(self, name: str) -> tuple[asset_pb2.Asset, bytes]:
        found = self.content.get((current_identity().tenant, name))
        if found is None:
            raise NotFound("asset", name)
        digest = hashlib.sha256(found).hexdigest()
        asset = asset_pb2.Asset(
            name=name, size_bytes=len(found), sha256=digest, content_type=self.content_type
        )
        return asset, found

    async def GetAsset(self, request, context):
        return storage_service_pb2.GetAssetResponse(asset=self._asset(request.name)[0])

    async def DownloadAsset(self, request, context):
        asset, content = self._asset(request.name)
        if self.damaged:
            raise DataLoss("the file is gone", metadata={"asset": request.name})
        end = request.offset + (request.length or len(content))
        yield storage_service_pb2.DownloadAssetResponse(asset=asset)
        for start in range(request.offset, min(end, len(content)), CHUNK):
            chunk = content[start : min(start + CHUNK, end)]
            self.bytes_read += len(chunk)
            yield storage_service_pb2.DownloadAssetResponse(chunk=chunk)

    async def _not_here(self, request, context):
        raise Unimplemented("this fake only reads")

    UploadAsset = ImportAsset = ListAssets = FindAssets = SearchAssets = _not_here
    SignAssetUrl = DeleteAsset = SetLegalHold = RecordReuse = SignPlaylist = _not_here
    GetUsage = _not_here

    async def ExportAssets(self, request, context):
        raise Unimplemented("this fake only reads")
        yield
