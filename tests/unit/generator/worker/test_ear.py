"""Callbacks of every scheme, public keys read over real HTTP."""

import hashlib
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from services.common.errors import PermissionDenied, Unavailable
from services.generator.providers import configured
from services.generator.worker.ear import Ear, PublicKeys
from services.suite.simulator.signatures import ed25519, standard
from tests.unit.generator.providers.raw_server import always, answer, raw_server

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
STAMP = int(NOW.timestamp())
SECRET = "whsec_c2VjcmV0LW9mLXRoZS12ZW5kb3ItMDAwMDAwMDAwMDE="
SEED = bytes(range(32))
JWKS = {"keys": [{"kty": "OKP", "x": "A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg"}]}
BODY = b'{"request_id": "job-1", "id": "job-1", "task_id": "job-1"}'


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(trust_env=False) as client:
        yield client


def vendor(name: str, **more: str):
    found = configured({f"{name.upper()}_API_KEY": "k", **more}).get(name)
    assert found is not None
    return found


def ear(http: httpx.AsyncClient, now: datetime = NOW) -> Ear:
    return Ear(http, now=lambda: now)


async def test_fals_signature_is_held_against_the_keys_at_its_own_address(http) -> None:
    async with raw_server(always(answer(json.dumps(JWKS).encode()))) as server:
        fal = vendor("fal", FAL_BASE_URL=server.url)
        signed = ed25519(SEED, "job-1", "user", STAMP, BODY)
        heard = await ear(http).hear(fal, signed, BODY)
        assert (heard.message, heard.job, heard.challenge) == ("job-1", "job-1", "")
        assert server.requests[0].line.startswith("GET /.well-known/jwks.json ")
        for headers, body in (
            (ed25519(bytes(range(1, 33)), "job-1", "user", STAMP, BODY), BODY),
            (signed, BODY + b" "),
            (ed25519(SEED, "job-1", "user", STAMP - 301, BODY), BODY),
            ({}, BODY),
        ):
            with pytest.raises(PermissionDenied):
                await ear(http).hear(fal, headers, body)


def test_fals_own_keys_lie_on_another_host_than_its_queue() -> None:
    assert vendor("fal").keys_address == "https://rest.fal.ai/.well-known/jwks.json"
    other = vendor("fal", FAL_KEYS_URL="https://keys.example/jwks")
    assert other.keys_address == "https://keys.example/jwks"


async def test_replicates_secret_may_be_one_of_two(http) -> None:
    headers = standard(SECRET, "msg_1", STAMP, BODY)
    both = vendor("replicate", REPLICATE_WEBHOOK_SECRET=f"whsec_AAAA,{SECRET}")
    assert (await ear(http).hear(both, headers, BODY)).message == "msg_1"
    wrong = vendor("replicate", REPLICATE_WEBHOOK_SECRET="whsec_AAAA")
    with pytest.raises(PermissionDenied):
        await ear(http).hear(wrong, headers, BODY)
    with pytest.raises(PermissionDenied):
        await ear(http).hear(both, {}, BODY)


async def test_what_is_not_signed_is_told_apart_by_its_body(http) -> None:
    for name in ("minimax", "runpod", "luma_dream", "kling"):
        heard = await ear(http).hear(vendor(name), {}, BODY)
        assert heard.job == "job-1"
        assert heard.message == hashlib.sha256(BODY).hexdigest()


async def test_minimax_asks_for_an_echo_and_nobody_else_gets_one(http) -> None:
    challenge = b'{"challenge": "word"}'
    assert (await ear(http).hear(vendor("minimax"), {}, challenge)).challenge == "word"
    assert (await ear(http).hear(vendor("kling"), {}, challenge)).challenge == ""


async def test_a_vendor_that_calls_nobody_is_not_listened_to(http) -> None:
    with pytest.raises(PermissionDenied):
        await ear(http).hear(vendor("runway"), {}, BODY)


@pytest.mark.parametrize("body", [b"", b"not json", b"[]", b'{"task_id": {}}', b"\xff"])
async def test_garbage_names_no_job(http, body: bytes) -> None:
    assert (await ear(http).hear(vendor("minimax"), {}, body)).job == ""


@pytest.mark.parametrize("job", ["a\\u0000b", "x" * 201])
async def test_a_job_that_could_not_be_one_is_refused(http, job: str) -> None:
    with pytest.raises(PermissionDenied):
        await ear(http).hear(vendor("minimax"), {}, f'{{"task_id": "{job}"}}'.encode())


async def test_public_keys_are_read_once_a_day_and_again_when_they_do_not_fit(http) -> None:
    clock = [NOW]
    async with raw_server(always(answer(b'{"keys":[]}'))) as server:
        keys = PublicKeys(server.url, http, now=lambda: clock[0])
        assert await keys.get() == {"keys": []}
        await keys.get()
        await keys.get(within=timedelta(minutes=5))
        assert len(server.requests) == 1
        clock[0] += timedelta(minutes=5)
        await keys.get(within=timedelta(minutes=5))
        assert len(server.requests) == 2
        clock[0] += timedelta(hours=24)
        await keys.get()
        assert len(server.requests) == 3
    clock[0] += timedelta(hours=24)
    with pytest.raises(Unavailable):
        await keys.get()
