"""`ComparisonService`: gRPC in, a use case, gRPC out."""

from typing import Any

from typing_extensions import override

from reelmesh.orchestrator.v1 import comparison_service_pb2 as pb
from reelmesh.orchestrator.v1.comparison_service_pb2_grpc import ComparisonServiceServicer
from services.common.errors import ServiceError
from services.common.identity import current_identity
from services.common.telemetry import get_logger
from services.orchestrator.adapters.wire import to_money
from services.orchestrator.convert.comparisons import asset_of, comparison_message, scores_of
from services.orchestrator.convert.requests import video_request
from services.orchestrator.domain.ports import AssetPort, Links
from services.orchestrator.usecases.compare import CompareVideos, Report

_log = get_logger(__name__)


class Comparisons(ComparisonServiceServicer):
    """`ComparisonService`."""

    def __init__(self, use: CompareVideos, assets: AssetPort) -> None:
        """Take the use cases, and who signs URLs."""
        self._use = use
        self._assets = assets

    @override
    async def CreateComparison(
        self, request: pb.CreateComparisonRequest, context: Any
    ) -> pb.CreateComparisonResponse:
        caller, asked = current_identity(), video_request(request.request)
        report, most = await self._use.create(
            caller.tenant,
            asked,
            request.models,
            request_id=request.request_id,
            user=caller.key_id,
        )
        return pb.CreateComparisonResponse(
            comparison=await self._shown(report), max_price=to_money(most)
        )

    @override
    async def GetComparison(
        self, request: pb.GetComparisonRequest, context: Any
    ) -> pb.GetComparisonResponse:
        caller = current_identity()
        report = await self._use.get(caller.tenant, request.name, caller.key_id)
        return pb.GetComparisonResponse(comparison=await self._shown(report))

    @override
    async def ListComparisons(
        self, request: pb.ListComparisonsRequest, context: Any
    ) -> pb.ListComparisonsResponse:
        caller = current_identity()
        page, token = await self._use.list(
            caller.tenant, request.page_size, request.page_token, caller.key_id
        )
        comparisons = [comparison_message(report, {}) for report in page]
        return pb.ListComparisonsResponse(comparisons=comparisons, next_page_token=token)

    @override
    async def RateComparison(
        self, request: pb.RateComparisonRequest, context: Any
    ) -> pb.RateComparisonResponse:
        caller = current_identity()
        report = await self._use.rate(
            caller.tenant, request.name, scores_of(request), caller.key_id
        )
        return pb.RateComparisonResponse(comparison=await self._shown(report))

    async def _shown(self, report: Report) -> pb.Comparison:
        """The message with signed URLs; while storage is away they are missing."""
        links: dict[str, Links] = {}
        for asset in filter(None, map(asset_of, report.arms)):
            try:
                links[asset] = await self._assets.links(report.comparison.tenant, asset)
            except ServiceError as error:
                _log.warning("links_missing", asset=asset, reason=error.reason)
        return comparison_message(report, links)
