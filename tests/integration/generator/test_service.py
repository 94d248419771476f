"""The generator over real gRPC with a real storage service beside it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from google.type.money_pb2 import Money

from reelmesh.generator.v1 import generation_pb2, model_pb2
from reelmesh.generator.v1 import generator_service_pb2 as pb
from reelmesh.generator.v1.generator_service_pb2_grpc import GeneratorServiceStub
from reelmesh.storage.v1 import storage_service_pb2
from services.common.channels import Channel
from services.common.errors import (
    BudgetExceeded,
    InvalidArgument,
    ModelRetired,
    NoCredentials,
    NoDevice,
    NotFound,
    RequestConflict,
    ServiceError,
    Unimplemented,
)
from services.generator.__main__ import running
from services.generator.settings import Settings
from tests.fakes.counting_vendor import KEY, CountingVendor
from tests.fakes.waiting import until

pytestmark = pytest.mark.timeout(40)
State = generation_pb2.Generation.State


@pytest.fixture
async def vendor() -> AsyncIterator[CountingVendor]:
    async with CountingVendor().serving() as vendor:
        yield vendor


@pytest.fixture
def settings(tmp_path: Path, storage_address: str, vendor: CountingVendor) -> Settings:
    return Settings(
        address="127.0.0.1:0",
        data_dir=tmp_path,
        database_url="",
        storage_address=storage_address,
        vendors={"RUNWAY_API_KEY": KEY, "RUNWAY_BASE_URL": vendor.url},
        poll_seconds=0.05,
        heartbeat_seconds=0.2,
        lease_seconds=1,
        cpu_slots=1,
        drain_grace=2,
        result_allowed_hosts=frozenset({vendor.url.removeprefix("http://")}),
    )


@pytest.fixture
async def stub(settings: Settings) -> AsyncIterator[Any]:
    async with running(settings) as address, Channel(address) as channel:
        yield GeneratorServiceStub(channel)


def video(**kwargs: Any) -> generation_pb2.Task:
    values: dict[str, Any] = {
        "prompt": "a heron",
        "duration": Duration(seconds=2),
        "aspect_ratio": "16:9",
        "resolution": "480p",
        **kwargs,
    }
    return generation_pb2.Task(video=generation_pb2.VideoTask(**values))


def request(
    request_id: str = "r1", model: str = "storyboard", **kwargs: Any
) -> pb.CreateGenerationRequest:
    task = kwargs.pop("task", None) or video()
    return pb.CreateGenerationRequest(request_id=request_id, model=model, task=task, **kwargs)


async def follow(stub: Any, name: str, after: int = 0) -> list[generation_pb2.Generation]:
    watch = stub.WatchGeneration(pb.WatchGenerationRequest(name=name, after_sequence=after))
    return [response.generation async for response in watch]


def paid(request_id: str = "r1", **kwargs: Any) -> pb.CreateGenerationRequest:
    task = video(resolution="720p", duration=Duration(seconds=5))
    return request(request_id, "runway_gen4_5", task=task, **kwargs)


async def test_a_placeholder_is_made_stored_and_described(stub, storage) -> None:
    labels = pb.Labels(job="videoJobs/j", creative_id="c1", iteration=2, characters=["Ana"])
    created = (await stub.CreateGeneration(request(labels=labels))).generation
    assert created.state == State.STATE_PENDING
    last = (await follow(stub, created.name))[-1]
    assert last.state == State.STATE_SUCCEEDED
    assert (last.placeholder, last.progress_percent) == (True, 100)
    assert (last.output.width, last.output.height) == (854, 480)
    assert last.output.duration.seconds == 2
    found = storage_service_pb2.GetAssetRequest(name=last.asset)
    asset = (await storage.GetAsset(found)).asset
    assert (asset.creative_id, asset.iteration, asset.placeholder) == ("c1", 2, True)
    assert asset.lineage.generation == created.name
    assert asset.lineage.job == "videoJobs/j"
    assert list(asset.facets.characters) == ["ana"]
    assert asset.sha256 == last.output.sha256


async def test_the_same_request_id_never_submits_twice(stub, vendor) -> None:
    made = await asyncio.gather(*(stub.CreateGeneration(paid()) for _ in range(10)))
    assert len({response.generation.name for response in made}) == 1
    last = (await follow(stub, made[0].generation.name))[-1]
    assert last.state == State.STATE_SUCCEEDED
    again = (await stub.CreateGeneration(paid())).generation
    assert (again.name, again.asset) == (last.name, last.asset)
    assert len(vendor.bill) == 1


async def test_another_body_under_the_same_id_is_a_conflict(stub) -> None:
    await stub.CreateGeneration(request())
    with pytest.raises(RequestConflict):
        await stub.CreateGeneration(request(task=video(prompt="a stork")))


@pytest.mark.parametrize(
    ("change", "error", "word"),
    [
        ({"model": "runway_gen3", "task": video()}, InvalidArgument, "720p"),
        ({"model": "luma"}, NoCredentials, "LUMA_API_KEY"),
        ({"model": "wan_2_2_5b"}, NoDevice, "GPU"),
        ({"model": "nonesuch"}, InvalidArgument, "nonesuch"),
        ({"model": ""}, InvalidArgument, "model"),
        ({"request_id": ""}, InvalidArgument, "request_id"),
        ({"request_id": "x" * 201}, InvalidArgument, "request_id"),
        ({"task": generation_pb2.Task()}, InvalidArgument, "task"),
        ({"task": video(duration=Duration(seconds=90))}, InvalidArgument, "duration"),
        ({"task": video(aspect_ratio="wide")}, InvalidArgument, "aspect_ratio"),
        ({"task": video(resolution="9p")}, InvalidArgument, "resolution"),
        ({"task": video(fps=-1)}, InvalidArgument, "fps"),
        ({"task": video(prompt=" ")}, InvalidArgument, "prompt"),
        ({"max_price": Money(currency_code="EUR", units=1)}, InvalidArgument, "max_price"),
        ({"labels": pb.Labels(iteration=-1)}, InvalidArgument, "iteration"),
        (
            {"task": generation_pb2.Task(thumbnail=generation_pb2.ThumbnailTask())},
            Unimplemented,
            "thumbnail",
        ),
    ],
)
async def test_what_cannot_be_done_is_refused_before_anything_is_written(
    stub, change, error, word
) -> None:
    given = {"request_id": "r1", "model": "storyboard", **change}
    if given["model"] in {"luma", "runway_gen3"}:
        given["task"] = change.get("task") or video(resolution="720p", duration=Duration(seconds=5))
    if given["model"] == "wan_2_2_5b":
        given["task"] = video(duration=Duration(seconds=5))
    with pytest.raises(ServiceError) as caught:
        await stub.CreateGeneration(request(**given))
    assert isinstance(caught.value, error), repr(caught.value)
    assert word in f"{caught.value.message} {caught.value.metadata}"
    if given["request_id"] == "r1":
        cancelled = await stub.CancelGeneration(pb.CancelGenerationRequest(request_id="r1"))
        assert not cancelled.HasField("generation")


async def test_a_price_above_the_limit_is_refused_before_anything_is_sent(stub, vendor) -> None:
    with pytest.raises(BudgetExceeded) as caught:
        await stub.CreateGeneration(paid(max_price=Money(currency_code="USD", nanos=500_000_000)))
    assert caught.value.metadata["needed"] == "600000"
    assert vendor.bill == []
    await stub.CreateGeneration(paid(max_price=Money(currency_code="USD", nanos=600_000_000)))


async def test_a_paid_clip_is_fetched_without_the_key_and_settled_as_reported(stub, vendor) -> None:
    created = (await stub.CreateGeneration(paid())).generation
    last = (await follow(stub, created.name))[-1]
    assert last.state == State.STATE_SUCCEEDED
    assert (last.provider, last.provider_job_id) == ("runway", "job1")
    assert (last.cost.nanos, last.cost_source) == (600_000_000, "reported")
    assert (last.output.width, last.output.height, last.placeholder) == (320, 180, False)
    assert vendor.keys_seen == {f"Bearer {KEY}"}
    assert KEY not in str(last)


async def test_a_broken_file_server_costs_time_and_not_the_clip(stub, vendor) -> None:
    vendor.broken_downloads = 2
    created = (await stub.CreateGeneration(paid())).generation
    last = (await follow(stub, created.name))[-1]
    assert last.state == State.STATE_SUCCEEDED
    assert (len(vendor.bill), vendor.downloads) == (1, 3)


async def test_a_lost_answer_is_told_and_never_sent_again(stub, vendor) -> None:
    vendor.lose_answers = 1
    created = (await stub.CreateGeneration(paid())).generation
    async for response in stub.WatchGeneration(pb.WatchGenerationRequest(name=created.name)):
        if response.generation.state == State.STATE_UNKNOWN_OUTCOME:
            break
    assert "never sent again" in response.generation.error.message
    again = (await stub.CreateGeneration(paid())).generation
    assert again.state == State.STATE_UNKNOWN_OUTCOME
    assert len(vendor.bill) == 1


async def test_a_vendors_refusal_ends_it_with_the_reason(stub, vendor) -> None:
    vendor.refuse = (400, {"error": "You do not have enough credits to run this task."})
    created = (await stub.CreateGeneration(paid())).generation
    last = (await follow(stub, created.name))[-1]
    assert last.state == State.STATE_FAILED
    assert "credits" in last.error.message


async def test_a_cancel_stops_the_vendor_and_says_what_is_billed(stub, vendor) -> None:
    vendor.looks_until_done = 10_000
    created = (await stub.CreateGeneration(paid())).generation
    async with asyncio.timeout(10):
        async for response in stub.WatchGeneration(pb.WatchGenerationRequest(name=created.name)):
            if response.generation.state == State.STATE_RUNNING:
                break
    cancelled = await stub.CancelGeneration(pb.CancelGenerationRequest(name=created.name))
    assert cancelled.generation.state == State.STATE_CANCELLED
    assert "may be billed" in cancelled.still_billed
    await until(lambda: vendor.cancels)


async def test_a_cancel_ends_a_render_and_frees_its_place(stub) -> None:
    long = request("long", task=video(duration=Duration(seconds=60), resolution="1080p"))
    slow = (await stub.CreateGeneration(long)).generation
    waiting = (await stub.CreateGeneration(request("next"))).generation
    async with asyncio.timeout(10):
        async for response in stub.WatchGeneration(pb.WatchGenerationRequest(name=waiting.name)):
            if response.generation.state == State.STATE_QUEUED:
                break
    capacities = (await stub.GetCapacity(pb.GetCapacityRequest())).capacities
    capacity = next(each for each in capacities if each.provider == "reelmesh")
    assert (capacity.running, capacity.waiting, capacity.limit) == (1, 1, 1)
    await stub.CancelGeneration(pb.CancelGenerationRequest(name=slow.name))
    assert (await follow(stub, slow.name))[-1].state == State.STATE_CANCELLED
    assert (await follow(stub, waiting.name))[-1].state == State.STATE_SUCCEEDED


async def test_an_unknown_request_id_is_tombstoned(stub, vendor) -> None:
    cancelled = await stub.CancelGeneration(pb.CancelGenerationRequest(request_id="r1"))
    assert not cancelled.HasField("generation")
    created = (await stub.CreateGeneration(paid())).generation
    assert (created.state, created.submissions) == (State.STATE_CANCELLED, 0)
    assert vendor.bill == []
    assert (await follow(stub, created.name))[-1].state == State.STATE_CANCELLED


async def test_a_watch_goes_on_after_a_given_sequence(stub) -> None:
    created = (await stub.CreateGeneration(request())).generation
    seen = await follow(stub, created.name)
    assert await follow(stub, created.name, after=seen[-1].sequence) == []
    later = await follow(stub, created.name, after=seen[-1].sequence - 1)
    assert [generation.sequence for generation in later] == [seen[-1].sequence]


async def test_unknown_names_are_not_found_and_malformed_ones_invalid(stub) -> None:
    with pytest.raises(NotFound):
        await stub.GetGeneration(pb.GetGenerationRequest(name="generations/x"))
    with pytest.raises(NotFound):
        await follow(stub, "generations/x")
    with pytest.raises(NotFound):
        await stub.CancelGeneration(pb.CancelGenerationRequest(name="generations/x"))
    with pytest.raises(InvalidArgument):
        await stub.GetGeneration(pb.GetGenerationRequest(name="x"))
    with pytest.raises(InvalidArgument):
        await stub.CancelGeneration(pb.CancelGenerationRequest())


async def test_models_tell_what_is_missing_here(stub) -> None:
    models = {model.id: model for model in (await stub.ListModels(pb.ListModelsRequest())).models}
    ready, retired = model_pb2.Model.AVAILABILITY_READY, model_pb2.Model.AVAILABILITY_RETIRED
    assert models["storyboard"].availability == ready
    assert models["storyboard"].placeholder
    assert models["runway_gen4_5"].availability == ready
    gen3 = models["runway_gen3"]
    assert (gen3.availability, gen3.resolves_to) == (retired, "runway_gen4_5")
    luma = next(model for model in models.values() if model.provider == "luma")
    assert list(luma.missing) == ["LUMA_API_KEY"]
    video_only = (await stub.ListModels(pb.ListModelsRequest(task="video"))).models
    assert {model.task for model in video_only} == {"video"}
    with pytest.raises(InvalidArgument):
        await stub.ListModels(pb.ListModelsRequest(task="poem"))


async def test_a_retired_model_without_a_key_names_its_successors(
    settings: Settings, storage_address: str
) -> None:
    bare = settings.model_copy(update={"vendors": {}})
    async with running(bare) as address, Channel(address) as channel:
        stub = GeneratorServiceStub(channel)
        task = video(resolution="720p", duration=Duration(seconds=5))
        with pytest.raises(ModelRetired) as caught:
            await stub.CreateGeneration(request(model="runway_gen3", task=task))
        assert caught.value.metadata["successors"] == "runway_gen4_5,runway_gen4_turbo"


async def test_watches_end_when_the_service_drains(settings: Settings, vendor) -> None:
    vendor.looks_until_done = 10_000
    async with running(settings) as address:
        channel = Channel(address)
        stub = GeneratorServiceStub(channel)
        created = (await stub.CreateGeneration(paid())).generation
        watch = asyncio.create_task(follow(stub, created.name))
        await asyncio.sleep(0.5)
    async with asyncio.timeout(30):
        seen = await watch
    assert seen[-1].state == State.STATE_RUNNING
    await channel.close()


async def test_a_restart_goes_on_with_what_was_sent(settings: Settings, vendor) -> None:
    vendor.looks_until_done = 10_000
    async with running(settings) as address, Channel(address) as channel:
        created = (await GeneratorServiceStub(channel).CreateGeneration(paid())).generation
        await asyncio.sleep(0.5)
    vendor.looks_until_done = 3
    async with running(settings) as address, Channel(address) as channel:
        last = (await follow(GeneratorServiceStub(channel), created.name))[-1]
    assert last.state == State.STATE_SUCCEEDED
    assert len(vendor.bill) == 1
