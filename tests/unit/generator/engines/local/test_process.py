"""The process of models as its parent sees it: death, silence, calling off; the service lives."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.common.errors import NoDevice, Unavailable
from services.generator.domain.facts import Cost
from services.generator.domain.ports import Made
from services.generator.engines.local.engine import LocalEngine
from services.generator.engines.local.probe import Source
from services.generator.engines.local.process import ModelProcess
from services.generator.worker.local import LocalBackend
from tests.fakes.local_work import clip, local_work
from tests.stack.waiting import until

MODULE = "tests.fakes.model_process"


@pytest.fixture
async def process() -> AsyncIterator[ModelProcess]:
    made = ModelProcess(module=MODULE, stopping=0.5)
    yield made
    await made.close()


@pytest.fixture
def engine(process: ModelProcess, tmp_path: Path) -> LocalEngine:
    return LocalEngine(process, {"ltx_video": Source(model="ltx_video", location=str(tmp_path))})


async def make(engine: LocalEngine, folder: Path, prompt: str, on_progress=lambda _: None):
    path = folder / f"{prompt}.mp4"
    work = local_work(clip(prompt=prompt), identifier=prompt)
    product = await engine.make(work, path, on_progress=on_progress)
    return product, path


async def begun(engine: LocalEngine, folder: Path, prompt: str) -> "asyncio.Task[object]":
    under_way = asyncio.Event()
    task = asyncio.create_task(make(engine, folder, prompt, lambda _: under_way.set()))
    await under_way.wait()
    return task


async def test_what_was_made_is_moved_whole_and_nothing_is_left(engine, tmp_path) -> None:
    told: list[float] = []
    product, path = await make(engine, tmp_path, "a fox", told.append)
    assert path.read_bytes() == b"made of a fox"
    assert product.size_bytes == len(b"made of a fox")
    assert (product.gpu_seconds, product.load_seconds) == (0, 0)  # no card, nothing to pay
    assert told == [0.25]
    assert [each.name for each in tmp_path.iterdir()] == ["a fox.mp4"]


async def test_a_process_that_dies_fails_its_work_and_the_next_begins_another(
    engine, process, tmp_path
) -> None:
    await make(engine, tmp_path, "first")
    before = process.pid
    with pytest.raises(Unavailable, match="died"):
        await make(engine, tmp_path, "die")
    await make(engine, tmp_path, "second")
    assert process.pid not in {0, before}
    assert sorted(each.name for each in tmp_path.iterdir()) == ["first.mp4", "second.mp4"]


async def test_nobody_waits_for_a_process_that_has_closed_its_end_and_stays(
    engine, process, tmp_path
) -> None:
    with pytest.raises(Unavailable, match="died"):
        await make(engine, tmp_path, "close")
    async with asyncio.timeout(30):
        with pytest.raises(Unavailable, match="died"):
            await process.state()
        await make(engine, tmp_path, "next")
        assert (await process.state())["used"] == 1


async def test_a_kill_between_orders_is_not_noticed_by_the_next(engine, process, tmp_path) -> None:
    await make(engine, tmp_path, "first")
    os.kill(process.pid, signal.SIGKILL)
    await until(lambda: not process.pid, 30)
    await make(engine, tmp_path, "second")


async def test_calling_off_stops_one_order_and_keeps_the_process(engine, process, tmp_path) -> None:
    task = await begun(engine, tmp_path, "slow")
    pid = process.pid
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await make(engine, tmp_path, "next")
    assert process.pid == pid


async def test_a_process_that_comes_to_no_step_is_ended_when_nobody_else_waits(
    engine, process, tmp_path
) -> None:
    task = await begun(engine, tmp_path, "freeze")
    pid = process.pid
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await make(engine, tmp_path, "next")
    assert process.pid != pid


async def test_others_are_not_ended_for_one_that_comes_to_no_step(
    engine, process, tmp_path
) -> None:
    frozen = await begun(engine, tmp_path, "freeze")
    slow = await begun(engine, tmp_path, "slow")
    pid = process.pid
    frozen.cancel()
    with pytest.raises(asyncio.CancelledError):
        await frozen
    assert process.pid == pid
    assert not slow.done()
    slow.cancel()
    with pytest.raises(asyncio.CancelledError):
        await slow


async def test_what_does_not_fit_is_refused_with_its_numbers(engine, tmp_path) -> None:
    with pytest.raises(NoDevice, match="too large") as caught:
        await make(engine, tmp_path, "refuse")
    assert caught.value.metadata["needed_bytes"] == "9"


async def test_a_model_that_is_not_installed_names_its_variable(process, tmp_path) -> None:
    engine = LocalEngine(process, {})
    with pytest.raises(NoDevice, match="set LOCAL_LTX_VIDEO_PATH"):
        await make(engine, tmp_path, "a fox")
    assert process.pid == 0


async def test_seconds_of_a_card_are_told_and_cost_its_rate(tmp_path) -> None:
    """1.5 s of work and 0.5 s of loading at 3.6 USD an hour are 2,000 millionths."""
    process = ModelProcess(module=MODULE, pinned=["on a card"])
    source = Source(model="ltx_video", location=str(tmp_path))
    engine = LocalEngine(process, {"ltx_video": source})
    backend = LocalBackend(engine, tmp_path / "scratch", limit=1, gpu_rate=3_600_000)
    work = local_work(clip(prompt="a fox"), identifier="g1")
    try:
        await backend.submit(work)
        made = [update async for update in backend.updates(work, "g1")][-1]
    finally:
        await process.close()
    assert isinstance(made, Made)
    assert made.cost == Cost(micros=2_000, source="measured")


async def test_a_process_that_cannot_start_says_so(tmp_path) -> None:
    process = ModelProcess(module=MODULE, pinned=["unable"])
    with pytest.raises(Unavailable, match="could not start"):
        await process.start()
    await process.close()
