"""Every RPC of the contract, from the descriptors, and how to call one with bytes of our own."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import grpc
from google.protobuf import descriptor

from reelmesh.generator.v1 import generator_service_pb2, vendor_key_service_pb2
from reelmesh.orchestrator.v1 import (
    budget_service_pb2,
    cache_service_pb2,
    character_service_pb2,
    comparison_service_pb2,
    film_service_pb2,
    policy_service_pb2,
    video_service_pb2,
)
from reelmesh.prompt.v1 import prompt_service_pb2
from reelmesh.storage.v1 import storage_service_pb2

Method = descriptor.MethodDescriptor
SERVED_BY = {
    video_service_pb2: "orchestrator",
    film_service_pb2: "orchestrator",
    budget_service_pb2: "orchestrator",
    policy_service_pb2: "orchestrator",
    cache_service_pb2: "orchestrator",
    character_service_pb2: "orchestrator",
    comparison_service_pb2: "orchestrator",
    generator_service_pb2: "generator",
    vendor_key_service_pb2: "generator",
    storage_service_pb2: "storage",
    prompt_service_pb2: "prompt",
}
METHODS: list[tuple[str, Method]] = [
    (name, method)
    for file, name in SERVED_BY.items()
    for service in file.DESCRIPTOR.services_by_name.values()
    for method in service.methods
]


def short(method: Method) -> str:
    """Service and RPC, such as "VideoService.GetVideoJob"."""
    return f"{method.containing_service.name}.{method.name}"


async def call(
    address: str, method: Method, content: bytes, metadata: Sequence[tuple[str, str]]
) -> grpc.aio.AioRpcError | None:
    """Send the bytes as the request; returns the error, or None when it was served."""
    path = f"/{method.containing_service.full_name}/{method.name}"

    async def one() -> AsyncIterator[bytes]:
        yield content

    async with grpc.aio.insecure_channel(address) as channel:
        sent: Any = one() if method.client_streaming else content
        kind = ("stream" if method.client_streaming else "unary") + (
            "_stream" if method.server_streaming else "_unary"
        )
        started = getattr(channel, kind)(path)(sent, metadata=tuple(metadata), timeout=8)
        try:
            if method.server_streaming:
                async for _ in started:
                    break
            else:
                await started
        except grpc.aio.AioRpcError as error:
            return error
    return None
