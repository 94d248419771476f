"""Batches as the contract shows them."""

from collections.abc import Sequence

from reelmesh.orchestrator.v1 import video_service_pb2 as pb
from services.common.errors import InvalidArgument, ServiceError
from services.orchestrator.adapters.wire import to_error, to_money
from services.orchestrator.convert.jobs import job_message
from services.orchestrator.convert.requests import video_request
from services.orchestrator.usecases.batch import Batch, Item


def batch_items(message: pb.BatchGenerateVideosRequest, tenant: str) -> Sequence[Item]:
    """One item for each request, faulty ones too, so that every fault can be told at once."""
    return [_item(request, tenant) for request in message.requests]


def _item(message: pb.GenerateVideoRequest, tenant: str) -> Item:
    try:
        if message.tenant_name not in {"", tenant}:
            raise InvalidArgument("tenant_name", "is not yours", allowed=(tenant,))
        return Item(request=video_request(message), request_id=message.request_id)
    except ServiceError as error:
        return Item(error=error)


def batch_message(batch: Batch) -> pb.BatchGenerateVideosResponse:
    """The jobs as they are now, and what they may cost together."""
    return pb.BatchGenerateVideosResponse(
        items=[pb.BatchItem(job=job_message(j), error=to_error(j.error)) for j in batch.jobs],
        max_price=to_money(batch.max_price_micros),
        min_price=to_money(batch.min_price_micros),
        replayed=batch.replayed,
    )
