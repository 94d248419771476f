"""Work on a clip that is there: by models that can, on the tenant's own, else refused by name."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from reelmesh.generator.v1 import generation_pb2, model_pb2
from reelmesh.orchestrator.v1 import video_service_pb2 as pb
from reelmesh.storage.v1.storage_service_pb2_grpc import add_StorageServiceServicer_to_server
from services.common.errors import InvalidArgument, NoModel, NotFound
from services.common.server import serve
from services.common.settings import ServiceSettings
from tests.fakes.generator_service import model
from tests.fakes.storage_service import FakeStorageService
from tests.integration.orchestrator.conftest import House, house_on
from tests.stack import SIGNING_KEY


@pytest.fixture
async def studio(tmp_path: Path, nats_url: str) -> AsyncIterator[House]:
    storage = FakeStorageService()
    storage.put("assets/mine", b"a clip", tenant="acme")
    plain = ServiceSettings(address="127.0.0.1:0", signing_key=SIGNING_KEY, data_dir=tmp_path)
    registration = (add_StorageServiceServicer_to_server, storage)
    async with (
        serve(plain, [registration]) as listening,
        house_on(tmp_path, nats_url, storage_address=listening.address) as house,
    ):
        able = model_pb2.Capabilities(text=True, video=True, operations=["extend"])
        house.generator.models.append(model("third_model", capabilities=able))
        yield house


def extend(**fields: Any) -> pb.GenerateVideoRequest:
    wish: dict[str, Any] = {
        "prompt": "the heron lands",
        "video": pb.VideoInput(asset="assets/mine"),
        "operation": pb.OPERATION_EXTEND,
    }
    return pb.GenerateVideoRequest(**(wish | fields))


async def test_it_goes_to_the_model_that_can_with_the_tenants_clip(studio: House) -> None:
    async with studio.client() as client:
        job = (await client.stub.GenerateVideo(extend())).job
        seen = await client.end(job.name)
    assert seen.resolved_model == "third_model"
    (sent,) = studio.generator.requests.values()
    video = sent.task.video
    assert (sent.model, video.video.asset) == ("third_model", "assets/mine")
    assert video.operation == generation_pb2.VideoTask.OPERATION_EXTEND


@pytest.mark.parametrize("field", ["video", "image", "last_image"])
async def test_what_is_another_tenants_does_not_exist_for_any_call(
    studio: House, field: str
) -> None:
    """Asked for, planned, ordered with others: the same words as for what is nowhere."""
    async with studio.client("globex") as client:
        told = []
        for asset in ("assets/mine", "assets/none"):
            asked = _with(field, asset)
            calls: list[Any] = [
                client.stub.GenerateVideo(asked),
                client.stub.PlanVideo(pb.PlanVideoRequest(request=asked)),
            ]
            for call in calls:
                with pytest.raises(NotFound, match=f"{field}.asset") as refused:
                    await call
                assert [wrong.field for wrong in refused.value.violations] == [f"{field}.asset"]
                told.append(refused.value.message.replace(asset, ""))
            batch = pb.BatchGenerateVideosRequest(
                requests=[pb.GenerateVideoRequest(prompt="a heron"), asked], request_id="b1"
            )
            wrong = rf"requests\[1\]\.{field}\.asset: NOT_FOUND: asset '{asset}' not found"
            with pytest.raises(InvalidArgument, match=wrong):
                await client.stub.BatchGenerateVideos(batch)
        assert len(set(told)) == 1
        listed = await client.stub.ListVideoJobs(pb.ListVideoJobsRequest())
    assert not listed.jobs
    assert not studio.generator.requests


def _with(field: str, asset: str) -> pb.GenerateVideoRequest:
    if field == "video":
        return extend(video=pb.VideoInput(asset=asset))
    given: dict[str, Any] = {field: pb.ImageInput(asset=asset)}
    return pb.GenerateVideoRequest(prompt="a heron", **given)


async def test_the_own_clip_is_planned_for_the_model_that_can(studio: House) -> None:
    async with studio.client() as client:
        plan = await client.stub.PlanVideo(pb.PlanVideoRequest(request=extend()))
    assert [choice.model for choice in plan.decision.chosen] == ["third_model"]


async def test_a_model_that_cannot_refuses_and_names_who_can(studio: House) -> None:
    async with studio.client() as client:
        with pytest.raises(InvalidArgument, match=r"first_model cannot extend .* third_model can"):
            await client.stub.GenerateVideo(extend(model="first_model"))
        with pytest.raises(NoModel, match="can lip_sync a clip; what can be done: extend"):
            await client.stub.GenerateVideo(extend(operation=pb.OPERATION_LIP_SYNC))
        with pytest.raises(InvalidArgument, match="operation"):
            await client.stub.PlanVideo(
                pb.PlanVideoRequest(request=extend(operation=pb.OPERATION_UNSPECIFIED))
            )
        told = (await client.stub.ListVideoModels(pb.ListVideoModelsRequest())).models
    assert {one.id: list(one.operations) for one in told}["third_model"] == ["extend"]
    assert not studio.generator.requests
