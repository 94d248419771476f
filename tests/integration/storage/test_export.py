"""A tenant can take everything along that it has, and nothing of another's."""

import pytest

from reelmesh.storage.v1 import asset_pb2
from reelmesh.storage.v1 import storage_service_pb2 as pb
from services.common.errors import InvalidArgument
from tests.integration.storage.conftest import Client
from tests.unit.storage.clips import mp4

pytestmark = pytest.mark.timeout(60)


async def exported(
    client: Client, after: str = "", *, records_only: bool = False
) -> list[tuple[asset_pb2.Asset, bytes]]:
    found: list[tuple[asset_pb2.Asset, bytes]] = []
    request = pb.ExportAssetsRequest(after=after, records_only=records_only)
    async for part in client.stub.ExportAssets(request):
        if part.HasField("asset"):
            found.append((part.asset, b""))
        else:
            found[-1] = (found[-1][0], found[-1][1] + part.chunk)
    return found


async def test_an_export_has_every_asset_its_bytes_and_the_proof_of_what_was_deleted(
    acme: Client, other: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.storage.usecases.export.BATCH", 2)
    clips = [mp4(seed=number) for number in range(3)]
    names = [(await acme.upload(clip, f"r{n}")).name for n, clip in enumerate(clips)]
    gone = (await acme.upload(mp4(seed=9), "gone")).name
    await acme.delete(gone)
    await other.upload(mp4(seed=8), "foreign")
    found = await exported(acme)
    assert [(asset.name, data) for asset, data in found] == [
        *zip(names, clips, strict=True),
        (gone, b""),
    ]
    assert found[-1][0].state == asset_pb2.Asset.STATE_DELETED


@pytest.mark.parametrize("settings", ["folder"], indirect=True)
async def test_an_export_goes_on_after_the_last_asset_that_arrived(acme: Client) -> None:
    names = [(await acme.upload(mp4(seed=number), f"r{number}")).name for number in range(3)]
    rest = await exported(acme, after=names[0], records_only=True)
    assert [(asset.name, data) for asset, data in rest] == [(name, b"") for name in names[1:]]
    with pytest.raises(InvalidArgument, match="after"):
        await exported(acme, after="../1")


async def test_whoever_has_nothing_gets_an_empty_export(other: Client) -> None:
    assert await exported(other) == []
