import asyncio
import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from services.common.errors import DataLoss, Internal
from services.generator.domain.facts import Cost, Progress
from services.generator.domain.ports import Lost, Made, Work
from services.generator.engines.engine import Product
from services.generator.worker.local import LocalBackend
from tests.fakes.generator_parts import FREE, entry, paid_model


class SlowEngine:
    """Writes a file once it is let go."""

    def suffix(self, work) -> str:
        return ".mp4"

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.begun: list[str] = []
        self.ended: list[str] = []
        self.error: Exception | None = None
        self.gpu_seconds = 0.0

    async def make(self, work: Work, destination: Path, *, on_progress) -> Product:
        self.begun.append(work.id)
        try:
            on_progress(0.5)
            await self.go.wait()
            if self.error:
                raise self.error
            destination.write_bytes(b"film" * 100_000)
            on_progress(1.0)
            digest = hashlib.sha256(destination.read_bytes()).hexdigest()
            made = Product(content_type="video/mp4", sha256=digest, size_bytes=400_000, seed=3)
            return replace(made, gpu_seconds=self.gpu_seconds)
        finally:
            self.ended.append(work.id)


def work(identifier: str) -> Work:
    made = entry(identifier)
    return Work(
        id=identifier,
        tenant="acme",
        model=paid_model(),
        identity=made.generation.identity,
        task=made.order.task,
        order=made.order,
    )


async def collect(backend: LocalBackend, identifier: str) -> list[object]:
    return [update async for update in backend.updates(work(identifier), identifier)]


@pytest.fixture
def engine() -> SlowEngine:
    return SlowEngine()


async def test_it_says_how_far_it_is_and_gives_the_file_as_often_as_asked(engine, tmp_path) -> None:
    backend = LocalBackend(engine, tmp_path / "scratch", limit=1)
    engine.go.set()
    assert not (await backend.submit(work("a"))).queued
    updates = await collect(backend, "a")
    assert updates[:2] == [
        Progress(source="steps"),
        Progress(percent=49, source="steps"),
    ]
    made = updates[-1]
    assert isinstance(made, Made)
    assert (made.seed, made.cost) == (3, FREE)
    for _ in range(2):
        async with made.opened() as content:
            sizes = [len(chunk) async for chunk in content.chunks]
        assert sum(sizes) == content.size_bytes == 400_000
        assert max(sizes) == 256 * 1024
    assert content.sha256 == "", "storage would leave what it is told the digest of unfinished"
    await backend.forget(work("a"))
    assert list((tmp_path / "scratch").iterdir()) == []


async def test_a_file_that_was_changed_on_the_disk_is_not_taken_for_what_was_made(
    engine, tmp_path
) -> None:
    backend = LocalBackend(engine, tmp_path, limit=1)
    engine.go.set()
    await backend.submit(work("a"))
    made = (await collect(backend, "a"))[-1]
    assert isinstance(made, Made)
    (tmp_path / "a.mp4").write_bytes(b"flim" * 100_000)
    async with made.opened() as content:
        with pytest.raises(DataLoss, match="another one than was made"):
            [chunk async for chunk in content.chunks]


async def test_work_queues_in_order_of_arrival_and_says_so(engine, tmp_path) -> None:
    backend = LocalBackend(engine, tmp_path, limit=1)
    tasks = []
    for name in "abc":
        accepted = await backend.submit(work(name))
        assert accepted.queued is (name != "a")
        tasks.append(asyncio.create_task(collect(backend, name)))
        await asyncio.sleep(0.01)
    assert engine.begun == ["a"]
    engine.go.set()
    first, second, _ = await asyncio.gather(*tasks)
    assert engine.begun == ["a", "b", "c"]
    assert first[0] == Progress(source="steps")
    assert second[:2] == [Progress(queued=True), Progress(source="steps")]


async def test_dropping_the_updates_ends_the_work_and_frees_its_place(engine, tmp_path) -> None:
    backend = LocalBackend(engine, tmp_path, limit=1)
    await backend.submit(work("a"))
    task = asyncio.create_task(collect(backend, "a"))
    await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.wait([task])
    assert engine.ended == ["a"]
    engine.go.set()
    assert not (await backend.submit(work("b"))).queued
    assert isinstance((await collect(backend, "b"))[-1], Made)


async def test_a_failure_is_free(engine, tmp_path) -> None:
    backend = LocalBackend(engine, tmp_path, limit=1)
    engine.error = Internal("the worker died")
    engine.go.set()
    await backend.submit(work("a"))
    lost = (await collect(backend, "a"))[-1]
    assert isinstance(lost, Lost)
    assert (lost.failure.message, lost.cost) == ("the worker died", FREE)


async def test_work_of_an_earlier_life_is_lost_and_may_be_ordered_again(engine, tmp_path) -> None:
    lost = (await collect(LocalBackend(engine, tmp_path, limit=1), "a"))[-1]
    assert isinstance(lost, Lost)
    assert lost.failure.retryable
    assert engine.begun == []


@pytest.mark.parametrize("asked", [True, False])
async def test_what_an_earlier_life_had_half_made_is_removed(engine, tmp_path, asked) -> None:
    """With the work that is asked for again, and with work that has ended otherwise."""
    for name in ("a.work", "b.work"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "clips-0").write_bytes(b"a clip")
    backend = LocalBackend(engine, tmp_path, limit=1)
    if asked:
        await collect(backend, "a")
    else:
        await backend.forget(work("a"))
    assert [each.name for each in tmp_path.iterdir()] == ["b.work"]


async def test_a_file_that_was_finished_in_an_earlier_life_is_found_again(engine, tmp_path) -> None:
    before = LocalBackend(engine, tmp_path, limit=1)
    engine.go.set()
    await before.submit(work("a"))
    await collect(before, "a")
    after = LocalBackend(engine, tmp_path, limit=1)
    assert isinstance((await collect(after, "a"))[-1], Made)
    (tmp_path / "a.mp4").write_bytes(b"torn")
    assert isinstance((await collect(after, "a"))[-1], Lost)
    assert engine.begun == ["a"]


async def test_time_on_a_gpu_is_charged_as_measured_and_is_unknown_without_a_rate(
    engine, tmp_path
) -> None:
    engine.go.set()
    engine.gpu_seconds = 120.0
    costs = []
    for rate in (2_490_000, None):
        backend = LocalBackend(engine, tmp_path / f"scratch{rate}", limit=1, gpu_rate=rate)
        await backend.submit(work("a"))
        made = (await collect(backend, "a"))[-1]
        assert isinstance(made, Made)
        costs.append(made.cost)
    assert costs == [Cost(micros=83_000, source="measured"), None]
