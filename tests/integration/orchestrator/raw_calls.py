"""Calls that send bytes as they are, and what an answer to them must never show."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
from google.protobuf import descriptor

from services.common.identity import IDENTITY_KEY, Identity
from tests.integration.orchestrator.conftest import SIGNER, House

# What a defect would show: a stack, a class of ours or of a library, a path.
REVEALING = re.compile(
    r"Traceback|File \"|<class|Error\(|Exception|services\.|/work|\.py\b|asyncpg"
)


def path_of(method: descriptor.MethodDescriptor) -> str:
    return f"/{method.containing_service.full_name}/{method.name}"


@asynccontextmanager
async def raw_calls(house: House) -> AsyncIterator[Any]:
    """A call that sends bytes as they are and returns the error, or None."""
    metadata = ((IDENTITY_KEY, SIGNER.sign(Identity("acme"))),)
    async with grpc.aio.insecure_channel(
        house.address, options=[("grpc.max_send_message_length", -1)]
    ) as channel:

        async def call(method: descriptor.MethodDescriptor, content: bytes, timeout: float) -> Any:
            kind: Any = channel.unary_stream if method.server_streaming else channel.unary_unary
            started = kind(path_of(method))(content, timeout=timeout, metadata=metadata)
            try:
                if method.server_streaming:
                    async for _ in started:
                        pass
                else:
                    await started
            except grpc.aio.AioRpcError as error:
                return error
            return None

        yield call
