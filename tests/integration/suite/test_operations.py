"""A clip is made, looked at while it is, and gone on with, as an application does it over HTTP."""

from pathlib import Path

import httpx
import pytest

from reelmesh.orchestrator.v1 import video_service_pb2 as pb
from reelmesh.storage.v1 import storage_service_pb2
from reelmesh.storage.v1.storage_service_pb2_grpc import StorageServiceStub
from services.common.channels import Channel
from services.suite.simulator.server import simulating
from tests.fakes.simulator import quick
from tests.fakes.vendored_suite import addressed_suite, billed
from tests.stack import Client

pytestmark = pytest.mark.timeout(180)


async def test_a_clip_is_shown_while_it_is_made_and_another_goes_on_from_it(
    tmp_path: Path, nats_url: str
) -> None:
    async with (
        simulating(quick(speed=1.0, job_seconds=(2.0, 2.0))) as world,
        addressed_suite(world, ["FAL", "LUMA_DREAM"], folder=tmp_path, nats_url=nats_url) as at,
        Client(at.orchestrator, None) as client,
    ):
        asked = pb.GenerateVideoRequest(prompt="A heron", model="luma_dream")
        job = (await client.stub.GenerateVideo(asked)).job
        seen = await client.watch(job.name, 90)
        seen.assert_whole()
        shown = {event.job.preview_url for event in seen.events} - {""}
        assert len(shown) == 1
        assert shown.pop().startswith(f"{world.media_url}/media/luma_dream/")
        assert seen.job.preview_url == ""
        clip = seen.job.results[0].asset

        async with httpx.AsyncClient(
            base_url=f"http://{at.by_service['gateway']}", trust_env=False, timeout=30
        ) as http:
            wish = {
                "prompt": "it lands",
                "video": {"asset": clip},
                "operation": "OPERATION_EXTEND",
            }
            refused = await http.post("/api/v1/videoJobs", json={**wish, "model": "luma_dream"})
            assert refused.status_code == 400
            assert "fal_wan_2_7 can" in refused.text
            taken = await http.post("/api/v1/videoJobs", json=wish)
            assert taken.status_code == 202, taken.text
            name = taken.json()["job"]["name"]
        further = await client.end(name, 90)
        assert further.resolved_model == "fal_wan_2_7", further
        async with Channel(at.storage) as channel:
            wanted = storage_service_pb2.GetAssetRequest(name=further.results[0].asset)
            asset = (await StorageServiceStub(channel).GetAsset(wanted)).asset
        assert list(asset.lineage.parents) == [clip]
        assert len(await billed(world)) == 2
