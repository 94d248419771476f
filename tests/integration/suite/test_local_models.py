"""A local model through the whole suite: installed, listed, asked for, stored, called off."""

import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import av
import httpx
import pytest
from google.protobuf.duration_pb2 import Duration

from reelmesh.orchestrator.v1 import video_job_pb2
from reelmesh.orchestrator.v1 import video_service_pb2 as pb
from services.suite.embedded import running
from services.suite.settings import SuiteSettings
from tests.fakes.checkpoints import Shelf
from tests.stack import Client
from tests.stack.waiting import until

pytestmark = [
    pytest.mark.xdist_group("torch"),
    pytest.mark.timeout(300),  # torch is imported by the test and by the process of the models
]


@pytest.fixture
async def client(
    tmp_path: Path, nats_url: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Client]:
    folder = Shelf(tmp_path / "checkpoints").get("ltx_video")
    monkeypatch.setenv("LOCAL_LTX_VIDEO_PATH", str(folder))
    monkeypatch.setenv("LOCAL_COGVIDEOX_PATH", "nobody/nothing@main")
    settings = SuiteSettings(data_dir=tmp_path / "data", port_base=0, nats_url=nats_url)
    async with running(settings) as addresses, Client(addresses.orchestrator, None) as found:
        yield found


def wish(steps: int, **kwargs: Any) -> pb.GenerateVideoRequest:
    asked = pb.GenerateVideoRequest(
        prompt="a lighthouse at dusk",
        duration=Duration(seconds=1),
        resolution="480p",
        aspect_ratio="1:1",
        fps=8,
        seed=7,
        enhance=pb.ENHANCE_OFF,
        cache=pb.CacheOptions(mode=pb.CACHE_MODE_OFF),
        **kwargs,
    )
    asked.options.update({"local": {"steps": steps}})
    return asked


async def made(client: Client, asked: pb.GenerateVideoRequest) -> Any:
    return await client.end((await client.stub.GenerateVideo(asked)).job.name, 200)


async def test_the_first_local_model_that_is_ready_makes_a_stored_clip(client: Client) -> None:
    listed = (await client.stub.ListVideoModels(pb.ListVideoModelsRequest())).models
    stand = {model.id: model for model in listed}
    names = video_job_pb2.VideoModel
    assert stand["ltx_video"].availability == names.AVAILABILITY_READY
    assert stand["wan_2_2_5b"].availability == names.AVAILABILITY_NOT_INSTALLED
    assert list(stand["wan_2_2_5b"].missing) == ["LOCAL_WAN_2_2_5B_PATH"]
    # A repository that has not been downloaded is no model yet.
    assert stand["cogvideox"].availability == names.AVAILABILITY_NOT_INSTALLED
    assert "reelmesh models pull" in stand["cogvideox"].unavailable_reason

    job = await made(client, wish(2, model="local_models"))
    assert job.state == job.STATE_SUCCEEDED, job.error
    (result,) = job.results
    assert (job.resolved_model, result.provider) == ("ltx_video", "local")
    assert (result.width, result.height, result.fps, result.seed) == (480, 480, 8, 7)
    assert not result.placeholder
    assert (result.cost.units, result.cost.nanos) == (0, 0)
    async with httpx.AsyncClient(trust_env=False) as http:
        content = (await http.get(result.content_url)).raise_for_status().content
    with av.open(io.BytesIO(content), mode="r") as film:
        assert sum(1 for _ in film.decode(video=0)) == 8

    long = (await client.stub.GenerateVideo(wish(200, model="ltx_video"))).job

    async def under_way() -> bool:
        seen = await client.stub.GetVideoJob(pb.GetVideoJobRequest(name=long.name))
        return bool(seen.job.progress_percent)

    await until(under_way, 100)
    await client.stub.CancelVideoJob(pb.CancelVideoJobRequest(name=long.name))
    assert (await client.end(long.name, 60)).state == job.STATE_CANCELLED
    again = await made(client, wish(2, model="ltx_video"))
    assert again.results[0].sha256 == result.sha256
