"""Whatever a reply says, a paid call is sent once and told as what it was."""

from collections.abc import AsyncIterator

import httpx
import pytest

from services.common.errors import ProviderRefused, UnknownOutcome
from services.generator.providers.adapter import Failed, number
from services.generator.providers.connections import vendor_http
from services.generator.providers.huggingface import HuggingFace
from services.generator.providers.runway import Runway
from tests.unit.generator.providers.raw_server import always, answer, raw_server
from tests.unit.generator.providers.test_client import SUBMISSION, client


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with vendor_http() as http:
        yield http


@pytest.mark.parametrize(
    ("when", "seconds"),
    [
        ("Sat, 21 Nov 2026 12:01:30 GMT", 90),
        ("Sat, 21 Nov 2026 12:01:30 -0000", 90),
        ("Sat, 21 Nov 2026 12:01:30", 90),
        ("Sat, 21 Nov 2026 14:01:30 +0200", 90),
        ("Sat, 21 Nov 1926 12:00:00 GMT", 0),
        ("Sun, 22 Nov 2026 12:00:00 +99999999999999999999", None),
        ("Fri, 31 Dec 9999 23:59:59 -2359", None),
        ("Sat, 99 Nov 2026 12:00:00 GMT", None),
        ("7", 7),
        ("nan", None),
        ("1e999", None),
        ("soon", None),
    ],
)
async def test_a_refusal_is_one_whatever_it_says_of_when_to_come_again(
    http: httpx.AsyncClient, when: str, seconds: float | None
) -> None:
    reply = answer(b"{}", status="429 No", headers=(f"retry-after: {when}",))
    async with raw_server(always(reply)) as server:
        outcome = await client(http, server.url).submit(SUBMISSION)
    assert isinstance(outcome, Failed)
    assert outcome.retry_after == seconds


@pytest.mark.parametrize("key", ["key_1\n", "key_1 ", "key_1\r\nx: y", "key_ключ", "key_\0"])
async def test_a_key_that_no_header_takes_is_refused_before_anything_is_sent(
    http: httpx.AsyncClient, key: str
) -> None:
    async with raw_server(always(answer(b'{"id":"t1"}'))) as server:
        asked = client(http, server.url, Runway(base_url=server.url, api_key=key))
        with pytest.raises(ProviderRefused, match="characters of the key") as caught:
            await asked.submit(SUBMISSION)
        assert caught.value.metadata == {"delivered": "no"}
        assert "key_" not in caught.value.message
        with pytest.raises(ProviderRefused):
            await asked.poll("t1")
        assert server.requests == []


@pytest.mark.parametrize("estimate", ["1" + "0" * 400, "1e999", "NaN", "-3", "true", '"soon"'])
async def test_an_estimate_that_is_no_wait_breaks_nothing(
    http: httpx.AsyncClient, estimate: str
) -> None:
    body = f'{{"error": "loading", "estimated_time": {estimate}}}'.encode()
    async with raw_server(always(answer(body, status="503 Cold"))) as server:
        asked = client(http, server.url, HuggingFace(base_url=server.url, api_key="key"))
        try:
            outcome = await asked.submit(SUBMISSION)
        except UnknownOutcome:
            return
    assert isinstance(outcome, Failed)
    assert outcome.retry_after in {None, 0.0}


async def test_an_answer_without_a_bottom_is_one_that_cannot_be_read(
    http: httpx.AsyncClient,
) -> None:
    async with raw_server(always(answer(b"[" * 200_000))) as server:
        with pytest.raises(UnknownOutcome, match="cannot be read"):
            await client(http, server.url).submit(SUBMISSION)


@pytest.mark.parametrize("found", [10**400, float("inf"), float("nan"), True, "1", None])
def test_what_is_no_finite_number_is_none(found: object) -> None:
    assert number({"n": found}, "n") is None  # type: ignore[dict-item]  # as JSON gives it
