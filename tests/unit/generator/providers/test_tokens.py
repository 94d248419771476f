"""Service accounts: a signed statement becomes a token over real HTTP, once until it ends."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from functools import cache
from urllib.parse import parse_qs

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from services.common.errors import ProviderRefused, Unavailable
from services.generator.providers import configured
from services.generator.providers.adapter import Adapter
from services.generator.providers.client import Client
from services.generator.providers.runway import Runway
from services.generator.providers.tokens import Session
from tests.unit.generator.providers.raw_server import always, answer, raw_server

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
EMAIL = "video@project.iam.gserviceaccount.com"


@cache
def private_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def account(**changes: str) -> str:
    pem = private_key().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    facts = {"client_email": EMAIL, "private_key": pem.decode(), "private_key_id": "key-1"}
    elsewhere = {"token_uri": "http://169.254.169.254/steal"}
    return json.dumps({**facts, **elsewhere, **changes})


def vertex(url: str, text: str) -> Adapter:
    found = configured(
        {
            "VERTEX_BASE_URL": url,
            "VERTEX_TOKEN_URL": f"{url}/token",
            "VERTEX_SERVICE_ACCOUNT": text,
            "VERTEX_PROJECT": "p",
        }
    ).vertex
    assert found is not None
    return found


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(trust_env=False) as client:
        yield client


def token(word: str, seconds: int = 3600) -> bytes:
    return answer(json.dumps({"access_token": word, "expires_in": seconds}).encode())


async def test_an_account_is_exchanged_for_a_token_by_a_signed_statement(http) -> None:
    async with raw_server(always(token("ya29.token"))) as server:
        adapter = vertex(server.url, account())
        signed = await Session(adapter, http, now=lambda: NOW).adapter()
        assert signed.auth(NOW) == {"authorization": "Bearer ya29.token"}
        [request] = server.requests
    assert request.line.startswith("POST /token ")
    form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
    assert form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
    claims = jwt.decode(
        form["assertion"],
        private_key().public_key(),
        algorithms=["RS256"],
        audience=f"{server.url}/token",
        options={"verify_exp": False, "verify_iat": False},
    )
    assert (claims["iss"], claims["exp"] - claims["iat"]) == (EMAIL, 3600)
    assert claims["scope"] == "https://www.googleapis.com/auth/cloud-platform"
    assert jwt.get_unverified_header(form["assertion"])["kid"] == "key-1"


async def test_a_token_is_asked_for_once_and_renewed_before_it_ends(http) -> None:
    clock = [NOW]
    async with raw_server(always(token("t"))) as server:
        session = Session(vertex(server.url, account()), http, now=lambda: clock[0])
        await asyncio.gather(*(session.adapter() for _ in range(10)))
        assert len(server.requests) == 1
        clock[0] += timedelta(minutes=54)
        await session.adapter()
        assert len(server.requests) == 1
        clock[0] += timedelta(minutes=2)
        await session.adapter()
        assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (answer(b'{"error": "invalid_grant"}', status="400 Bad Request"), ProviderRefused),
        (answer(b"{}", status="503 Service Unavailable"), Unavailable),
        (answer(b"<html>"), Unavailable),
    ],
)
async def test_without_a_token_nothing_is_sent_and_it_is_said_why(http, reply, error) -> None:
    async with raw_server(always(reply)) as server:
        client = Client(vertex(server.url, account()), http, now=lambda: NOW)
        with pytest.raises(error):
            await client.poll("projects/p/operations/1")
        assert [request.line.split()[1] for request in server.requests] == ["/token"]


@pytest.mark.parametrize(
    "text", ["no JSON", "[]", '{"client_email": "x"}', account(private_key="x")]
)
async def test_an_account_that_is_none_is_refused(http, text: str) -> None:
    session = Session(vertex("http://127.0.0.1:1", text), http, now=lambda: NOW)
    with pytest.raises(ProviderRefused, match="service account"):
        await session.adapter()


async def test_a_vendor_that_takes_the_key_itself_is_asked_for_no_token(http) -> None:
    runway = Runway(base_url="http://127.0.0.1:1", api_key="key")
    assert await Session(runway, http, now=lambda: NOW).adapter() is runway


@pytest.mark.parametrize("lifetime", ["1e300", "1" + "0" * 400, "-1e300", "NaN", '"3600"'])
async def test_a_token_is_kept_for_a_day_at_most(http: httpx.AsyncClient, lifetime: str) -> None:
    body = f'{{"access_token": "t", "expires_in": {lifetime}}}'.encode()
    async with raw_server(always(answer(body))) as server:
        session = Session(vertex(server.url, account()), http, now=lambda: NOW)
        await session.adapter()
    assert session._until is not None
    assert NOW <= session._until <= NOW + timedelta(days=1)
