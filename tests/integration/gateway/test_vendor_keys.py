"""A tenant's own vendor keys over HTTP, with the real generator behind the gateway."""

import logging

import httpx
import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr

from services.gateway.__main__ import running as gateway_running
from services.gateway.settings import Settings
from services.generator.__main__ import running
from services.generator.settings import Settings as GeneratorSettings
from tests.integration.gateway.conftest import SECRET

pytestmark = pytest.mark.timeout(60)
KEY = "key_that_nobody_may_see_again"
RUNWAY = {"vendor": "runway", "displayName": "until June", "secrets": {"api_key": KEY}}


@pytest.fixture
async def http(tmp_path):
    generator = GeneratorSettings(
        address="127.0.0.1:0",
        data_dir=tmp_path,
        database_url="",
        signing_key=SecretStr(SECRET),
        vendor_keys_secret=SecretStr(Fernet.generate_key().decode()),
        vendors={},
        drain_grace=1.0,
    )
    async with (
        running(generator) as behind,
        gateway_running(
            Settings(
                address="127.0.0.1:0",
                data_dir=tmp_path,
                signing_key=SecretStr(SECRET),
                generator_address=behind,
                drain_grace=1.0,
            )
        ) as address,
        httpx.AsyncClient(base_url=f"http://{address}/api/v1", trust_env=False) as client,
    ):
        yield client


async def test_a_key_goes_in_is_listed_without_its_secret_and_is_taken_out_of_use(
    http, caplog, capfd
):
    caplog.set_level(logging.DEBUG)
    made = await http.post("/vendorKeys", json={**RUNWAY, "requestId": "r1"})
    assert made.status_code == 200, made.text
    key = made.json()["vendorKey"]
    assert (key["vendor"], key["displayName"]) == ("runway", "until June")
    again = await http.post("/vendorKeys", json={**RUNWAY, "requestId": "r1"})
    assert again.json()["vendorKey"]["name"] == key["name"]
    listed = await http.get("/vendorKeys")
    assert [one["name"] for one in listed.json()["vendorKeys"]] == [key["name"]]
    gone = await http.delete(f"/{key['name']}")
    assert (gone.status_code, gone.json()) == (200, {})
    assert (await http.get("/vendorKeys")).json()["vendorKeys"] == []
    assert (await http.delete(f"/{key['name']}")).status_code == 404
    written = capfd.readouterr()
    for told in (made.text, again.text, listed.text, caplog.text, written.out, written.err):
        assert KEY not in told


WRONG = [
    ({**RUNWAY, "vendor": "nobody"}, "vendor"),
    ({**RUNWAY, "secrets": {"password": KEY}}, "secrets"),
    ({**RUNWAY, "secrets": {"api_key": [KEY]}}, "secrets"),
    ({**RUNWAY, "secret": KEY}, "secret"),
]


async def test_what_is_wrong_is_named_and_the_secret_is_not_repeated(http):
    for body, field in WRONG:
        refused = await http.post("/vendorKeys", json=body)
        assert refused.status_code == 400, body
        assert field in refused.text
        assert KEY not in refused.text
