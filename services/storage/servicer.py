"""``StorageService`` over gRPC: convert, one use case, convert back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from typing_extensions import override

from reelmesh.storage.v1 import asset_pb2
from reelmesh.storage.v1 import storage_service_pb2 as pb
from reelmesh.storage.v1.storage_service_pb2_grpc import StorageServiceServicer
from services.common.errors import ServiceError
from services.common.identity import current_identity
from services.storage import convert, uploads
from services.storage.domain.ports import Query

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from services.storage.domain.assets import Asset
    from services.storage.usecases.export import Export
    from services.storage.usecases.fetch import Fetch
    from services.storage.usecases.ingest import Ingest
    from services.storage.usecases.library import Library
    from services.storage.usecases.reuse import Reuse
    from services.storage.usecases.seek import Seek
    from services.storage.usecases.stream import Stream
    from services.storage.usecases.usage import Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class UseCases:
    """What can be asked of storage."""

    ingest: Ingest
    fetch: Fetch
    library: Library
    seek: Seek
    export: Export
    reuse: Reuse
    stream: Stream
    usage: Usage


class StorageServicer(StorageServiceServicer):
    """Serves every RPC for the tenant that the interceptor found."""

    def __init__(self, cases: UseCases, *, storage_url: Callable[[str], str]) -> None:
        self._cases = cases
        self._storage_url = storage_url

    @override
    async def UploadAsset(
        self, request_iterator: AsyncIterator[pb.UploadAssetRequest], context: object
    ) -> pb.UploadAssetResponse:
        """Store a stream of chunks."""
        try:
            header = await uploads.header(request_iterator)
            intake = convert.upload_intake(current_identity().tenant, header)
            stored = await self._cases.ingest.receive(intake, uploads.uploaded(request_iterator))
        except ServiceError:
            await uploads.drained(request_iterator)
            raise
        return pb.UploadAssetResponse(asset=self._message(stored))

    @override
    async def ImportAsset(
        self, request: pb.ImportAssetRequest, context: object
    ) -> pb.ImportAssetResponse:
        """Fetch a URL into storage."""
        intake = convert.import_intake(current_identity().tenant, request)
        source = self._cases.fetch.fetch(intake.tenant, request.uri, intake.answer)
        stored = await self._cases.ingest.receive(intake, source)
        return pb.ImportAssetResponse(asset=self._message(stored))

    @override
    async def GetAsset(self, request: pb.GetAssetRequest, context: object) -> pb.GetAssetResponse:
        """Return one asset."""
        found = await self._cases.library.get(current_identity().tenant, request.name)
        return pb.GetAssetResponse(asset=self._message(found))

    @override
    async def ListAssets(
        self, request: pb.ListAssetsRequest, context: object
    ) -> pb.ListAssetsResponse:
        """Page through the tenant's assets."""
        wanted = Query(
            tenant=current_identity().tenant,
            creative_id=request.creative_id,
            waiting=request.waiting,
            held=request.held,
        )
        found, token = await self._cases.library.page(convert.page_request(request), wanted)
        return pb.ListAssetsResponse(assets=map(self._message, found), next_page_token=token)

    @override
    async def FindAssets(
        self, request: pb.FindAssetsRequest, context: object
    ) -> pb.FindAssetsResponse:
        """Page through the assets that have every facet and label asked for."""
        wanted = Query(
            tenant=current_identity().tenant,
            facets=convert.facets(request.facets),
            labels=dict(request.labels),
        )
        found, token = await self._cases.library.page(convert.page_request(request), wanted)
        return pb.FindAssetsResponse(assets=map(self._message, found), next_page_token=token)

    @override
    async def SearchAssets(
        self, request: pb.SearchAssetsRequest, context: object
    ) -> pb.SearchAssetsResponse:
        """Return the assets nearest in meaning, best first."""
        answer = await self._cases.seek.search(
            current_identity().tenant,
            request.query,
            facets=convert.facets(request.facets),
            limit=request.limit,
            words_alone=request.words_alone,
        )
        hits = [pb.SearchHit(asset=self._message(each), score=s) for each, s in answer.hits]
        return pb.SearchAssetsResponse(hits=hits, words_alone=answer.words_alone)

    @override
    async def DownloadAsset(
        self, request: pb.DownloadAssetRequest, context: object
    ) -> AsyncIterator[pb.DownloadAssetResponse]:
        """Stream the bytes; the first message carries the asset."""
        found, chunks = await self._cases.library.read(
            current_identity().tenant, request.name, offset=request.offset, length=request.length
        )
        yield pb.DownloadAssetResponse(asset=self._message(found))
        async for chunk in chunks:
            yield pb.DownloadAssetResponse(chunk=chunk)

    @override
    async def SignAssetUrl(
        self, request: pb.SignAssetUrlRequest, context: object
    ) -> pb.SignAssetUrlResponse:
        """Return a URL to the bytes."""
        url, expires = await self._cases.library.sign(
            current_identity().tenant,
            request.name,
            lifetime=convert.lifetime(request),
            download_name=request.download_name,
        )
        return pb.SignAssetUrlResponse(url=url, expire_time=convert.timestamp(expires))

    @override
    async def SignPlaylist(
        self, request: pb.SignPlaylistRequest, context: object
    ) -> pb.SignPlaylistResponse:
        """Return the HLS playlist of a film, its addresses signed."""
        playlist, expires = await self._cases.stream.playlist(
            current_identity().tenant, request.name, lifetime=convert.lifetime(request)
        )
        return pb.SignPlaylistResponse(playlist=playlist, expire_time=convert.timestamp(expires))

    @override
    async def DeleteAsset(
        self, request: pb.DeleteAssetRequest, context: object
    ) -> pb.DeleteAssetResponse:
        """Delete bytes and derived files; the record stays."""
        proof = await self._cases.library.delete(current_identity().tenant, request.name)
        return pb.DeleteAssetResponse(asset=self._message(proof))

    @override
    async def SetLegalHold(
        self, request: pb.SetLegalHoldRequest, context: object
    ) -> pb.SetLegalHoldResponse:
        """Hold an asset against deletion and expiry, or let it go."""
        found = await self._cases.library.hold(
            current_identity().tenant, request.name, held=request.held
        )
        return pb.SetLegalHoldResponse(asset=self._message(found))

    @override
    async def RecordReuse(
        self, request: pb.RecordReuseRequest, context: object
    ) -> pb.RecordReuseResponse:
        """Count that an asset was served again."""
        found = await self._cases.reuse.record(
            current_identity().tenant,
            request.name,
            request_id=request.request_id,
            saving_micros=convert.saving(request),
        )
        return pb.RecordReuseResponse(asset=self._message(found))

    @override
    async def ExportAssets(
        self, request: pb.ExportAssetsRequest, context: object
    ) -> AsyncIterator[pb.ExportAssetsResponse]:
        """Stream everything that the tenant has."""
        parts = self._cases.export.everything(
            current_identity().tenant, after=request.after, records_only=request.records_only
        )
        async for part in parts:
            if isinstance(part, bytes):
                yield pb.ExportAssetsResponse(chunk=part)
            else:
                yield pb.ExportAssetsResponse(asset=self._message(part))

    @override
    async def GetUsage(self, request: pb.GetUsageRequest, context: object) -> pb.GetUsageResponse:
        """Return what the tenant uses of its quota."""
        used, policy = await self._cases.usage.of(current_identity().tenant)
        told = pb.GetUsageResponse(size_bytes=used, quota_bytes=policy.quota_bytes)
        if policy.retention is not None:
            told.retention.FromTimedelta(policy.retention)
        return told

    def _message(self, found: Asset) -> asset_pb2.Asset:
        return convert.asset(found, self._storage_url(str(found.key)))
