"""A clip is made, looked at while it is, and gone on with: over gRPC, HTTP, the command line."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from google.protobuf import json_format
from typer.testing import CliRunner

from reelmesh.orchestrator.v1 import cache_service_pb2
from reelmesh.orchestrator.v1 import video_service_pb2 as pb
from reelmesh.orchestrator.v1.cache_service_pb2_grpc import CacheServiceStub
from reelmesh.orchestrator.v1.video_job_pb2 import VideoJob
from reelmesh.storage.v1 import asset_pb2, storage_service_pb2
from reelmesh.storage.v1.storage_service_pb2_grpc import StorageServiceStub
from services.common.channels import Channel
from services.suite.cli import app
from services.suite.commands.session import EXIT_REFUSED, EXIT_UNREACHABLE, EXIT_USAGE
from services.suite.embedded import Addresses
from services.suite.simulator.server import simulating
from services.suite.simulator.world import World
from tests.fakes.simulator import quick
from tests.fakes.vendored_suite import addressed_suite, billed
from tests.stack import Client
from tests.unit.storage.clips import mp4
from tests.unit.storage.test_media_finisher import SIGNATURES

ELSEWHERE = ["--video", "https://h.example/a.mp4"]
pytestmark = [pytest.mark.timeout(180), pytest.mark.asyncio(loop_scope="module")]


@dataclass
class Studio:
    """A suite with two vendors, one of which goes on from clips."""

    world: World
    at: Addresses
    client: Client

    async def parents(self, job: VideoJob) -> list[str]:
        """Of which assets a job's first clip was made."""
        async with Channel(self.at.storage) as channel:
            wanted = storage_service_pb2.GetAssetRequest(name=job.results[0].asset)
            asset = (await StorageServiceStub(channel).GetAsset(wanted)).asset
        return list(asset.lineage.parents)

    async def typed(self, *line: str, **environment: str) -> Any:
        """What a command line answers."""
        told = {"STORAGE_ADDRESS": self.at.storage, "COLUMNS": "200"} | environment
        full = [*line, "--address", self.at.orchestrator]
        return await asyncio.to_thread(CliRunner(env=told).invoke, app, full)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def studio(tmp_path_factory: pytest.TempPathFactory, nats_url: str) -> AsyncIterator[Studio]:
    """One suite for all tests of this file."""
    folder = tmp_path_factory.mktemp("operations")
    async with (
        simulating(quick(speed=1.0, job_seconds=(2.0, 2.0))) as world,
        addressed_suite(world, ["FAL", "LUMA_DREAM"], folder=folder, nats_url=nats_url) as at,
        Client(at.orchestrator, None) as client,
    ):
        yield Studio(world, at, client)


async def test_a_clip_is_shown_while_it_is_made_and_another_goes_on_from_it(
    studio: Studio,
) -> None:
    client, world = studio.client, studio.world
    paid = len(await billed(world))
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
        base_url=f"http://{studio.at.by_service['gateway']}", trust_env=False, timeout=30
    ) as http:
        wish = {"prompt": "it lands", "video": {"asset": clip}, "operation": "OPERATION_EXTEND"}
        refused = await http.post("/api/v1/videoJobs", json={**wish, "model": "luma_dream_flash"})
        assert refused.status_code == 400
        assert "fal_wan_2_7, google_omni_edit, luma_dream_extend can" in refused.text
        taken = await http.post("/api/v1/videoJobs", json={**wish, "model": "fal_wan_2_7"})
        assert taken.status_code == 202, taken.text
        name = taken.json()["job"]["name"]
    further = await client.end(name, 90)
    assert further.resolved_model == "fal_wan_2_7", further
    assert await studio.parents(further) == [clip]
    # Luma goes on from what it has made itself, by its own name of it, and from nothing else.
    own: dict[str, Any] = {"video": pb.VideoInput(asset=clip), "operation": pb.OPERATION_EXTEND}
    asked = pb.GenerateVideoRequest(prompt="it lands", model="luma_dream_extend", **own)
    last = await client.end((await client.stub.GenerateVideo(asked)).job.name, 90)
    assert await studio.parents(last) == [clip]
    asked.video.asset, asked.prompt = further.results[0].asset, "it flies on"
    refused_job = await client.end((await client.stub.GenerateVideo(asked)).job.name, 90)
    assert "no clip but those that its vendor has made" in str(refused_job.attempts[0].error)
    assert len(await billed(world)) == paid + 3


async def test_the_command_line_goes_on_from_a_job_an_asset_and_a_file(
    studio: Studio, tmp_path: Path
) -> None:
    asked = pb.GenerateVideoRequest(prompt="A crane", model="fal_wan_2_7")
    job = await studio.client.end((await studio.client.stub.GenerateVideo(asked)).job.name, 90)
    clip = job.results[0].asset
    file = tmp_path / "crane.mp4"
    async with httpx.AsyncClient(trust_env=False, timeout=30) as http:
        file.write_bytes((await http.get(job.results[0].content_url)).content)
    fixed = ["--operation", "extend", "--model", "fal_wan_2_7", "--no-placeholder", "--json"]
    names = []
    for told in (job.name.partition("/")[2], clip, str(file), os.path.relpath(file)):
        answer = await studio.typed("generate", f"It lands by {told[-9:]}", "--video", told, *fixed)
        assert answer.exit_code == 0, answer.output
        last = [line for line in answer.stdout.splitlines() if line.startswith("{")][-1]
        names.append(json.loads(last)["name"])
    parents = []
    for name in names:
        parents += await studio.parents(await studio.client.end(name, 90))
    assert parents[:2] == [clip, clip]
    assert parents[2] == parents[3] != clip  # the file is brought into storage once
    planned = await studio.typed("plan", "It lands", "--video", clip, "--operation", "extend")
    assert "+ fal_wan_2_7" in planned.output


@pytest.mark.parametrize(
    ("line", "code", "told"),
    [
        (["--video", "01none", "--operation", "extend"], EXIT_REFUSED, "`reelmesh assets` lists"),
        (["--video", "videoJobs/01none", "--operation", "extend"], EXIT_REFUSED, "`reelmesh jobs`"),
        (["--video", "assets/01none", "--operation", "extend"], EXIT_REFUSED, "video.asset"),
        (["--video", "none.mp4", "--operation", "extend"], EXIT_USAGE, "there is no file"),
        (ELSEWHERE, EXIT_USAGE, "extend, remix, restyle, lip-sync"),
        (["--operation", "extend"], EXIT_USAGE, "name the clip to extend"),
        (
            [*ELSEWHERE, "--operation", "lip-sync"],
            EXIT_REFUSED,
            "no model here can lip_sync a clip",
        ),
        (
            [
                "--video",
                "https://h.example/a.mp4",
                "--operation",
                "extend",
                "--model",
                "storyboard",
            ],
            EXIT_REFUSED,
            "fal_wan_2_7",
        ),
    ],
)
async def test_a_command_line_that_cannot_work_says_what_to_do(
    studio: Studio, line: list[str], code: int, told: str
) -> None:
    answer = await studio.typed("generate", "It lands", *line)
    assert answer.exit_code == code
    assert told in answer.output


async def test_a_file_needs_a_clips_name_a_plan_brings_none_and_storage_must_answer(
    studio: Studio, tmp_path: Path
) -> None:
    text, clip = tmp_path / "notes.txt", tmp_path / "clip.mp4"
    text.write_text("no clip")
    clip.write_text("no clip")
    extend = ("--operation", "extend", "--video")
    answer = await studio.typed("generate", "x", *extend, str(text))
    assert (answer.exit_code, "is no clip by its name" in answer.output) == (EXIT_USAGE, True)
    answer = await studio.typed("plan", "x", *extend, str(clip))
    assert (answer.exit_code, "a plan brings no file" in answer.output) == (EXIT_USAGE, True)
    answer = await studio.typed("generate", "x", *extend, str(clip))
    assert (answer.exit_code, "is not video/mp4" in answer.output) == (EXIT_REFUSED, True)
    answer = await studio.typed("generate", "x", *extend, str(clip), STORAGE_ADDRESS="127.0.0.1:9")
    assert answer.exit_code == EXIT_UNREACHABLE
    assert "name it with STORAGE_ADDRESS" in answer.output


async def test_a_job_tells_that_the_signature_of_what_it_was_made_from_is_gone(
    studio: Studio,
) -> None:
    told = asset_pb2.Asset(content_type="video/mp4")
    header = storage_service_pb2.UploadHeader(asset=told, request_id="signed")
    parts = (
        storage_service_pb2.UploadAssetRequest(header=header),
        storage_service_pb2.UploadAssetRequest(chunk=mp4() + SIGNATURES["short"]),
    )
    async with Channel(studio.at.storage) as channel:
        stub: Any = StorageServiceStub(channel)
        signed = (await stub.UploadAsset(each for each in parts)).asset
    asked = pb.GenerateVideoRequest(
        prompt="it walks on",
        model="fal_wan_2_7",
        video=pb.VideoInput(asset=signed.name),
        operation=pb.OPERATION_EXTEND,
    )
    job = await studio.client.end((await studio.client.stub.GenerateVideo(asked)).job.name, 90)
    assert job.state == VideoJob.STATE_SUCCEEDED, job
    assert [each for each in job.warnings if "signed manifest (C2PA)" in each], job.warnings


async def test_a_recipe_is_the_request_that_made_it(studio: Studio) -> None:
    asked = pb.GenerateVideoRequest(
        prompt="A heron at dawn, seen from a boat",
        model="fal_wan_2_7",
        aspect_ratio="9:16",
        resolution="720p",
        negative_prompt="text",
        seed=7,
        enhance=pb.ENHANCE_OFF,
    )
    asked.duration.FromSeconds(5)
    job = await studio.client.end((await studio.client.stub.GenerateVideo(asked)).job.name, 90)
    clip = job.results[0].asset
    line = ["recipe", clip, "--address", studio.at.storage]
    typed = await asyncio.to_thread(CliRunner().invoke, app, line)
    assert typed.exit_code == 0, typed.output
    printed = [line for line in typed.stdout.splitlines() if line.startswith("{")][-1]
    again = json_format.Parse(printed, pb.GenerateVideoRequest())
    assert again.cache.mode == pb.CACHE_MODE_OFF, "it is to be made again"
    again.ClearField("cache")
    plan = await studio.client.stub.PlanVideo(pb.PlanVideoRequest(request=again))
    assert [(hit.kind, hit.asset) for hit in plan.cache_hits] == [("exact", clip)], again
    again.seed += 1
    other = await studio.client.stub.PlanVideo(pb.PlanVideoRequest(request=again))
    assert not [hit for hit in other.cache_hits if hit.kind == "exact"]


async def test_a_deleted_clip_leaves_the_cache_by_the_event_that_storage_tells(
    studio: Studio,
) -> None:
    async with Channel(studio.at.orchestrator) as jobs, Channel(studio.at.storage) as assets:
        cache: Any = CacheServiceStub(jobs)
        storage: Any = StorageServiceStub(assets)

        async def entries() -> int:
            return int(
                (await cache.GetCacheStats(cache_service_pb2.GetCacheStatsRequest())).entries
            )

        before = await entries()
        asked = pb.GenerateVideoRequest(prompt="An egret, to be deleted", model="fal_wan_2_7")
        job = await studio.client.end((await studio.client.stub.GenerateVideo(asked)).job.name, 90)
        while await entries() != before + 1:  # noqa: ASYNC110 - it is kept in its own time
            await asyncio.sleep(0.05)
        await storage.DeleteAsset(storage_service_pb2.DeleteAssetRequest(name=job.results[0].asset))
        while await entries() != before:  # noqa: ASYNC110 - other services tell each other
            await asyncio.sleep(0.05)
