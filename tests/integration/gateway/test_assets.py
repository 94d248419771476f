"""What is stored, over REST: the gallery of an application, against the real storage service."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from reelmesh.storage.v1 import asset_pb2
from services.common import clock
from services.gateway.__main__ import running as gateway_running
from services.gateway.settings import Settings
from services.storage.__main__ import running as storage_running
from services.storage.settings import Settings as StorageSettings
from tests.integration.storage.conftest import SIGNING_KEY, Client, client_of
from tests.integration.storage.test_derived import derived
from tests.unit.storage.clips import mp4

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
async def behind(tmp_path: Path) -> AsyncIterator[tuple[httpx.AsyncClient, Client]]:
    """HTTP of the gateway and gRPC of storage, both for the tenant "default"."""
    key = SecretStr(SIGNING_KEY)
    told: dict[str, Any] = {
        "address": "127.0.0.1:0",
        "data_dir": tmp_path,
        "signing_key": key,
        "auth": False,
    }
    kept = StorageSettings(**told, derive="thumbnail", min_free_bytes=0)
    async with (
        storage_running(kept) as storage,
        gateway_running(Settings(**told, storage_address=storage)) as gateway,
        httpx.AsyncClient(base_url=f"http://{gateway}/api/v1") as http,
        client_of(storage, "default") as client,
    ):
        yield http, client


async def test_a_gallery_is_paged_with_its_stills_searched_and_cleared(
    behind: tuple[httpx.AsyncClient, Client],
) -> None:
    http, client = behind
    names = []
    for number, place in enumerate(("attic", "beach", "beach")):
        facets = asset_pb2.Facets(landscapes=[place], mood="calm")
        asset = await client.upload(mp4(seed=number), f"r{number}", facets=facets)
        names.append((await derived(client, asset.name, 1)).name)
    first = (await http.get("/assets", params={"page_size": 2})).json()
    assert [each["name"] for each in first["assets"]] == names[:0:-1]
    token = first["nextPageToken"]
    rest = (await http.get("/assets", params={"page_size": 2, "page_token": token})).json()
    assert [each["name"] for each in rest["assets"]] == names[:1]
    thumbnail = rest["assets"][0]["derived"]["thumbnail"]
    signed = (await http.get(f"/{thumbnail}:sign", params={"lifetime": "60s"})).json()
    host = f"{http.base_url.scheme}://{http.base_url.netloc.decode()}"
    still = await http.get(f"{host}{signed['url']}")
    assert (still.status_code, still.content[:2]) == (200, b"\xff\xd8"), "a JPEG"
    found = await http.post("/assets:find", json={"facets": {"landscapes": ["beach"]}})
    assert {each["name"] for each in found.json()["assets"]} == set(names[1:])
    hits = await http.post("/assets:search", json={"query": "a loft"})
    assert [hit["asset"]["name"] for hit in hits.json()["hits"]] == names[:1]
    assert (await http.get(f"/{names[0]}:playlist")).status_code == 400, "no HLS was made"
    served = {"requestId": "u1", "saving": {"currencyCode": "USD", "units": "2"}}
    for _ in range(2):
        used = (await http.post(f"/{names[0]}:reuse", json=served)).json()["asset"]
        assert (used["reuseCount"], used["saving"]["units"]) == ("1", "2"), "once for its id"
    held = await http.post(f"/{names[0]}:hold", json={"held": True})
    assert held.json()["asset"]["legalHold"]
    listed = (await http.get("/assets", params={"held": True})).json()
    assert [each["name"] for each in listed["assets"]] == names[:1]
    assert (await http.delete(f"/{names[0]}")).status_code == 400
    await http.post(f"/{names[0]}:hold", json={"held": False})
    assert int((await http.get("/assets:usage")).json()["sizeBytes"]) > 0
    private = {"uri": "https://127.0.0.1/x.mp4", "request_id": "i1"}
    assert (await http.post("/assets:import", json=private)).status_code == 403
    gone = await http.delete(f"/{names[0]}")
    assert gone.json()["asset"]["state"] == "STATE_DELETED"
    assert (await http.get(f"/{names[0]}:sign")).status_code == 404
    assert (await http.get("/assets/nobody")).status_code == 404


async def test_an_address_that_storage_signed_gives_ranges_until_it_ends(
    behind: tuple[httpx.AsyncClient, Client],
) -> None:
    http, client = behind
    clip, host = mp4(), f"http://{http.base_url.netloc.decode()}"
    asset = await client.upload(clip, "r1")

    async def signed(lifetime: str) -> tuple[str, datetime]:
        told = (await http.get(f"/{asset.name}:sign", params={"lifetime": lifetime})).json()
        return host + told["url"], datetime.fromisoformat(told["expireTime"])

    long, _ = await signed("60s")
    part = await http.get(long, headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, clip[10:20])
    assert part.headers["content-range"] == f"bytes 10-19/{len(clip)}"
    forged = long.replace(asset.name.removeprefix("assets/"), "01another")
    assert (await http.get(forged)).status_code == 403
    short, ends = await signed("1s")
    while (await http.get(short)).status_code != 403:  # noqa: ASYNC110 - the services' clock
        await asyncio.sleep(0.1)
    assert clock.now() >= ends
    assert (await http.get(long)).content == clip
