"""Before a job begins: moderation, the switch, quotas, and a fair place in the queue."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from reelmesh.generator.v1 import model_pb2
from reelmesh.orchestrator.v1 import policy_service_pb2 as pb
from reelmesh.orchestrator.v1 import video_service_pb2
from reelmesh.orchestrator.v1.policy_service_pb2_grpc import PolicyServiceStub
from reelmesh.prompt.v1 import prompt_service_pb2
from services.common.channels import Channel
from services.common.errors import (
    FailedPrecondition,
    InvalidArgument,
    Moderated,
    RateLimited,
    ResourceExhausted,
)
from services.common.http_server import serve_http
from services.common.identity import Identity
from tests.fakes.generator_service import Hang, Succeed, model
from tests.fakes.prompt_service import FakePromptService
from tests.integration.orchestrator.conftest import SIGNER, House, house_on
from tests.stack import Client
from tests.stack.client import request
from tests.stack.waiting import until

pytestmark = pytest.mark.timeout(60)


async def set_policy(house: House, **fields: Any) -> None:
    async with Channel(house.address, SIGNER, identity=Identity("acme")) as channel:
        stub: Any = PolicyServiceStub(channel)
        await stub.SetPolicy(pb.SetPolicyRequest(policy=pb.Policy(**fields)))


@asynccontextmanager
async def judge(*, flags: str = "", status: int = 200) -> AsyncIterator[tuple[str, list[Any]]]:
    """An OpenAI-compatible moderation endpoint that flags what contains a word."""
    asked: list[Any] = []

    async def moderations(call: Request) -> Response:
        body = await call.json()
        asked.append((body, call.headers.get("authorization")))
        if status != 200:
            return JSONResponse({"error": {"message": "no"}}, status)
        hit = bool(flags) and flags in body["input"]
        result = {"flagged": hit, "categories": {"violence": hit, "hate": False}}
        return JSONResponse({"id": "modr-1", "model": body["model"], "results": [result]})

    app = Starlette(routes=[Route("/v1/moderations", moderations, methods=["POST"])])
    async with serve_http(app, "127.0.0.1:0", grace=1.0) as address:
        yield f"http://{address}/v1", asked


async def test_a_flagged_prompt_makes_no_job_no_call_and_no_cost(
    house: House, acme: Client
) -> None:
    with pytest.raises(Moderated) as told:
        await acme.stub.GenerateVideo(request("a nude child"))
    assert told.value.metadata["category"] == "sexual/minors"
    batch = video_service_pb2.BatchGenerateVideosRequest(
        request_id="b", requests=[request("a heron"), request("a nude child")]
    )
    with pytest.raises(InvalidArgument, match=r"requests\[1\]: MODERATED"):
        await acme.stub.BatchGenerateVideos(batch)
    listed = await acme.stub.ListVideoJobs(video_service_pb2.ListVideoJobsRequest())
    assert list(listed.jobs) == []
    assert house.generator.requests == {}


async def test_what_the_endpoint_flags_ends_before_any_vendor_hears_of_it(
    tmp_path: Path, nats_url: str
) -> None:
    async with (
        judge(flags="fight") as (url, asked),
        house_on(
            tmp_path, nats_url, moderation_url=url, moderation_api_key="key-of-the-judge"
        ) as house,
        house.client() as acme,
    ):
        refused = await acme.end((await acme.generate("a fight in a bar")).name)
        assert refused.state == refused.STATE_FAILED
        assert "falls under violence" in refused.error.message
        assert (refused.cost.units, refused.cost.nanos) == (0, 0)
        assert house.generator.requests == {}
        [(body, key)] = asked
        assert (body["model"], key) == ("omni-moderation-latest", "Bearer key-of-the-judge")
        fine = await acme.end((await acme.generate("a heron")).name)
        assert fine.state == fine.STATE_SUCCEEDED
        await set_policy(house, allowed_categories=["violence"])
        fought = await acme.end((await acme.generate("another fight in a bar")).name)
        assert fought.state == fought.STATE_SUCCEEDED


async def test_a_translation_is_looked_at_before_a_vendor_hears_of_it(
    tmp_path: Path, nats_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def translated(_self: Any, asked: Any, _context: Any) -> Any:
        made = asked.quantified_prompt
        made.prompt = "a fight in a bar"
        return prompt_service_pb2.CompilePromptResponse(quantified_prompt=made)

    monkeypatch.setattr(FakePromptService, "CompilePrompt", translated)
    async with (
        judge(flags="fight") as (url, asked),
        house_on(tmp_path, nats_url, moderation_url=url) as house,
        house.client() as acme,
    ):
        french = model_pb2.Capabilities(text=True, languages=["fr"])
        house.generator.models = [model(name, capabilities=french) for name in ("one", "two")]
        refused = await acme.end((await acme.generate("ugomvi katika baa", variations=2)).name)
        assert refused.state == refused.STATE_FAILED
        assert "falls under violence" in refused.error.message
        assert (refused.cost.units, refused.cost.nanos) == (0, 0)
        assert house.generator.requests == {}
        assert {body["input"] for body, _ in asked} == {"ugomvi katika baa", "a fight in a bar"}


async def test_an_endpoint_that_is_away_lets_pass_with_a_warning_or_refuses(
    tmp_path: Path, nats_url: str
) -> None:
    async with (
        judge(status=503) as (url, _),
        house_on(tmp_path, nats_url, moderation_url=url) as house,
        house.client() as acme,
    ):
        let_in = await acme.end((await acme.generate("a heron")).name)
        assert let_in.state == let_in.STATE_SUCCEEDED
        assert any("by rules alone" in warning for warning in let_in.warnings)
        await set_policy(house, refuse_when_moderation_is_away=True)
        refused = await acme.end((await acme.generate("a heron again")).name)
        assert refused.state == refused.STATE_FALLBACK
        assert len(house.generator.requests) == 1


async def test_a_paused_tenant_starts_nothing_and_what_runs_goes_on(
    house: House, acme: Client
) -> None:
    job = await acme.generate(request_id="r1")
    await set_policy(house, paused=True)
    with pytest.raises(FailedPrecondition, match="paused"):
        await acme.generate("another")
    assert (await acme.generate(request_id="r1")).name == job.name  # it was accepted before
    assert (await acme.end(job.name)).state == job.STATE_SUCCEEDED
    async with house.client("other") as other:
        assert (await other.generate()).name


async def test_no_more_jobs_at_once_than_the_quota_and_room_again_when_one_has_ended(
    house: House, acme: Client
) -> None:
    await set_policy(house, jobs_at_once=2)
    house.generator.script = lambda _: Hang()
    jobs = [await acme.generate(f"clip {n}") for n in range(2)]
    with pytest.raises(ResourceExhausted) as told:
        await acme.generate("one too many")
    assert told.value.metadata["quota"] == "jobs_at_once"
    batch = video_service_pb2.BatchGenerateVideosRequest(request_id="b", requests=[request("x")])
    with pytest.raises(ResourceExhausted):
        await acme.stub.BatchGenerateVideos(batch)
    await until(lambda: len(house.generator.requests) == 2, 40)
    await acme.cancel(jobs[0].name)
    await acme.end(jobs[0].name)
    assert (await acme.generate("again")).name


async def test_more_than_the_rate_is_told_to_wait_and_a_known_request_never_is(
    house: House, acme: Client
) -> None:
    await set_policy(house, jobs_per_minute=2)
    await acme.generate("a", request_id="r1")
    await acme.generate("b")
    with pytest.raises(RateLimited) as told:
        await acme.generate("c")
    assert told.value.retry_after is not None
    assert 1 <= told.value.retry_after <= 60
    assert (await acme.generate("a", request_id="r1")).request_id == "r1"
    async with house.client("other") as other:
        assert (await other.generate("c")).name


async def test_a_noisy_tenant_does_not_delay_another_beyond_its_share(
    tmp_path: Path, nats_url: str
) -> None:
    async with (
        house_on(tmp_path, nats_url, jobs_at_once=1) as house,
        house.client("noisy") as noisy,
        house.client("quiet") as quiet,
    ):
        order: list[str] = []

        def script(asked: Any) -> Succeed:
            order.append(asked.task.video.prompt)
            return Succeed()

        house.generator.script = script
        batch = [request(f"noise {n}", enhance=video_service_pb2.ENHANCE_OFF) for n in range(12)]
        asked = video_service_pb2.BatchGenerateVideosRequest(request_id="b", requests=batch)
        jobs = [item.job for item in (await noisy.stub.BatchGenerateVideos(asked)).items]
        job = await quiet.generate("silence", enhance=video_service_pb2.ENHANCE_OFF)
        await quiet.end(job.name)
        assert len(order) < 12
        await noisy.end(jobs[-1].name)
        assert order.index("silence") < 6
