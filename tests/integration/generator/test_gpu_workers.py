"""GPU workers as processes of their own behind a real generator, storage, database and bus."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from google.protobuf.duration_pb2 import Duration
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from reelmesh.generator.v1 import generation_pb2, model_pb2
from reelmesh.generator.v1 import generator_service_pb2 as pb
from reelmesh.generator.v1.generator_service_pb2_grpc import GeneratorServiceStub
from reelmesh.storage.v1 import storage_service_pb2
from services.common.channels import Channel
from services.common.events import RESULTS_STREAM, WORK_STREAM
from services.generator.__main__ import running
from services.generator.settings import Settings
from tests.fakes.checkpoints import Shelf
from tests.fakes.gpu_process import GpuProcess
from tests.fakes.waiting import until
from tests.servers import Nats
from tests.servers.process import free_ports

pytestmark = pytest.mark.timeout(120)
State = generation_pb2.Generation.State
Worker = pb.Worker.State


def request(request_id: str = "job1/n1/1", fps: int = 24) -> pb.CreateGenerationRequest:
    video = generation_pb2.VideoTask(
        prompt="a heron at dawn",
        duration=Duration(seconds=1),
        aspect_ratio="16:9",
        resolution="480p",
        fps=fps,
    )
    video.options.update({"local": {"steps": 2}})
    task = generation_pb2.Task(video=video)
    return pb.CreateGenerationRequest(request_id=request_id, model="ltx_video", task=task)


class Yard:
    """A generator that queues, its storage, and the workers that a test starts."""

    def __init__(self, folder: Path, nats: Nats, storage_address: str, storage: Any) -> None:
        self.folder = folder
        self.nats = nats
        self.storage = storage
        self._environment = {"NATS_URL": nats.url, "STORAGE_ADDRESS": storage_address}
        self._settings = Settings(
            address="127.0.0.1:0",
            data_dir=folder / "generator",
            database_url="",
            storage_address=storage_address,
            nats_url=nats.url,
            local="queue",
            worker_silence_seconds=2.0,
            heartbeat_seconds=0.2,
            lease_seconds=1,
            drain_grace=1,
            probe_seconds=0,
            vendors={},
        )
        self.workers: list[GpuProcess] = []
        self.stub: Any = None

    @asynccontextmanager
    async def generator(self, **changes: Any) -> AsyncIterator[None]:
        settings = self._settings.model_copy(update=changes)
        async with running(settings) as address, Channel(address) as channel:
            self.stub = GeneratorServiceStub(channel)
            yield

    async def worker(self, name: str, *command: str, **settings: str) -> GpuProcess:
        process = GpuProcess(name, self.folder, {**self._environment, **settings})
        self.workers.append(process)
        await process.start(*command)
        await until(lambda: self.there(name, Worker.STATE_READY, Worker.STATE_BUSY), 200)
        return process

    async def there(self, name: str, *states: Any) -> bool:
        """Whether the worker is heard of, in one of the states."""
        found = (await self.stub.GetCapacity(pb.GetCapacityRequest())).workers
        wanted = states or (Worker.STATE_READY,)
        return any(one.name == name and one.state in wanted for one in found)

    def made(self) -> list[list[str]]:
        """[worker, generation] for everything that was begun."""
        log = self.folder / "makes.log"
        return [line.split() for line in log.read_text().splitlines()] if log.exists() else []

    def go(self) -> None:
        (self.folder / "go").touch()

    async def create(self, **kwargs: Any) -> Any:
        return (await self.stub.CreateGeneration(request(**kwargs))).generation

    async def end_of(self, name: str, seconds: float = 60) -> Any:
        async with asyncio.timeout(seconds):
            stream = self.stub.WatchGeneration(pb.WatchGenerationRequest(name=name))
            last = None
            async for change in stream:
                last = change.generation
            return last

    async def assets(self) -> list[Any]:
        listed = await self.storage.ListAssets(storage_service_pb2.ListAssetsRequest())
        return list(listed.assets)


@pytest.fixture
async def yard(
    tmp_path: Path, nats_server: Nats, storage_address: str, storage: Any
) -> AsyncIterator[Yard]:
    made = Yard(tmp_path, nats_server, storage_address, storage)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(made.generator())
        yield made
        for worker in made.workers:
            await worker.close()


async def one_result(yard: Yard, ended: Any) -> None:
    """The generation succeeded, and storage holds one asset: its."""
    assert ended.state == State.STATE_SUCCEEDED, ended.error
    [asset] = await yard.assets()
    assert asset.name == ended.asset
    assert asset.lineage.generation == ended.name
    assert (ended.output.sha256, ended.progress_percent) == (asset.sha256, 100)
    assert ended.submissions == 1


async def test_a_worker_makes_a_clip_stores_it_and_is_paid_by_its_seconds(yard: Yard) -> None:
    health, probes = free_ports(2)
    await yard.worker(
        "w1",
        GPU_WORKER_ADDRESS=f"127.0.0.1:{health}",
        GPU_WORKER_METRICS_ADDRESS=f"127.0.0.1:{probes}",
    )
    await until(lambda: _serving(f"127.0.0.1:{health}"))
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{probes}") as http:
        assert (await http.get("/readyz")).status_code == 200
        told = (await http.get("/metrics")).text
    assert 'reelmesh_gpu_worker_state{state="READY"} 1.0' in told
    assert 'reelmesh_gpu_worker_memory_bytes{kind="total"} 80.0' in told
    yard.go()
    ended = await yard.end_of((await yard.create()).name)
    await one_result(yard, ended)
    assert (ended.cost.nanos, ended.cost_source) == (1_000_000, "measured")  # 3.6 s at $1 an hour
    assert (ended.output.seed, ended.output.method) == (7, "w1")
    assert ended.output.duration.ToSeconds() == 1


@pytest.mark.stress
@pytest.mark.xdist_group("torch")
@pytest.mark.timeout(300)  # torch is imported by the test and by the process of the models
async def test_a_model_of_a_real_family_is_tried_before_ready_and_served_from_memory(
    yard: Yard,
) -> None:
    checkpoint = Shelf(yard.folder / "checkpoints").get("ltx_video")
    await yard.worker(
        "w1",
        *("-c", "from services.suite.cli import main; main()", "worker"),
        *("--preload", "ltx_video", "--tier", "cinema"),
        LOCAL_LTX_VIDEO_PATH=str(checkpoint),
        HF_HUB_OFFLINE="1",
    )
    await until(lambda: _lies_loaded(yard, "ltx_video"), 40)
    ended = await yard.end_of((await yard.create(fps=8)).name, 200)
    await one_result(yard, ended)
    assert (ended.output.width, ended.output.height) == (854, 480)
    assert "cpu float32" in ended.output.method
    assert (ended.cost_source, ended.cost.nanos) == ("free", 0)  # no GPU, no GPU seconds


async def _lies_loaded(yard: Yard, model: str) -> bool:
    [told] = (await yard.stub.GetCapacity(pb.GetCapacityRequest())).workers
    return model in told.loaded_models


async def _serving(address: str) -> bool:
    async with Channel(address) as channel:
        stub: Any = HealthStub(channel)
        answer = await stub.Check(HealthCheckRequest(), timeout=30)
        return bool(answer.status == HealthCheckResponse.SERVING)


async def test_models_are_ready_while_a_worker_serves_them(yard: Yard) -> None:
    async def standing() -> Any:
        listed = await yard.stub.ListModels(pb.ListModelsRequest(task="video"))
        [found] = [model for model in listed.models if model.id == "ltx_video"]
        return found

    missing = await standing()
    assert missing.availability == model_pb2.Model.AVAILABILITY_NO_DEVICE
    assert missing.unavailable_reason == "no GPU worker is there that serves ltx_video"
    worker = await yard.worker("w1")
    assert (await standing()).availability == model_pb2.Model.AVAILABILITY_READY
    [told] = (await yard.stub.GetCapacity(pb.GetCapacityRequest())).workers
    assert (told.device, told.tier, list(told.engines)) == (
        "a card of the tests",
        "cinema",
        ["ltx_video"],
    )
    assert (told.memory_used_bytes, told.memory_total_bytes) == (1, 80)
    assert list(told.loaded_models) == ["ltx_video"]
    assert told.cold_start.ToMicroseconds() > 0
    worker.send(signal.SIGKILL)
    await until(lambda: _gone(standing), 40)


async def _gone(standing: Any) -> bool:
    return bool((await standing()).availability == model_pb2.Model.AVAILABILITY_NO_DEVICE)


async def test_a_worker_that_is_killed_is_taken_over_once(yard: Yard) -> None:
    first = await yard.worker("w1")
    generation = await yard.create()
    await until(yard.made, 40)
    first.send(signal.SIGKILL)
    await yard.worker("w2")
    yard.go()
    ended = await yard.end_of(generation.name)
    await one_result(yard, ended)
    assert [worker for worker, _ in yard.made()] == ["w1", "w2"]
    assert ended.output.method == "w2"


async def test_a_worker_that_freezes_is_taken_over_and_its_late_result_changes_nothing(
    yard: Yard,
) -> None:
    frozen = await yard.worker("w1")
    generation = await yard.create()
    await until(yard.made, 40)
    frozen.send(signal.SIGSTOP)
    await yard.worker("w2")
    await until(lambda: len(yard.made()) == 2, 40)
    yard.go()
    ended = await yard.end_of(generation.name)
    assert ended.output.method == "w2"
    frozen.send(signal.SIGCONT)
    await until(lambda: yard.there("w1", Worker.STATE_READY), 40)  # done with what it was at
    again = await yard.stub.GetGeneration(pb.GetGenerationRequest(name=generation.name))
    assert again.generation == ended
    await one_result(yard, ended)


async def test_a_worker_that_is_told_to_end_hands_its_work_back(yard: Yard) -> None:
    first = await yard.worker("w1", GPU_WORKER_DRAIN_SECONDS="0", GPU_WORKER_ACK_WAIT_SECONDS="60")
    generation = await yard.create()
    await until(yard.made, 40)
    first.send(signal.SIGTERM)
    assert await first.ended() == 0
    await yard.worker("w2", GPU_WORKER_ACK_WAIT_SECONDS="60")
    yard.go()
    await one_result(yard, await yard.end_of(generation.name, 30))  # not after a minute's silence


@pytest.mark.stress
async def test_a_worker_that_is_told_to_end_finishes_what_it_can(yard: Yard) -> None:
    worker = await yard.worker("w1", GPU_WORKER_DRAIN_SECONDS="30")
    generation = await yard.create()
    await until(yard.made, 40)
    worker.send(signal.SIGTERM)
    await until(lambda: yard.there("w1", Worker.STATE_BUSY, Worker.STATE_DRAINING))
    yard.go()
    assert await worker.ended() == 0
    await one_result(yard, await yard.end_of(generation.name))


async def test_a_cancel_stops_the_worker_and_costs_nothing(yard: Yard) -> None:
    await yard.worker("w1")
    generation = await yard.create()
    await until(yard.made, 40)
    answer = await yard.stub.CancelGeneration(pb.CancelGenerationRequest(name=generation.name))
    assert (answer.generation.state, answer.still_billed) == (State.STATE_CANCELLED, "")
    await until(lambda: yard.there("w1", Worker.STATE_READY), 40)
    yard.go()
    following = await yard.create(request_id="job2")
    assert (await yard.end_of(following.name)).state == State.STATE_SUCCEEDED
    assert len(await yard.assets()) == 1
    after = await yard.stub.GetGeneration(pb.GetGenerationRequest(name=generation.name))
    assert not after.generation.cost.units
    assert not after.generation.cost.nanos


async def test_a_generator_that_died_finds_the_result_that_waits_for_it(
    tmp_path: Path, nats_server: Nats, storage_address: str, storage: Any
) -> None:
    yard = Yard(tmp_path, nats_server, storage_address, storage)
    async with yard.generator():
        await yard.worker("w1")
        generation = await yard.create()
        await until(yard.made, 40)
    yard.go()
    await until(lambda: _stored(yard), 40)
    async with yard.generator():
        ended = await yard.end_of(generation.name)
    for worker in yard.workers:
        await worker.close()
    await one_result(yard, ended)
    assert len(yard.made()) == 1


async def _stored(yard: Yard) -> bool:
    return bool(await yard.assets())


async def test_a_bus_that_lost_everything_is_filled_from_the_ledger(
    tmp_path: Path, nats_server: Nats, storage_address: str, storage: Any
) -> None:
    yard = Yard(tmp_path, nats_server, storage_address, storage)
    async with yard.generator(device=True):  # a worker comes when there is work
        await _lose_and_fill(yard)
        for worker in yard.workers:
            await worker.close()


async def test_a_batch_waits_in_a_queue_of_its_own_and_lets_single_clips_go_first(
    tmp_path: Path, nats_server: Nats, storage_address: str, storage: Any
) -> None:
    yard = Yard(tmp_path, nats_server, storage_address, storage)
    async with yard.generator(device=True):
        batch, single = request(request_id="batch"), request(request_id="single")
        batch.priority = pb.PRIORITY_BATCH
        names = [
            (await yard.stub.CreateGeneration(each)).generation.name for each in (batch, single)
        ]
        await until(lambda: _queued(yard, 2), 20)
        yard.go()
        await yard.worker("w1")
        for name in names:
            assert (await yard.end_of(name)).state == State.STATE_SUCCEEDED
        await yard.workers[0].close()
    order = [f"generations/{work}" for _, work in yard.made()]
    assert order == [names[1], names[0]]


async def _lose_and_fill(yard: Yard) -> None:
    names = [(await yard.create(request_id=f"job{number}")).name for number in range(3)]
    await until(lambda: _queued(yard, 3), 40)
    yard.nats.kill()
    for stream in (WORK_STREAM, RESULTS_STREAM):
        for path in yard.nats.directory.rglob(stream):
            await asyncio.to_thread(_forget, path)
    await yard.nats.restart()
    yard.go()
    await yard.worker("w1")
    for name in names:
        assert (await yard.end_of(name)).state == State.STATE_SUCCEEDED
    assert len(await yard.assets()) == 3
    assert sorted({work for _, work in yard.made()}) == sorted(
        name.removeprefix("generations/") for name in names
    )


async def _queued(yard: Yard, count: int) -> bool:
    capacities = (await yard.stub.GetCapacity(pb.GetCapacityRequest())).capacities
    return any(one.provider == "local" and one.waiting == count for one in capacities)


def _forget(path: Path) -> None:
    for each in sorted(path.rglob("*"), reverse=True):
        each.rmdir() if each.is_dir() else each.unlink()
    path.rmdir()
