"""Where an asset came from, what it cost, and what using it again has saved."""

from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict
from google.type.money_pb2 import Money

from reelmesh.storage.v1 import asset_pb2
from reelmesh.storage.v1 import storage_service_pb2 as pb
from services.common.errors import AlreadyExists, InvalidArgument, NotFound
from tests.integration.storage.conftest import Client
from tests.unit.storage.clips import mp4

pytestmark = [
    pytest.mark.timeout(60),
    pytest.mark.parametrize("settings", ["folder"], indirect=True),
]


async def test_an_asset_tells_how_to_make_it_again_and_what_using_it_again_has_saved(
    acme: Client,
) -> None:
    lineage = asset_pb2.Lineage(
        model="google_veo", prompt="a fox", seed=2**63 - 1, cost=Money(units=1, nanos=250_000_000)
    )
    lineage.parameters.update({"aspect_ratio": "16:9", "duration_seconds": 5, "audio": False})
    asset = await acme.upload(mp4(), "r1", lineage=lineage)
    assert asset.lineage.seed == 2**63 - 1
    assert MessageToDict(asset.lineage.parameters) == {
        "aspect_ratio": "16:9", "duration_seconds": 5.0, "audio": False,
    }  # fmt: skip
    assert asset.saving == Money(currency_code="USD")
    for number in range(2):
        told = asset_pb2.Lineage(parents=[asset.name])
        await acme.upload(mp4(seed=number + 1), f"use {number}", lineage=told)
    used = await acme.get(asset.name)
    assert used.reuse_count == 2
    assert used.saving == Money(currency_code="USD", units=2, nanos=500_000_000)
    lineage.cost.units = 7
    assert (await acme.upload(mp4(), "r1", lineage=lineage)).name == asset.name, "prices change"


async def test_a_hit_of_a_cache_counts_once_and_shows_the_return_on_what_was_paid(
    acme: Client, other: Client
) -> None:
    paid = asset_pb2.Lineage(cost=Money(currency_code="USD", nanos=400_000_000))
    asset = await acme.upload(mp4(), "r1", lineage=paid)

    async def record(client: Client, **told: Any) -> asset_pb2.Asset:
        request = pb.RecordReuseRequest(**{"name": asset.name, **told})
        answer: pb.RecordReuseResponse = await client.stub.RecordReuse(request)
        return answer.asset

    once = await record(acme, request_id="videoJobs/1/results/1")
    assert await record(acme, request_id="videoJobs/1/results/1") == once
    assert (once.reuse_count, once.return_percent) == (1, 100)
    dearer = Money(currency_code="USD", units=1)
    twice = await record(acme, request_id="videoJobs/2/results/1", saving=dearer)
    assert twice.saving == Money(currency_code="USD", units=1, nanos=400_000_000)
    assert (twice.reuse_count, twice.return_percent) == (2, 350)
    free = await acme.upload(mp4(seed=1), "r2")
    with pytest.raises(AlreadyExists):
        await record(acme, name=free.name, request_id="videoJobs/1/results/1")
    used = await record(acme, name=free.name, request_id="videoJobs/3/results/1")
    assert (used.reuse_count, used.return_percent) == (1, 0)
    with pytest.raises(NotFound):
        await record(other, request_id="videoJobs/1/results/1")
    for wrong in ({}, {"request_id": "x" * 129}, {"request_id": "y", "saving": Money(units=-1)}):
        with pytest.raises(InvalidArgument):
            await record(acme, **wrong)
    await acme.delete(asset.name)
    with pytest.raises(NotFound):
        await record(acme, request_id="videoJobs/1/results/1")


@pytest.mark.parametrize(
    "cost",
    [
        Money(currency_code="EUR", units=1),
        Money(currency_code="USD", units=-1),
        Money(units=1_000_000_001),
        Money(units=9_300_000_000_000),
        Money(units=2**63 - 1),
        Money(nanos=2_000_000_000),
        Money(units=1, nanos=-1),
    ],
)
async def test_money_that_is_none_is_refused_by_its_field(acme: Client, cost: Money) -> None:
    with pytest.raises(InvalidArgument, match=r"asset\.lineage\.cost"):
        await acme.upload(mp4(), "r1", lineage=asset_pb2.Lineage(cost=cost))
    asset = await acme.upload(mp4(), "r1")
    used = pb.RecordReuseRequest(name=asset.name, request_id="u", saving=cost)
    with pytest.raises(InvalidArgument, match="saving"):
        await acme.stub.RecordReuse(used)
    assert await acme.get(asset.name) == asset, "nothing was written"


async def test_no_saving_keeps_a_tenant_from_its_library(acme: Client) -> None:
    cheap = asset_pb2.Lineage(cost=Money(nanos=1000))
    asset = await acme.upload(mp4(), "r1", lineage=cheap)
    most = Money(units=1_000_000_000)
    for number in range(100):
        used = pb.RecordReuseRequest(name=asset.name, request_id=f"u{number}", saving=most)
        answer: pb.RecordReuseResponse = await acme.stub.RecordReuse(used)
    found = (await acme.stub.ListAssets(pb.ListAssetsRequest())).assets
    assert list(found) == [answer.asset]
    assert answer.asset.reuse_count == 100
    assert answer.asset.saving.units == 90_000_000_000, "no more is counted"
    assert answer.asset.return_percent == 9 * 10**18
