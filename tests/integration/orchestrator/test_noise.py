"""Bytes that mean nothing, to every method: each is refused in words that tell nothing."""

import random
from typing import Any

import grpc
import pytest
from google.protobuf import descriptor

from reelmesh.orchestrator.v1 import budget_service_pb2, film_service_pb2, policy_service_pb2
from reelmesh.orchestrator.v1 import video_service_pb2 as pb
from tests.integration.orchestrator.conftest import House
from tests.integration.orchestrator.raw_calls import REVEALING, raw_calls

FILES = (pb, film_service_pb2, budget_service_pb2, policy_service_pb2)
METHODS = [
    method
    for file in FILES
    for service in file.DESCRIPTOR.services_by_name.values()
    for method in service.methods
]
MESSAGES = 200


def noise(dice: random.Random, method: descriptor.MethodDescriptor) -> bytes:
    """Plain noise, or fields of the request with values that mean nothing."""
    if dice.random() < 0.5:
        return dice.randbytes(dice.randrange(60))
    parts = []
    for _ in range(dice.randrange(1, 6)):
        number = dice.choice([f.number for f in method.input_type.fields] or [1])
        kind = dice.choice([0, 1, 2, 2, 2, 5])
        text = dice.randbytes(dice.randrange(20))
        bodies = {
            1: dice.randbytes(8),
            0: bytes([dice.randrange(128, 256), dice.randrange(128)]),
            2: bytes([len(text)]) + text,
            5: dice.randbytes(4),
        }
        parts.append(_varint(number << 3 | kind) + bodies[kind])
    return b"".join(parts)


def _varint(value: int) -> bytes:
    return bytes([value]) if value < 128 else bytes([value & 127 | 128]) + _varint(value >> 7)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("method", METHODS, ids=lambda m: m.full_name.removeprefix("reelmesh."))
async def test_noise_is_refused_and_tells_nothing(shared_house: House, method: Any) -> None:
    dice = random.Random(method.full_name)
    codes = set()
    async with raw_calls(shared_house) as call:
        for _ in range(MESSAGES):
            error = await call(method, noise(dice, method), 30)
            if error is not None:
                codes.add(error.code())
                assert not REVEALING.search(error.details() or ""), error.details()
                assert not REVEALING.search(repr(error.trailing_metadata())), error
    assert codes, "some of it must have been refused"
    assert codes <= {
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.NOT_FOUND,
        grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.INTERNAL,  # what gRPC itself says of bytes that are no message
    }
    assert not shared_house.generator.requests
