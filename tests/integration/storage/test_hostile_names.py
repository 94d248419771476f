"""Names that are meant to climb, hide, collide or break: on both databases, over the wire."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from reelmesh.storage.v1 import asset_pb2
from reelmesh.storage.v1 import storage_service_pb2 as pb
from services.common import clock
from services.common.errors import InvalidArgument, NotFound
from services.common.identity import check_tenant
from services.common.media_urls import MediaUrlSigner
from services.storage.__main__ import running
from services.storage.adapters.disk import Disk
from services.storage.adapters.folder_blobs import FolderBlobs
from services.storage.domain.keys import KeyLayout, ObjectKey
from services.storage.settings import Settings
from tests.integration.storage.conftest import SIGNING_KEY, Client, client_of

pytestmark = pytest.mark.timeout(60)
HOSTILE = [
    "..",
    "../../etc/passwd",
    "..\\..\\x",
    "/etc/passwd",
    "a/b",
    "%2e%2e%2f",
    ".reelmesh",
    "con.",
    "ＡＣＭＥ",
    "аcme",
    "\u202eemca",
    "ac\u200bme",
    "x" * 300,
    "é" * 200,
    "-" * 64,
    "ACME",
    "acme ",
    "' OR 1=1 --",
    "\r\nX-Injected: 1",
]
NUL = "a\0b"
names = st.text(max_size=300)
ROOT = Path("/srv/objects")


@given(tenant=names, creative=names, other=names)
@example(tenant="..", creative="../../x", other="acme")
@example(tenant="\0", creative="a\0b", other=" ")
@example(tenant="x" * 300, creative="y" * 300, other="x" * 299)
@example(tenant="acme", creative="", other="ACME")
def test_no_name_leaves_its_tenants_folder_or_enters_anothers(
    tenant: str, creative: str, other: str
) -> None:
    layout = KeyLayout("videos")
    key = ObjectKey(layout.stem(tenant, creative, datetime.now(UTC)), 1, "mp4")
    signer = MediaUrlSigner("a secret of the tests", now=clock.now)
    folder = FolderBlobs(ROOT, Disk(), signer=signer, new_id=lambda: "x")
    path = Path(unquote(urlsplit(folder.url(str(key))).path))
    assert path.parent == ROOT / layout.tenant_prefix(tenant)
    assert path.resolve() == path
    assert path.parent.parent == ROOT / "videos"
    if other != tenant:
        assert not str(key).startswith(layout.tenant_prefix(other))


@pytest.fixture
async def on_either(database_url: str, tmp_path: Path) -> AsyncIterator[tuple[str, Settings]]:
    settings = Settings(
        address="127.0.0.1:0", data_dir=tmp_path, signing_key=SIGNING_KEY, derive="",
        database_url=database_url, min_free_bytes=0,
    )  # fmt: skip
    async with running(settings) as address:
        yield address, settings


async def test_hostile_names_come_back_as_they_were_and_lie_in_one_folder(
    on_either: tuple[str, Settings],
) -> None:
    address, settings = on_either
    async with client_of(address) as acme:

        async def stored(number: int, name: str) -> asset_pb2.Asset:
            told: dict[str, Any] = {
                "creative_id": name[:200],
                "labels": {name[:100]: name[:100]},
                "facets": asset_pb2.Facets(characters=[name[:100]]),
                "lineage": asset_pb2.Lineage(prompt=name, model=name[:200]),
            }
            data = f"{number}".encode()
            return await acme.upload(data, name[:100], content_type="text/plain", **told)

        assets = await asyncio.gather(*(stored(n, name) for n, name in enumerate(HOSTILE)))
        assert len({asset.key for asset in assets}) == len(HOSTILE)
        for number, (name, asset) in enumerate(zip(HOSTILE, assets, strict=True)):
            assert asset.creative_id == name[:200]
            assert asset.lineage.prompt == name
            assert (settings.asset_folder / asset.key).read_text() == f"{number}"
            assert Path(asset.key).parent.name == "acme"
            request = pb.ListAssetsRequest(creative_id=name[:200])
            listed = (await acme.stub.ListAssets(request)).assets
            assert [found.name for found in listed] == [asset.name]
            labels = pb.FindAssetsRequest(labels={name[:100]: name[:100]})
            assert [a.name for a in (await acme.stub.FindAssets(labels)).assets] == [asset.name]


REFUSED: list[tuple[str, dict[str, Any]]] = [
    ("header.request_id", {}),
    ("header.asset.creative_id", {"creative_id": NUL}),
    ("header.asset.labels", {"labels": {NUL: "x"}}),
    ("header.asset.labels", {"labels": {"x": NUL}}),
    ("header.asset.facets.mood", {"facets": asset_pb2.Facets(mood=NUL)}),
    ("header.asset.lineage.prompt", {"lineage": asset_pb2.Lineage(prompt=NUL)}),
    ("header.asset.lineage.model", {"lineage": asset_pb2.Lineage(model=NUL)}),
    ("header.asset.lineage.original_url", {"lineage": asset_pb2.Lineage(original_url=NUL)}),
]


async def test_what_no_database_can_keep_is_refused_by_name(
    on_either: tuple[str, Settings],
) -> None:
    address, _ = on_either
    async with client_of(address) as acme:
        for field, told in REFUSED:
            with pytest.raises(InvalidArgument) as caught:
                await acme.upload(b"x", "r1" if told else NUL, content_type="text/plain", **told)
            assert caught.value.violations[0].field == field
        lineage = asset_pb2.Lineage()
        lineage.parameters.update({"deep": [{"x": NUL}]})
        with pytest.raises(InvalidArgument, match="parameters"):
            await acme.upload(b"x", "r1", content_type="text/plain", lineage=lineage)
        with pytest.raises(InvalidArgument, match="creative_id"):
            await acme.stub.ListAssets(pb.ListAssetsRequest(creative_id=NUL))
        with pytest.raises(InvalidArgument, match="query"):
            await acme.stub.SearchAssets(pb.SearchAssetsRequest(query=NUL))
        asset = await acme.upload(b"x", "r1", content_type="text/plain")
        request = pb.RecordReuseRequest(name=asset.name, request_id=NUL)
        with pytest.raises(InvalidArgument, match="request_id"):
            await acme.stub.RecordReuse(request)


async def test_a_hostile_tenant_is_refused_or_alone_in_a_folder_of_its_own(
    on_either: tuple[str, Settings],
) -> None:
    address, settings = on_either
    owned: dict[str, asset_pb2.Asset] = {}
    async with client_of(address) as acme:
        owned["acme"] = mine = await acme.upload(b"acme", "r1", content_type="text/plain")
        for tenant in (*HOSTILE, NUL, ""):
            try:
                check_tenant(tenant)
            except InvalidArgument:
                with pytest.raises(InvalidArgument, match="tenant"):
                    async with client_of(address, tenant):
                        pass
                continue
            async with client_of(address, tenant) as hostile:
                owned[tenant] = await hostile.upload(
                    tenant.encode(), "r1", content_type="text/plain",
                    lineage=asset_pb2.Lineage(parents=[mine.name]),
                )  # fmt: skip
                await _sees_itself_alone(hostile, owned[tenant], mine)
        assert (await acme.get(mine.name)).reuse_count == 0, "a parent of others is none"
        assert [part async for part in acme.stub.ExportAssets(pb.ExportAssetsRequest())]
    folders = {Path(asset.key).parent for asset in owned.values()}
    assert len(folders) == len(owned) > 8
    root = settings.asset_folder
    assert {(root / folder).resolve().parent for folder in folders} == {root.resolve()}
    for tenant, asset in owned.items():
        assert (root / asset.key).read_bytes() == tenant.encode()


async def _sees_itself_alone(
    hostile: Client, own: asset_pb2.Asset, foreign: asset_pb2.Asset
) -> None:
    """Every list has its own asset alone; a foreign id is nobody's, and where to go on from."""
    with pytest.raises(NotFound):
        await hostile.get(foreign.name)
    stub = hostile.stub
    assert [a.name for a in (await stub.ListAssets(pb.ListAssetsRequest())).assets] == [own.name]
    assert [a.name for a in (await stub.FindAssets(pb.FindAssetsRequest())).assets] == [own.name]
    for after in ("", foreign.name):
        parts = stub.ExportAssets(pb.ExportAssetsRequest(after=after))
        told = [part.asset.name async for part in parts if part.HasField("asset")]
        assert told == [own.name]
    own_again = pb.ExportAssetsRequest(after=own.name)
    assert [part async for part in stub.ExportAssets(own_again)] == []
