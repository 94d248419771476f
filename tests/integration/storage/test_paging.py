"""Lists over the wire: stable while assets come and go, and empty without an error."""

from dataclasses import replace

import pytest

from reelmesh.storage.v1 import asset_pb2
from reelmesh.storage.v1 import storage_service_pb2 as pb
from services.common.database import Database
from services.storage.adapters.asset_rows import to_row
from services.storage.adapters.tables import assets
from services.storage.adapters.word_index import WORD_INDEXES
from services.storage.domain.assets import Asset, AssetState
from services.storage.settings import Settings
from tests.contract.storage.test_asset_store import record
from tests.integration.storage.conftest import Client

pytestmark = [
    pytest.mark.timeout(60),
    pytest.mark.parametrize("settings", ["folder"], indirect=True),
]
HELD = 2500
TEXT = asset_pb2.Facets(asset_type="other")


async def filled(settings: Settings) -> list[Asset]:
    """Records alone, written where those of the service are."""
    made = [replace(record(f"r{n}", creative=""), state=AssetState.STORED) for n in range(HELD)]
    async with (
        Database(settings.database_location(), schema="storage") as database,
        database.begin() as connection,
    ):
        await connection.execute(assets.insert(), [to_row(asset) for asset in made])
        await WORD_INDEXES[connection.dialect.name].insert(connection, *made)
    return made


@pytest.mark.parametrize("method", ["ListAssets", "FindAssets"])
async def test_2500_assets_come_once_each_while_others_are_uploaded_and_deleted(
    acme: Client, settings: Settings, method: str
) -> None:
    there = {asset.name for asset in await filled(settings)}
    call, request = getattr(acme.stub, method), getattr(pb, f"{method}Request")(page_size=200)
    if method == "FindAssets":
        request.facets.asset_type = "video"
    seen: list[str] = []
    unseen: set[str] = set()
    while True:
        page = await call(request)
        seen += [asset.name for asset in page.assets]
        if not (token := page.next_page_token):
            break
        request.page_token = token
        late = await acme.upload(b"x", f"late {len(seen)}", content_type="text/plain")
        unseen.add(late.name)
        await acme.delete(page.assets[0].name)  # seen already
        gone = min(there - set(seen) - unseen)  # the oldest, which is yet to come
        unseen.add(gone)
        await acme.delete(gone)
    assert len(seen) == len(set(seen)), "none twice"
    assert seen == sorted(seen, reverse=True)
    assert set(seen) == there - unseen, "none left out, none that came or went in between"


async def test_a_page_of_nothing_is_empty_and_no_error(acme: Client, other: Client) -> None:
    await acme.upload(b"x", "r1", content_type="text/plain", creative_id="c")
    nothing = asset_pb2.Facets(characters=["nobody"])
    for client, method, request in (
        (acme, "ListAssets", pb.ListAssetsRequest(creative_id="another")),
        (acme, "FindAssets", pb.FindAssetsRequest(facets=nothing)),
        (acme, "FindAssets", pb.FindAssetsRequest(labels={"campaign": "none"})),
        (other, "ListAssets", pb.ListAssetsRequest()),
        (other, "FindAssets", pb.FindAssetsRequest()),
        (other, "FindAssets", pb.FindAssetsRequest(facets=TEXT)),
    ):
        page = await getattr(client.stub, method)(request)
        assert (list(page.assets), page.next_page_token) == ([], ""), method
    for client, search in (
        (acme, pb.SearchAssetsRequest(query="a heron in the mist")),
        (acme, pb.SearchAssetsRequest(query="x", facets=nothing)),
        (other, pb.SearchAssetsRequest(query="x")),
    ):
        assert list((await client.stub.SearchAssets(search)).hits) == []
    exported = other.stub.ExportAssets(pb.ExportAssetsRequest())
    assert [part async for part in exported] == []
