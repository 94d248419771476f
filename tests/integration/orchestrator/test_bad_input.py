"""Wrong values are refused with the field's name and what is allowed, and nothing is written."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import grpc
import pytest
import pytest_asyncio
from google.rpc import error_details_pb2, status_pb2

from reelmesh.orchestrator.v1 import video_service_pb2 as pb
from reelmesh.orchestrator.v1.video_service_pb2_grpc import VideoServiceStub
from services.common.errors import InvalidArgument
from services.common.identity import IDENTITY_KEY, Identity
from tests.integration.orchestrator.conftest import SIGNER, House, house_on
from tests.integration.orchestrator.wrong_values import CASES, WRONG, Wrong

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(30)]
NO_STATE: Any = 77
TABLES = ("jobs", "job_events", "requests")


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest) -> Iterator[str]:
    if request.param == "sqlite":
        yield ""
        return
    server = request.getfixturevalue("postgres_server")
    url = server.create_database()
    yield url
    server.drop_database(url)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def kept(
    tmp_path_factory: pytest.TempPathFactory, nats_url: str, database: str
) -> AsyncIterator[House]:
    async with house_on(tmp_path_factory.mktemp("bad"), nats_url, database) as house:
        yield house


async def refusal(house: House, call: str, request: object) -> status_pb2.Status:
    """The status as it lies on the wire, read by nothing of ours."""
    token = SIGNER.sign(Identity("acme"))
    async with grpc.aio.insecure_channel(house.address) as channel:
        method = getattr(VideoServiceStub(channel), call)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await _served(method(request, metadata=((IDENTITY_KEY, token),)))
    trailing = dict(caught.value.trailing_metadata())
    status = status_pb2.Status.FromString(trailing["grpc-status-details-bin"])
    assert status.code == caught.value.code().value[0]
    return status


async def _served(answer: Any) -> None:
    if hasattr(answer, "__aiter__"):
        async for _ in answer:
            pass
    else:
        await answer


def written(house: House) -> list[int]:
    return [house.evidence.count("orchestrator", table) for table in TABLES]


def unpack(status: status_pb2.Status, kind: Any) -> Any:
    found = [packed for packed in status.details if packed.Is(kind.DESCRIPTOR)]
    assert len(found) == 1, status
    return kind.FromString(found[0].value)


def assert_bad_request(status: status_pb2.Status, wrong: Wrong) -> None:
    assert status.code == grpc.StatusCode.INVALID_ARGUMENT.value[0], status
    info = unpack(status, error_details_pb2.ErrorInfo)
    assert (info.reason, info.domain) == ("INVALID_ARGUMENT", "reelmesh")
    [violation] = unpack(status, error_details_pb2.BadRequest).field_violations
    assert violation.field == wrong.named
    for word in wrong.words:
        assert word in violation.description, (word, violation.description)


@pytest.mark.parametrize(("field", "wrong"), CASES, ids=lambda v: v if isinstance(v, str) else "")
async def test_a_wrong_value_is_refused_by_its_name(kept: House, field: str, wrong: Wrong) -> None:
    request = pb.GenerateVideoRequest(
        **{"prompt": "a dhow", "request_id": "r1", field: wrong.value}
    )
    before = written(kept)
    assert_bad_request(await refusal(kept, "GenerateVideo", request), wrong)
    assert written(kept) == before
    assert not kept.generator.requests


@pytest.mark.parametrize("field", ["prompt", "duration", "model"])
async def test_a_plan_refuses_what_generating_refuses(kept: House, field: str) -> None:
    wrong = WRONG[field][0]
    request = pb.GenerateVideoRequest(**{"prompt": "a dhow", field: wrong.value})
    status = await refusal(kept, "PlanVideo", pb.PlanVideoRequest(request=request))
    assert_bad_request(status, wrong)


@pytest.mark.parametrize(
    ("call", "request_", "named"),
    [
        ("GetVideoJob", pb.GetVideoJobRequest(name="jobs/1"), "name"),
        ("GetVideoJob", pb.GetVideoJobRequest(name="videoJobs/a\0b"), "name"),
        ("WatchVideoJob", pb.WatchVideoJobRequest(name=""), "name"),
        (
            "WatchVideoJob",
            pb.WatchVideoJobRequest(name="videoJobs/a", after_sequence=-1),
            "after_sequence",
        ),
        ("CancelVideoJob", pb.CancelVideoJobRequest(name="videoJobs/"), "name"),
        ("ListVideoJobs", pb.ListVideoJobsRequest(page_size=201), "page_size"),
        ("ListVideoJobs", pb.ListVideoJobsRequest(page_size=-1), "page_size"),
        ("ListVideoJobs", pb.ListVideoJobsRequest(page_token="' OR 1=1"), "page_token"),
        ("ListVideoJobs", pb.ListVideoJobsRequest(states=[NO_STATE]), "states"),
        ("ListVideoJobs", pb.ListVideoJobsRequest(creative_id="a\0b"), "creative_id"),
        ("ListVideoJobs", pb.ListVideoJobsRequest(project="a\0b"), "project"),
    ],
)
async def test_other_calls_refuse_wrong_values_too(
    kept: House, call: str, request_: object, named: str
) -> None:
    status = await refusal(kept, call, request_)
    assert status.code == grpc.StatusCode.INVALID_ARGUMENT.value[0], status
    violations = unpack(status, error_details_pb2.BadRequest).field_violations
    assert [violation.field for violation in violations] == [named]


async def test_the_client_gets_the_same_error_back(kept: House) -> None:
    async with kept.client() as acme:
        with pytest.raises(InvalidArgument) as caught:
            await acme.generate(variations=9)
    assert caught.value.violations[0].field == "variations"


async def test_every_field_of_the_contract_has_a_wrong_value() -> None:
    fields = {field.name for field in pb.GenerateVideoRequest.DESCRIPTOR.fields}
    assert set(WRONG) == fields


async def test_a_plan_writes_nothing_and_asks_no_engine(kept: House) -> None:
    async with kept.client() as acme:
        plan = await acme.stub.PlanVideo(
            pb.PlanVideoRequest(request=pb.GenerateVideoRequest(prompt="a dhow at dusk"))
        )
    assert [c.model for c in plan.decision.chosen] == ["first_model", "second_model"]
    assert written(kept) == [0, 0, 0]
    assert not kept.generator.requests
