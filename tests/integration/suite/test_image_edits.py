"""A character is edited by words over HTTP: a preview, a commit, and the film that follows it."""

import asyncio
import hashlib
import io
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image
from typer.testing import CliRunner

from reelmesh.storage.v1 import storage_service_pb2
from reelmesh.storage.v1.storage_service_pb2_grpc import StorageServiceStub
from services.common.channels import Channel
from services.suite.cli import app
from services.suite.simulator.server import simulating
from tests.fakes.simulator import quick
from tests.fakes.vendored_suite import addressed_suite, billed

pytestmark = pytest.mark.timeout(180)
ENDED = {"STATE_SUCCEEDED", "STATE_FAILED"}


async def ended(http: httpx.AsyncClient, answer: httpx.Response) -> dict[str, Any]:
    """The edit that was accepted, when it has ended."""
    assert answer.status_code in {200, 202}, answer.text
    edit: dict[str, Any] = answer.json()["edit"]
    while edit["state"] not in ENDED:
        await asyncio.sleep(0.1)
        found = await http.get(f"/api/v1/{edit['name']}")
        edit = found.json()["edit"]
    assert edit["state"] == "STATE_SUCCEEDED", edit
    return edit


async def fetched(edit: dict[str, Any]) -> bytes:
    """What was made, as whoever has its URL gets it."""
    async with httpx.AsyncClient(trust_env=False, timeout=30) as web:
        content = (await web.get(edit["contentUrl"])).content
    assert hashlib.sha256(content).hexdigest() == edit["sha256"]
    return content


async def seen(edit: dict[str, Any]) -> Image.Image:
    return Image.open(io.BytesIO(await fetched(edit))).convert("RGB")


async def parents(storage: str, asset: str) -> list[str]:
    async with Channel(storage) as channel:
        wanted = storage_service_pb2.GetAssetRequest(name=asset)
        return list((await StorageServiceStub(channel).GetAsset(wanted)).asset.lineage.parents)


async def test_with_nothing_installed_a_sketch_follows_the_words_and_the_picture(
    tmp_path: Path, nats_url: str
) -> None:
    async with (
        simulating(quick(speed=1.0)) as world,
        addressed_suite(world, [], folder=tmp_path, nats_url=nats_url) as at,
        httpx.AsyncClient(
            base_url=f"http://{at.by_service['gateway']}", trust_env=False, timeout=30
        ) as http,
    ):
        sheet = {"name": "Emma", "description": "A girl on a hill at noon"}
        kept = (await http.post("/api/v1/characters", json={"sheet": sheet})).json()["character"]
        wish = {"character": kept["name"], "prompt": "smiling", "allowPlaceholder": True}
        first = await ended(http, await http.post("/api/v1/imageEdits", json=wish))
        full = await ended(http, await http.post(f"/api/v1/{first['name']}:commit", json={}))
        assert (first["placeholder"], first["resolution"], full["resolution"]) == (
            True,
            "480p",
            "1080p",
        )
        assert first["seed"] == full["seed"]
        assert full["version"] == 2
        small, large = await seen(first), await seen(full)
        assert (small.height, large.height) == (480, 1080)
        assert _apart(small, large) < 12, "the same picture in another size"

        night = {**wish, "prompt": "in a forest at night", "seed": 7, "requestId": "once"}
        dark = await ended(http, await http.post("/api/v1/imageEdits", json=night))
        again = (await http.post("/api/v1/imageEdits", json=night)).json()["edit"]
        other = await http.post("/api/v1/imageEdits", json={**night, "prompt": "at dawn"})
        assert again["name"] == dark["name"]
        assert other.status_code == 409
        assert dark["parent"] == full["asset"]
        assert await parents(at.storage, dark["asset"]) == [full["asset"]]
        noon = {**night, "requestId": "", "prompt": "noon"}
        plain = await ended(http, await http.post("/api/v1/imageEdits", json=noon))
        assert _apart(await seen(dark), await seen(plain)) > 12, "other words are another picture"
        poor = {**wish, "budgetLimit": {"currencyCode": "USD", "units": "-1"}}
        refused = await http.post("/api/v1/imageEdits", json=poor)
        assert refused.status_code == 400
        assert "budget_limit" in refused.text
        found = (await http.get(f"/api/v1/{kept['name']}")).json()["character"]
        assert [each.get("edit", "") for each in found["versions"]] == ["", full["name"]]
        listed = (await http.get("/api/v1/imageEdits")).json()["edits"]
        assert [each["name"] for each in listed] == [
            plain["name"],
            dark["name"],
            *_names(full, first),
        ]
        people = (await http.get("/api/v1/characters")).json()["characters"]
        assert [each["sheet"]["reference"] for each in people] == [full["asset"]]
        await _from_the_command_line(at.orchestrator)


async def _from_the_command_line(address: str) -> None:
    """The same by hand: kept, listed, edited, committed, shown; a price that is not met."""

    async def reelmesh(*arguments: str, code: int = 0) -> str:
        asked = [*arguments, "--address", address]
        done = await asyncio.to_thread(CliRunner().invoke, app, asked, env={"COLUMNS": "200"})
        assert done.exit_code == code, done.output
        return done.output

    kept = await reelmesh("character", "set", "Tom", "--description", "a fox in a hat")
    tom = _named("characters", kept)
    assert "Tom" in await reelmesh("character", "list")
    preview = await reelmesh("edit", "preview", tom, "asleep", "--seed", "3", "--budget-limit", "0")
    name = _named("imageEdits", preview)
    assert "succeeded, a sketch" in preview
    assert "seed 3" in preview
    full = await reelmesh("edit", "commit", name, "--description", "a sleeping fox")
    assert f"is now version 2 of {tom}" in full
    assert "words alone" in await reelmesh("edit", "show", name)
    assert "a sleeping fox" in await reelmesh("character", "show", tom)
    assert "is no preview" in await reelmesh("edit", "commit", _named("imageEdits", full), code=4)


def _named(collection: str, told: str) -> str:
    """The name in what a command has printed, among the log of the services of this process."""
    found = re.search(rf"{collection}/[0-9a-z]{{26}}", told)
    assert found, told
    return found[0]


def _names(*edits: dict[str, Any]) -> list[str]:
    return [edit["name"] for edit in edits]


def _apart(one: Image.Image, other: Image.Image) -> float:
    """Mean difference of two pictures in levels of 255, made small first."""
    size = (64, 36)
    a, b = (picture.resize(size).tobytes() for picture in (one, other))
    return sum(abs(x - y) for x, y in zip(a, b, strict=True)) / len(a)


async def test_a_vendor_is_paid_once_for_each_and_makes_both_from_the_parent(
    tmp_path: Path, nats_url: str
) -> None:
    async with (
        simulating(quick(speed=1.0)) as world,
        addressed_suite(world, ["FAL"], folder=tmp_path, nats_url=nats_url) as at,
        httpx.AsyncClient(
            base_url=f"http://{at.by_service['gateway']}", trust_env=False, timeout=30
        ) as http,
    ):
        sheet = {"name": "Emma", "description": "A girl in a red coat"}
        kept = (await http.post("/api/v1/characters", json={"sheet": sheet})).json()["character"]
        wish = {"character": kept["name"], "prompt": "smiling", "requestId": "first"}
        preview = await ended(http, await http.post("/api/v1/imageEdits", json=wish))
        commit = {"requestId": "second"}
        full = await ended(http, await http.post(f"/api/v1/{preview['name']}:commit", json=commit))
        again = await ended(http, await http.post(f"/api/v1/{preview['name']}:commit", json=commit))
        assert again == full | {"contentUrl": again["contentUrl"]}
        assert not preview.get("placeholder")
        edit = {"character": kept["name"], "prompt": "in a blue coat"}
        second = await ended(http, await http.post("/api/v1/imageEdits", json=edit))
        assert second["parent"] == full["asset"]
        assert await parents(at.storage, second["asset"]) == [full["asset"]]
        for each in (preview, full, second):
            assert b"digitalsourcetype/trainedAlgorithmicMedia" in await fetched(each)
        bills = await billed(world)
        charged = [each for each in (preview, full, second) if each["cost"].get("nanos")]
        assert len(bills) == len(charged), bills
