"""A bus, and a tenant that no other test uses."""

import uuid
from collections.abc import AsyncIterator

import pytest

from services.common.bus import Bus


@pytest.fixture
def tenant() -> str:
    return f"tenant {uuid.uuid4()}"


@pytest.fixture
async def bus(nats_url: str) -> AsyncIterator[Bus]:
    async with await Bus.connect(nats_url) as bus:
        yield bus
