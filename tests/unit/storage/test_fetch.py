"""Bytes that come from others: the share of each tenant, and the least pace."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from reelmesh.storage.v1 import storage_service_pb2 as pb
from services.common.errors import Unavailable
from services.common.pace import Pace
from services.storage.domain.media_ports import Answer
from services.storage.uploads import uploaded
from services.storage.usecases.fetch import Fetch

SAID = Answer()


class Endless:
    """A source that never ends: it drips one byte at a time, or says nothing at all."""

    def __init__(self, *, silent: bool = False) -> None:
        self.open: list[str] = []
        self._silent = silent

    @asynccontextmanager
    async def fetch(self, uri: str, answer: Answer) -> AsyncIterator[AsyncIterator[bytes]]:
        self.open.append(uri)
        try:
            yield self._drip()
        finally:
            self.open.remove(uri)

    async def _drip(self) -> AsyncIterator[bytes]:
        while True:
            await asyncio.sleep(3600 if self._silent else 0)
            yield b"x"


async def test_a_tenant_with_slow_sources_keeps_no_other_from_its_imports() -> None:
    source = Endless()
    fetching = Fetch(source=source, at_once=2)
    async with AsyncExitStack() as stack:
        for number in range(2):
            await stack.enter_async_context(fetching.fetch("acme", f"slow {number}", SAID))
        third = asyncio.create_task(
            stack.enter_async_context(fetching.fetch("acme", "third", SAID))
        )
        async with fetching.fetch("other", "quick", SAID) as chunks:
            assert await anext(chunks) == b"x"
            assert not third.done()
            assert source.open == ["slow 0", "slow 1", "quick"]
        third.cancel()
        await asyncio.wait([third])
    async with fetching.fetch("acme", "fourth", SAID):
        assert source.open == ["fourth"], "the turns were given back"


@pytest.mark.parametrize("silent", [True, False], ids=["silent", "drips"])
async def test_a_source_that_is_silent_or_drips_is_left(silent: bool) -> None:
    source = Endless(silent=silent)
    pace = Pace(least_bytes=1 << 40, within=0.05)

    async def take() -> None:
        async with Fetch(source=source, at_once=1, pace=pace).fetch(
            "acme", "u", Answer()
        ) as chunks:
            async for _ in chunks:
                pass

    with pytest.raises(Unavailable, match="too slowly"):
        await take()
    assert source.open == []


async def test_a_caller_that_stops_in_the_midst_of_an_upload_is_left() -> None:
    async def silent() -> AsyncIterator[pb.UploadAssetRequest]:
        yield pb.UploadAssetRequest(chunk=b"x")
        await asyncio.sleep(3600)

    came: list[bytes] = []

    async def take() -> None:
        async with uploaded(silent(), Pace(least_bytes=2, within=0.05)) as chunks:
            async for chunk in chunks:
                came.append(chunk)

    with pytest.raises(Unavailable, match="too slowly"):
        await take()
    assert came == [b"x"]


async def test_time_that_goes_by_while_nobody_waits_for_the_source_does_not_count() -> None:
    pace = Pace(least_bytes=1 << 40, within=1.0)

    async def come() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b"x"

    got = b""
    async for chunk in pace.keep(come()):
        await asyncio.sleep(0.4)
        got += chunk
    assert got == b"xxx"


async def test_whoever_keeps_the_pace_is_followed_to_the_end() -> None:
    async def come() -> AsyncIterator[bytes]:
        for _ in range(24):
            await asyncio.sleep(0.05)
            yield bytes(1000)

    got = [len(chunk) async for chunk in Pace(least_bytes=1000, within=1.0).keep(come())]
    assert got == [1000] * 24
