"""Where an asset came from, what it cost, and what using it again has saved."""

import pytest
from google.protobuf.json_format import MessageToDict
from google.type.money_pb2 import Money

from reelmesh.storage.v1 import asset_pb2
from services.common.errors import InvalidArgument
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


@pytest.mark.parametrize(
    "cost", [Money(currency_code="EUR", units=1), Money(currency_code="USD", units=-1)]
)
async def test_a_cost_that_is_none_is_refused(acme: Client, cost: Money) -> None:
    with pytest.raises(InvalidArgument, match="cost"):
        await acme.upload(mp4(), "r1", lineage=asset_pb2.Lineage(cost=cost))
