"""What comes in quick succession is told once; the end is told at once, and nothing is lost."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from services.orchestrator.usecases.newest import newest

END = 99


def is_end(view: int) -> bool:
    return view == END


async def scripted(*script: float | Exception) -> AsyncGenerator[int]:
    """Whole numbers are views, others are pauses in seconds."""
    for item in script:
        if isinstance(item, Exception):
            raise item
        if isinstance(item, int):
            yield item
        else:
            await asyncio.sleep(item)


async def told(*script: float | Exception, every: float = 0.05) -> list[int]:
    return [view async for view in newest(scripted(*script), is_end, every)]


async def test_quick_work_shows_nothing_but_its_end() -> None:
    assert await told(1, 2, 3, END, every=30) == [END]


async def test_a_view_is_shown_when_nothing_newer_comes() -> None:
    assert await told(1, 2, 0.5, 3, END) == [2, END]


async def test_a_fast_stream_is_shown_all_the_same() -> None:
    steps = [each for number in range(40) for each in (number, 0.01)]
    seen = await told(*steps, END, every=0.03)
    assert len(seen) > 2
    assert seen == sorted(set(seen))


async def test_nothing_is_read_after_the_end() -> None:
    source = scripted(1, END, ValueError("never read"))
    assert [view async for view in newest(source, is_end, 30)] == [END]
    await source.aclose()


async def test_a_stream_without_an_end_still_gives_its_newest() -> None:
    assert await told(1, 2, every=30) == [2]


async def test_an_error_of_the_source_is_raised() -> None:
    with pytest.raises(ValueError, match="broken"):
        await told(1, ValueError("broken"))


async def test_whoever_stops_reading_may_close_the_source() -> None:
    async def read() -> None:
        async with (
            aclosing(scripted(1, 0.2, 2, 30.0, END)) as source,
            aclosing(newest(source, is_end, 0.01)) as shown,
        ):
            async for _ in shown:
                raise ValueError("the reader broke")

    with pytest.raises(ValueError, match="the reader broke"):
        await read()


async def test_the_source_is_let_go_when_the_reader_is_cancelled() -> None:
    closed = asyncio.Event()

    async def endless() -> AsyncGenerator[int]:
        try:
            while True:
                yield 1
                await asyncio.sleep(0.01)
        finally:
            closed.set()

    source = endless()

    async def read() -> None:
        async for _ in newest(source, is_end, 0.02):
            pass

    task = asyncio.create_task(read())
    await asyncio.sleep(0.1)
    task.cancel()
    await asyncio.wait({task})
    await source.aclose()
    assert closed.is_set()
