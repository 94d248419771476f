import asyncio
import socket
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import httpx
import pytest

from services.common.errors import ProviderRefused, RateLimited, Unavailable, UnknownOutcome
from services.generator.domain.tasks import VideoTask
from services.generator.providers.adapter import (
    Accepted,
    Adapter,
    Failed,
    Fault,
    Running,
    Submission,
)
from services.generator.providers.client import Client, origin
from services.generator.providers.connections import vendor_http
from services.generator.providers.fal import Fal
from services.generator.providers.runway import Runway
from tests.unit.generator.providers.raw_server import Request, always, answer, raw_server

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
TASK = VideoTask(prompt="x", duration_seconds=5, aspect_ratio="16:9", resolution="720p")
SUBMISSION = Submission(vendor_model="gen4.5", task=TASK, generation="g")


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with vendor_http() as http:
        yield http


def client(http: httpx.AsyncClient, url: str, adapter: Adapter | None = None) -> Client:
    return Client(adapter or Runway(base_url=url, api_key="key"), http, now=lambda: NOW)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def hang_up(request: Request, writer: asyncio.StreamWriter) -> None:
    """Take the request and close without a word."""


async def test_a_submit_that_reached_nobody_may_be_sent_again(http: httpx.AsyncClient) -> None:
    with pytest.raises(Unavailable) as caught:
        await client(http, f"http://127.0.0.1:{free_port()}").submit(SUBMISSION)
    assert caught.value.metadata == {"delivered": "no"}


async def test_a_host_that_does_not_exist_was_reached_by_nothing(http: httpx.AsyncClient) -> None:
    with pytest.raises(Unavailable):
        await client(http, "http://nobody.invalid").submit(SUBMISSION)


async def test_a_cookie_that_one_tenants_key_was_given_goes_with_no_other(
    http: httpx.AsyncClient,
) -> None:
    reply = answer(b"", status="400 No", headers=("set-cookie: session=hers; path=/",))
    async with raw_server(always(reply)) as server:
        for _ in range(2):
            await client(http, server.url).submit(SUBMISSION)
    assert [request.headers.get("cookie") for request in server.requests] == [None, None]


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"HTTP/1.1 200 OK\r\ncontent-length: 40\r\n\r\n{",
        answer(b"", status="502 Bad Gateway"),
        answer(b'{"error":"load"}', status="503 Service Unavailable"),
        answer(b"", status="408 Request Timeout"),
        answer(b"<html>fine</html>"),
        answer(b"{}"),
        b"HTTP/1.1 302 Found\r\nLocation: http://xn--a/\r\nContent-Length: 0\r\n\r\n",
    ],
    ids=["silence", "half", "502", "503", "408", "html", "no id", "no host"],
)
async def test_a_submit_whose_answer_is_lost_or_unclear_is_never_sent_again(
    http: httpx.AsyncClient, reply: bytes
) -> None:
    async with raw_server(always(reply)) as server:
        with pytest.raises(UnknownOutcome):
            await client(http, server.url).submit(SUBMISSION)
        assert len(server.requests) == 1


async def test_a_silent_vendor_is_given_up_and_the_outcome_is_unknown() -> None:
    async def never(request: Request, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(5)

    class Impatient(httpx.AsyncClient):
        def build_request(self, *args: object, **values: object) -> httpx.Request:
            values["timeout"] = httpx.Timeout(0.1)
            # whatever the caller asked for, with another timeout
            return super().build_request(*args, **values)  # type: ignore[arg-type]

    async with raw_server(never) as server, Impatient(trust_env=False) as http:
        with pytest.raises(UnknownOutcome, match="ReadTimeout"):
            await client(http, server.url).submit(SUBMISSION)
        assert len(server.requests) == 1


async def test_an_accepted_submit_carries_the_key_and_the_version(http: httpx.AsyncClient) -> None:
    async with raw_server(always(answer(b'{"id":"t1"}'))) as server:
        outcome = await client(http, server.url).submit(SUBMISSION)
    assert outcome == Accepted(job="t1", shown_id="t1")
    assert server.requests[0].headers["authorization"] == "Bearer key"
    assert server.requests[0].headers["x-runway-version"] == "2024-11-06"


async def test_a_redirect_of_a_paid_call_is_not_followed(http: httpx.AsyncClient) -> None:
    async with raw_server(always(answer(b'{"id":"stolen"}'))) as elsewhere:
        moved = answer(b"", status="307 Moved", headers=(f"location: {elsewhere.url}/x",))
        async with raw_server(always(moved)) as server:
            outcome = await client(http, server.url).submit(SUBMISSION)
        assert elsewhere.requests == []
    assert isinstance(outcome, Failed)


@pytest.mark.parametrize(
    ("status", "error", "retry_after"),
    [
        ("429 Slow down", RateLimited, 7.0),
        ("503 Away", Unavailable, 7.0),
        ("500 Oops", Unavailable, 7.0),
        ("401 Who", ProviderRefused, None),
        ("403 No", ProviderRefused, None),
    ],
)
async def test_trouble_with_a_question_does_not_end_the_job(
    http: httpx.AsyncClient, status: str, error: type[Exception], retry_after: float | None
) -> None:
    reply = answer(b"{}", status=status, headers=("retry-after: 7",))
    async with raw_server(always(reply)) as server:
        with pytest.raises(error) as caught:
            await client(http, server.url).poll("t1")
    assert getattr(caught.value, "retry_after", None) == retry_after


async def test_retry_after_may_be_a_date(http: httpx.AsyncClient) -> None:
    date = "retry-after: Sat, 21 Nov 2026 12:01:30 GMT"
    async with raw_server(always(answer(b"{}", status="503 Away", headers=(date,)))) as server:
        with pytest.raises(Unavailable) as caught:
            await client(http, server.url).poll("t1")
    assert caught.value.retry_after == 90


async def test_a_vendor_that_is_away_while_polled_is_asked_later(http: httpx.AsyncClient) -> None:
    async with raw_server(hang_up) as server:
        with pytest.raises(Unavailable):
            await client(http, server.url).poll("t1")
    with pytest.raises(Unavailable):
        await client(http, server.url).poll("t1")


async def test_a_follow_up_address_on_a_foreign_host_never_sees_the_key(
    http: httpx.AsyncClient,
) -> None:
    async with raw_server(always(answer(b"{}"))) as foreign, raw_server(hang_up) as own:
        job = f'{{"status": "{foreign.url}/s", "response": "", "cancel": "{foreign.url}/c"}}'
        fal = client(http, own.url, Fal(base_url=own.url, api_key="key"))
        with pytest.raises(ProviderRefused, match="another host"):
            await fal.poll(job)
        with pytest.raises(ProviderRefused, match="another host"):
            await fal.cancel(job)
        assert foreign.requests == []


async def test_a_vendor_that_sends_us_in_a_circle_is_left(http: httpx.AsyncClient) -> None:
    class Circular(Runway):
        def update(self, job: str, reply: object) -> Running:
            # a vendor's adapter that never comes to an end
            return self.poll(job)  # type: ignore[return-value]

    async with raw_server(always(answer(b"{}"))) as server:
        with pytest.raises(Unavailable, match="circle"):
            await client(http, server.url, Circular(base_url=server.url)).poll("t1")
        assert len(server.requests) == 4


async def test_an_endless_answer_is_cut_off(
    http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.generator.providers.replies.MAX_REPLY_BYTES", 1000)
    async with raw_server(always(answer(b'"' + b"x" * 5000 + b'"'))) as server:
        with pytest.raises(Unavailable):
            await client(http, server.url).poll("t1")


async def test_cancelling_tells_whether_the_vendor_agreed(http: httpx.AsyncClient) -> None:
    agreed, gone = answer(b"", status="202 Asked"), answer(b"", status="404 Gone")
    async with raw_server(always(agreed, gone, answer(b"", status="503 Away"))) as server:
        job = f'{{"status": "", "response": "", "cancel": "{server.url}/c"}}'
        fal = client(http, server.url, Fal(base_url=server.url, api_key="key"))
        assert await fal.cancel(job) is True
        assert await fal.cancel(job) is False
        with pytest.raises(Unavailable):
            await fal.cancel(job)


async def test_a_vendor_without_a_way_to_look_up_says_nothing(http: httpx.AsyncClient) -> None:
    assert await client(http, "http://127.0.0.1:1").look_up(SUBMISSION) is None


async def test_a_lost_job_is_a_definitive_failure(http: httpx.AsyncClient) -> None:
    async with raw_server(always(answer(b"{}", status="404 Gone"))) as server:
        update = await client(http, server.url).poll("t1")
    assert isinstance(update, Failed)
    assert update.fault is Fault.LOST


def test_an_origin_includes_the_port_that_the_scheme_implies() -> None:
    assert origin("https://x.example/a") == origin("https://x.example:443/b")
    assert origin("https://x.example") != origin("http://x.example")
    assert origin("https://x.example") != origin("https://x.example:444")


async def test_a_vendor_that_repeats_our_key_does_not_spread_it(http: httpx.AsyncClient) -> None:
    secret = "key_that_is_long_enough"
    said = f'{{"error": "Incorrect API key provided: {secret}"}}'.encode()
    async with raw_server(always(answer(said, status="401 Unauthorized"))) as server:
        adapter = Runway(base_url=server.url, api_key=secret)
        outcome = await client(http, server.url, adapter).submit(SUBMISSION)
        assert isinstance(outcome, Failed)
        assert outcome.message == "Incorrect API key provided: [secret]"
        with pytest.raises(ProviderRefused) as caught:
            await client(http, server.url, adapter).poll("job")
        assert secret not in caught.value.message


async def test_googles_own_way_to_say_how_long_to_wait_is_understood(
    http: httpx.AsyncClient,
) -> None:
    details = (
        b'{"error": {"code": 429, "message": "slow down", "details": [{"@type": "x"}, '
        b'{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "37s"}]}}'
    )
    async with raw_server(always(answer(details, status="429 Too Many Requests"))) as server:
        with pytest.raises(RateLimited) as caught:
            await client(http, server.url).poll("job")
        assert caught.value.retry_after == 37
