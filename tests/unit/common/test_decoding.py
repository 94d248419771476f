"""Bytes that are no message become a wrong value of the request."""

from collections.abc import AsyncIterator

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from services.common.decoding import checked, checked_stream, tolerant
from services.common.errors import InvalidArgument

GARBAGE = b"\xff\xff\xff"


def test_a_message_passes_through() -> None:
    read = tolerant(Timestamp.FromString)
    assert read is not None
    assert checked(read(Timestamp(seconds=7).SerializeToString())).seconds == 7


def test_garbage_is_refused_with_the_field() -> None:
    read = tolerant(Timestamp.FromString)
    assert read is not None
    with pytest.raises(InvalidArgument) as raised:
        checked(read(GARBAGE))
    assert [violation.field for violation in raised.value.violations] == ["request"]


def test_a_call_without_a_deserializer_keeps_none() -> None:
    assert tolerant(None) is None


async def test_a_stream_ends_at_its_first_garbage() -> None:
    read = tolerant(Timestamp.FromString)
    assert read is not None

    async def sent() -> AsyncIterator[object]:
        for content in (Timestamp(seconds=1).SerializeToString(), GARBAGE, b""):
            yield read(content)

    messages = checked_stream(sent())
    assert (await anext(messages)).seconds == 1
    with pytest.raises(InvalidArgument):
        await anext(messages)
