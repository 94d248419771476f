"""`CacheService`: gRPC in, a use case, gRPC out."""

from typing import Any

from typing_extensions import override

from reelmesh.orchestrator.v1 import cache_service_pb2 as pb
from reelmesh.orchestrator.v1.cache_service_pb2_grpc import CacheServiceServicer
from services.common.identity import ADMIN, current_identity
from services.orchestrator.convert.cache import stats_message
from services.orchestrator.usecases.purge import KeepCache

# Who may spend is not who may forget.
SCOPES = {"/reelmesh.orchestrator.v1.CacheService/PurgeCache": ADMIN}


class Cache(CacheServiceServicer):
    """`CacheService`. To purge takes the admin scope, see `SCOPES`."""

    def __init__(self, use: KeepCache) -> None:
        """Take the use cases."""
        self._use = use

    @override
    async def GetCacheStats(
        self, request: pb.GetCacheStatsRequest, context: Any
    ) -> pb.GetCacheStatsResponse:
        return stats_message(await self._use.stats(current_identity().tenant))

    @override
    async def PurgeCache(
        self, request: pb.PurgeCacheRequest, context: Any
    ) -> pb.PurgeCacheResponse:
        entries, deleted = await self._use.purge(
            current_identity().tenant, delete_assets=request.delete_assets
        )
        return pb.PurgeCacheResponse(entries=entries, deleted_assets=deleted)
