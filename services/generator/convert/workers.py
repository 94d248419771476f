"""GPU workers as the contract shows them."""

from google.protobuf import duration_pb2

from reelmesh.generator.v1 import generator_service_pb2
from services.generator.domain.workers import WorkerReport

_STATES = generator_service_pb2.Worker.State


def worker_to_proto(report: WorkerReport) -> generator_service_pb2.Worker:
    """Return the message, without what the worker is at: that is another tenant's business."""
    cold_start = duration_pb2.Duration()
    cold_start.FromMicroseconds(round(report.cold_start_seconds * 1e6))
    return generator_service_pb2.Worker(
        name=report.name,
        state=_STATES.Value(f"STATE_{report.state.value}"),
        tier=report.tier.value,
        engines=report.engines,
        device=report.device,
        memory_total_bytes=report.memory_total,
        memory_used_bytes=report.memory_used,
        loaded_models=report.loaded,
        cold_start=cold_start,
        reason=report.reason,
    )
