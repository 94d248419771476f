"""Our worker on RunPod and our adapter for it, with RunPod's job API in between and a real S3."""

import asyncio
import base64
import gzip
import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration

from reelmesh.generator.v1 import generation_pb2
from reelmesh.generator.v1 import generator_service_pb2 as pb
from reelmesh.generator.v1.generator_service_pb2_grpc import GeneratorServiceStub
from reelmesh.storage.v1 import storage_service_pb2
from services.common.channels import Channel
from services.common.errors import Internal, InvalidArgument
from services.common.url_policy import UrlPolicy
from services.generator.__main__ import running
from services.generator.adapters.result_bucket import ResultBucket
from services.generator.domain.gpu_work import Tier
from services.generator.domain.ports import Work
from services.generator.domain.tasks import VideoTask
from services.generator.engines.engine import Product
from services.generator.settings import Settings
from services.generator.worker.gpu.equipment import Memory
from services.generator.worker.gpu.serverless import Handler
from services.generator.worker.gpu.settings import WorkerSettings
from tests.fakes.clips import make_clip
from tests.fakes.runpod_platform import KEY, RunPodPlatform
from tests.servers import Bucket
from tests.unit.generator.providers.raw_server import always, answer, raw_server

State = generation_pb2.Generation.State
PICTURE = b"\x89PNG\r\n\x1a\n" + b"pixels"


class Card:
    """Equipment that draws one red clip, or fails as it is told."""

    models = ("wan_2_2_5b",)
    device = "a card"
    tier = Tier.CINEMA
    loaded = models

    def __init__(self) -> None:
        self.seen: list[Work] = []
        self.errors: list[Exception] = []
        self.warm_ups = 0
        self.warm_up_errors: list[Exception] = []
        self.open = 0
        self.begun = asyncio.Event()
        self.go = asyncio.Event()
        self.go.set()

    @property
    def engine(self) -> "Card":
        return self

    async def look(self) -> None:
        """Nothing changes."""

    def memory(self) -> Memory:
        return Memory()

    async def warm_up(self) -> None:
        self.warm_ups += 1
        if self.warm_up_errors:
            raise self.warm_up_errors.pop(0)

    def suffix(self, work: Work) -> str:
        return ".mp4"

    async def make(
        self, work: Work, destination: Path, *, on_progress: Callable[[float], None]
    ) -> Product:
        self.seen.append(work)
        if self.errors:
            raise self.errors.pop(0)
        on_progress(0.5)
        self.begun.set()
        await self.go.wait()
        await asyncio.to_thread(make_clip, destination, frames=24)
        data = destination.read_bytes()
        digest = hashlib.sha256(data).hexdigest()
        return Product(
            content_type="video/mp4",
            sha256=digest,
            size_bytes=len(data),
            width=192,
            height=108,
            fps=24.0,
            duration_seconds=1.0,
            seed=work.order.task.seed,  # type: ignore[union-attr] # a clip has one
            gpu_seconds=4.5,
            warnings=("snapped",),
        )


@pytest.fixture
def card() -> Card:
    return Card()


@pytest.fixture
async def handler(card: Card, s3: Bucket, tmp_path: Path) -> AsyncIterator[Handler]:
    @asynccontextmanager
    async def opened(_: WorkerSettings, _storage: object) -> AsyncIterator[Card]:
        card.open += 1
        try:
            yield card
        finally:
            card.open -= 1

    settings = WorkerSettings(data_dir=tmp_path / "pod", checkpoints={})
    told: list[str] = []
    made = Handler(
        settings,
        opened,
        ResultBucket(s3.bucket, "runpod", s3.client()),
        tell=lambda _job, words: told.append(words),
    )
    yield made
    await made.close()
    assert set(told) <= {"50%"}


@pytest.fixture
async def platform(handler: Handler) -> AsyncIterator[RunPodPlatform]:
    async with RunPodPlatform(handler.__call__).serving() as platform:
        yield platform


@pytest.fixture
async def generator(
    tmp_path: Path, storage_address: str, platform: RunPodPlatform, s3: Bucket
) -> AsyncIterator[Any]:
    settings = Settings(
        address="127.0.0.1:0",
        data_dir=tmp_path,
        database_url="",
        storage_address=storage_address,
        vendors={
            "RUNPOD_API_KEY": KEY,
            "RUNPOD_ENDPOINT_ID": "ep123",
            "RUNPOD_BASE_URL": platform.url,
        },
        poll_seconds=0.05,
        probe_seconds=0,
        second_looks_seconds=(),
        result_allowed_hosts=frozenset({s3.endpoint_url.removeprefix("http://")}),
    )
    async with running(settings) as address, Channel(address) as channel:
        yield GeneratorServiceStub(channel)


def request(**kwargs: Any) -> pb.CreateGenerationRequest:
    video = generation_pb2.VideoTask(
        prompt="a lighthouse in fog",
        negative_prompt="blur",
        duration=Duration(seconds=5),
        aspect_ratio="1:1",
        resolution="480p",
        fps=16,
        seed=7,
        **kwargs,
    )
    task = generation_pb2.Task(video=video)
    return pb.CreateGenerationRequest(request_id="job1", model="runpod_serverless", task=task)


async def end_of(generator: Any, asked: pb.CreateGenerationRequest) -> Any:
    created = (await generator.CreateGeneration(asked)).generation
    last = created
    async with asyncio.timeout(40):
        async for change in generator.WatchGeneration(pb.WatchGenerationRequest(name=created.name)):
            last = change.generation
    return last


async def test_what_our_adapter_asks_our_worker_understands_and_the_clip_is_stored(
    generator: Any, storage: Any, card: Card, platform: RunPodPlatform
) -> None:
    image = generation_pb2.Media(data=PICTURE)
    ended = await end_of(generator, request(image=image))
    assert ended.state == State.STATE_SUCCEEDED, ended.error
    [work] = card.seen
    task = work.task
    assert isinstance(task, VideoTask)
    assert (task.prompt, task.negative_prompt, task.seed) == ("a lighthouse in fog", "blur", 7)
    assert (task.duration_seconds, task.fps, task.aspect_ratio) == (5, 16, "1:1")
    assert task.resolution == "480p"
    assert task.image is not None
    assert task.image.data == PICTURE
    asked = storage_service_pb2.GetAssetRequest(name=ended.asset)
    assert (await storage.GetAsset(asked)).asset.media.width == 192
    assert platform.jobs["job-0-u1"]["output"]["gpu_seconds"] == 4.5


async def test_a_job_that_fails_there_fails_here_and_only_a_bad_machine_is_refreshed(
    generator: Any, card: Card, platform: RunPodPlatform
) -> None:
    card.errors = [InvalidArgument("image", "is no picture")]
    ended = await end_of(generator, request())
    assert ended.state == State.STATE_FAILED
    assert platform.refreshed == 0
    assert platform.jobs["job-0-u1"]["error"].startswith("INVALID_ARGUMENT: ")


async def test_a_handler_answers_whatever_happens(handler: Handler, card: Card) -> None:
    good = {"id": "j1", "input": {"prompt": "a goat"}}
    card.errors = [Internal("CUDA error"), ValueError("?")]
    for _ in range(2):
        answer = await handler(good)
        assert answer["refresh_worker"] is True
        assert answer["error"].startswith("INTERNAL: ")
    assert "video_url" in await handler(good)
    assert card.warm_ups == 1


async def test_a_card_that_does_not_warm_up_is_let_go_before_it_is_opened_again(
    handler: Handler, card: Card
) -> None:
    card.warm_up_errors = [Internal("out of memory")]
    answer = await handler({"id": "j1", "input": {"prompt": "a goat"}})
    assert (answer["error"], answer["refresh_worker"]) == ("INTERNAL: out of memory", True)
    assert card.open == 0  # its memory would be lost to the next
    assert "video_url" in await handler({"id": "j2", "input": {"prompt": "a goat"}})
    assert (card.open, card.warm_ups) == (1, 2)


async def test_a_job_that_runpod_stops_is_told_as_stopped_and_leaves_nothing(
    handler: Handler, card: Card, tmp_path: Path
) -> None:
    card.go.clear()
    job = asyncio.create_task(handler({"id": "j1", "input": {"prompt": "a goat"}}))
    await card.begun.wait()
    job.cancel()
    with pytest.raises(asyncio.CancelledError):  # swallowed, it would count as done
        await job
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    card.go.set()
    assert "video_url" in await handler({"id": "j2", "input": {"prompt": "a goat"}})


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"prompt": "x", "sampler": "euler"}, "sampler"),
        ({"prompt": ""}, "prompt"),
        ({"prompt": "x", "fps": -1}, "fps"),
        ({"prompt": "x", "duration_seconds": "five"}, "another type"),
        ({"prompt": "x", "image": "data:image/png;base64,?"}, "base64"),
        ({"prompt": "x", "image": 7}, "data URI"),
        ({"prompt": "x", "image": "http://169.254.169.254/latest"}, "PERMISSION_DENIED"),
        ("words", "must be an object"),
    ],
)
async def test_bad_input_is_told_by_its_field_and_asks_for_no_new_machine(
    handler: Handler, card: Card, given: Any, words: str
) -> None:
    answer = await handler({"id": "j1", "input": given})
    assert words in answer["error"]
    assert "refresh_worker" not in answer
    assert card.seen == []


async def test_a_picture_may_come_inline(handler: Handler, card: Card) -> None:
    uri = f"data:image/webp;base64,{base64.b64encode(PICTURE).decode()}"
    answer = await handler({"id": "../../j1", "input": {"prompt": "x", "last_image": uri}})
    assert "video_url" in answer
    task = card.seen[0].task
    assert isinstance(task, VideoTask)
    assert task.last_image is not None
    assert (task.last_image.data, task.last_image.media_type) == (PICTURE, "image/webp")
    assert card.seen[0].id == "j1"


async def test_a_picture_is_fetched_from_its_address_unless_it_comes_packed(
    handler: Handler, card: Card
) -> None:
    handler._policy = UrlPolicy(allow_http=True, allowed_hosts=frozenset({"127.0.0.1"}))
    plain = answer(PICTURE, headers=("content-type: image/webp",))
    bomb = answer(gzip.compress(bytes(1 << 24)), headers=("content-encoding: gzip",))
    async with raw_server(always(bomb, plain)) as server:
        given = {"prompt": "x", "image": f"{server.url}/1.webp"}
        refused = await handler({"id": "j1", "input": given})
        assert "input.image: comes packed" in refused["error"]
        assert "refresh_worker" not in refused
        assert "video_url" in await handler({"id": "j2", "input": given})
        assert server.requests[0].headers["accept-encoding"] == "identity"
    task = card.seen[0].task
    assert isinstance(task, VideoTask)
    assert task.image is not None
    assert task.image.data == PICTURE
