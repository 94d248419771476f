"""The life of an asset over gRPC."""

import asyncio
import hashlib
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import grpc
import httpx
import pytest
from google.protobuf.duration_pb2 import Duration

from reelmesh.storage.v1 import asset_pb2
from reelmesh.storage.v1 import storage_service_pb2 as pb
from services.common.errors import (
    AlreadyExists,
    DataLoss,
    InvalidArgument,
    NotFound,
    ResourceExhausted,
)
from services.storage.__main__ import running
from services.storage.domain.ports import PART_BYTES
from services.storage.settings import Settings
from tests.fakes.s3_faults import S3Faults
from tests.integration.storage.conftest import Client, client_of, until
from tests.servers import Bucket
from tests.unit.storage.clips import mp4, png

pytestmark = pytest.mark.timeout(60)


def files_of(settings: Settings) -> list[str]:
    """Keys that are visible on the folder back end."""
    root = settings.asset_folder
    found = (path for path in root.rglob("*") if path.is_file())
    return sorted(str(path.relative_to(root)) for path in found if ".reelmesh" not in path.parts)


def receiving(settings: Settings) -> int:
    """Number of files that are being received."""
    return len(list(settings.receiving_folder.glob("*.part")))


async def test_a_clip_comes_back_byte_for_byte_with_its_facts(acme: Client) -> None:
    clip = mp4(sound=True, seconds=1)
    facets = asset_pb2.Facets(characters=["Emma"], mood="calm")
    lineage = asset_pb2.Lineage(model="m", prompt="a fox", seed=0)
    asset = await acme.upload(
        clip,
        "r1",
        creative_id="creative-123",
        iteration=3,
        facets=facets,
        lineage=lineage,
        labels={"campaign": "winter"},
        placeholder=True,
    )
    assert asset.state == asset_pb2.Asset.STATE_STORED
    assert asset.tenant_name == "acme"
    assert re.fullmatch(r"videos/acme/\d{8}_\d{6}-creative-123-003\.mp4", asset.key)
    assert asset.storage_url.endswith(asset.key)
    assert (asset.size_bytes, asset.sha256) == (len(clip), hashlib.sha256(clip).hexdigest())
    assert (asset.media.container, asset.media.video_codec, asset.media.audio_codec) == (
        "mp4",
        "h264",
        "aac",
    )
    assert (asset.media.width, asset.media.height, asset.media.fps) == (64, 48, 8)
    assert asset.media.frames == 8
    assert abs(asset.media.duration.ToTimedelta() - timedelta(seconds=1)) < timedelta(seconds=0.1)
    assert asset.facets.asset_type == "video"
    assert list(asset.facets.characters) == ["emma"]
    assert asset.lineage.HasField("seed")
    assert asset.placeholder
    assert abs(asset.create_time.ToDatetime(UTC) - datetime.now(UTC)) < timedelta(minutes=1)
    assert await acme.get(asset.name) == asset
    assert await acme.download(asset.name) == clip
    assert await acme.download(asset.name, 10, 20) == clip[10:30]


async def test_the_same_request_id_stores_nothing_twice(acme: Client) -> None:
    clip = mp4()
    asset = await acme.upload(clip, "r1", creative_id="c")
    assert await acme.upload(clip, "r1", creative_id="c") == asset
    with pytest.raises(AlreadyExists):
        await acme.upload(clip, "r1", creative_id="another")
    listed = await acme.stub.ListAssets(pb.ListAssetsRequest())
    assert [item.name for item in listed.assets] == [asset.name]


async def test_the_same_creative_in_the_same_second_counts_on(acme: Client) -> None:
    clips = [mp4(seed=number, seconds=0.2) for number in range(12)]
    assets = await asyncio.gather(
        *(acme.upload(clip, f"r{n}", creative_id="c") for n, clip in enumerate(clips))
    )
    assert len({asset.key for asset in assets}) == 12
    for asset, clip in zip(assets, clips, strict=True):
        assert await acme.download(asset.name) == clip


async def test_equal_bytes_have_keys_and_lives_of_their_own(acme: Client) -> None:
    clip = mp4()
    one = await acme.upload(clip, "r1", creative_id="c")
    two = await acme.upload(clip, "r2", creative_id="c")
    assert one.key != two.key
    await acme.delete(one.name)
    assert await acme.download(two.name) == clip


@pytest.mark.parametrize("settings", ["folder"], indirect=True)
async def test_equal_bytes_lie_on_the_disk_once_for_a_tenant_and_never_for_two(
    acme: Client, other: Client, settings: Settings
) -> None:
    clip = mp4()
    mine = [await acme.upload(clip, f"r{number}") for number in range(2)]
    theirs = await other.upload(clip, "r0")
    assert mine[0].sha256 == mine[1].sha256 == theirs.sha256
    inodes = [(settings.asset_folder / each.key).stat().st_ino for each in (*mine, theirs)]
    assert inodes[0] == inodes[1], "copied inside the store"
    assert inodes[2] != inodes[0], "another tenant's bytes are its own"


@pytest.mark.parametrize("settings", ["s3"], indirect=True)
async def test_equal_bytes_are_not_sent_to_the_store_twice(settings: Settings, s3: Bucket) -> None:
    async with S3Faults(s3.endpoint_url).serving() as proxy:
        watched = settings.model_copy(update={"s3_endpoint_url": proxy.endpoint_url})
        async with running(watched) as address:
            sent = []
            for tenant, request in (("acme", "r0"), ("acme", "r1"), ("other", "r0")):
                proxy.received = 0
                async with client_of(address, tenant) as client:
                    asset = await client.upload(mp4(), request)
                sent.append(proxy.received >= asset.size_bytes)
    assert sent == [True, False, True]


@pytest.mark.parametrize(
    ("asset", "field"),
    [
        ({"content_type": "nonsense"}, "asset.content_type"),
        ({"iteration": -1}, "asset.iteration"),
        ({"facets": asset_pb2.Facets(asset_type="x")}, "facets.asset_type"),
        ({"lineage": asset_pb2.Lineage(parents=["x"])}, "asset.lineage.parents"),
        ({"creative_id": "x" * 201}, "asset.creative_id"),
    ],
)
async def test_a_wrong_header_names_the_field_and_stores_nothing(
    acme: Client, asset: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidArgument) as caught:
        await acme.upload(mp4(), "r1", **asset)
    assert caught.value.violations[0].field == field
    assert not (await acme.stub.ListAssets(pb.ListAssetsRequest())).assets


async def test_uploads_that_break_the_protocol_are_refused(acme: Client) -> None:
    header = pb.UploadAssetRequest(
        header=pb.UploadHeader(asset=asset_pb2.Asset(content_type="video/mp4"), request_id="r")
    )
    chunk = pb.UploadAssetRequest(chunk=b"x")
    large = pb.UploadAssetRequest(chunk=bytes(1024 * 1024 + 1))
    for parts in ([], [chunk], [header], [header, header], [header, large]):
        with pytest.raises(InvalidArgument):
            await acme.stub.UploadAsset(iter(parts))
    with pytest.raises(InvalidArgument, match="request_id"):
        await acme.upload(mp4(), "")


async def test_bytes_other_than_announced_are_data_loss_and_leave_nothing(
    acme: Client, settings: Settings
) -> None:
    clip = mp4()
    with pytest.raises(DataLoss):
        await acme.upload(clip, "r1", sha256="0" * 64)
    with pytest.raises(DataLoss):
        await acme.upload(clip, "r2", size_bytes=len(clip) + 1)
    assert files_of(settings) == []
    assert list(settings.receiving_folder.iterdir()) == []
    assert (await acme.upload(clip, "r3", size_bytes=len(clip))).name


@pytest.mark.parametrize(
    "damage",
    [
        lambda clip: clip[:-100],
        lambda clip: clip[: len(clip) // 2],
        lambda clip: clip + b"PK\x03\x04 an archive",
        lambda clip: clip + b"<html><script>alert(1)</script>",
        lambda clip: b"<html>" + clip,
        lambda clip: b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n",
        lambda clip: b"ffconcat version 1.0\nfile '/etc/passwd'\n",
        lambda clip: png(),
        lambda clip: clip[:32] + bytes(len(clip) - 32),
    ],
)
async def test_a_damaged_or_double_faced_file_is_refused(acme: Client, damage: Any) -> None:
    with pytest.raises(DataLoss):
        await acme.upload(damage(mp4()), "r1")
    assert not (await acme.stub.ListAssets(pb.ListAssetsRequest())).assets


async def test_files_over_the_cap_are_refused_and_leave_nothing(settings: Settings) -> None:
    small = settings.model_copy(update={"max_asset_bytes": 1000})
    async with running(small) as address, client_of(address) as acme:
        with pytest.raises(ResourceExhausted):
            await acme.upload(mp4(), "r1")
        assert not (await acme.stub.ListAssets(pb.ListAssetsRequest())).assets
    assert list(settings.receiving_folder.iterdir()) == []


@pytest.mark.parametrize("settings", ["folder"], indirect=True)
async def test_a_refusal_reaches_a_caller_that_is_still_sending(settings: Settings) -> None:
    small = settings.model_copy(update={"max_asset_bytes": 1000})
    async with running(small) as address, client_of(address) as acme:
        for number in range(12):
            with pytest.raises(ResourceExhausted, match="over 1000 bytes"):
                await acme.upload(bytes(4 * 1024 * 1024), f"r{number}", content_type="text/plain")


@pytest.mark.parametrize("settings", ["folder"], indirect=True)
async def test_a_replay_is_answered_at_once_and_well_to_a_caller_that_is_still_sending(
    acme: Client,
) -> None:
    data = bytes(8 * 1024 * 1024)
    first = await acme.upload(data, "r1", content_type="text/plain")
    for _ in range(24):
        assert await acme.upload(data, "r1", content_type="text/plain") == first


async def test_another_tenants_asset_is_not_found_whatever_is_asked(
    acme: Client, other: Client
) -> None:
    name = (await acme.upload(mp4(), "r1")).name
    assert not (await other.stub.ListAssets(pb.ListAssetsRequest())).assets
    for call in (
        other.get(name),
        other.delete(name),
        other.download(name),
        other.stub.SignAssetUrl(pb.SignAssetUrlRequest(name=name)),
    ):
        with pytest.raises(NotFound):
            await call
    assert (await acme.get(name)).name == name


async def test_deleting_takes_the_bytes_and_keeps_a_proof(acme: Client, settings: Settings) -> None:
    asset = await acme.upload(mp4(), "r1")
    proof = await acme.delete(asset.name)
    assert (proof.state, proof.sha256) == (asset_pb2.Asset.STATE_DELETED, asset.sha256)
    assert (await acme.delete(asset.name)).state == asset_pb2.Asset.STATE_DELETED
    assert (await acme.get(asset.name)).state == asset_pb2.Asset.STATE_DELETED
    with pytest.raises(NotFound):
        await acme.download(asset.name)
    assert files_of(settings) == []


async def test_a_signed_url_works_as_long_as_it_says(acme: Client, settings: Settings) -> None:
    clip = mp4()
    asset = await acme.upload(clip, "r1")
    request = pb.SignAssetUrlRequest(name=asset.name, lifetime=Duration(seconds=90))
    signed = await acme.stub.SignAssetUrl(request)
    left = signed.expire_time.ToDatetime(UTC) - datetime.now(UTC)
    assert timedelta(seconds=80) < left <= timedelta(seconds=90)
    if settings.on_s3:
        async with httpx.AsyncClient() as client:
            answer = await client.get(signed.url, headers={"Range": "bytes=5-9"})
        assert (answer.status_code, answer.content) == (206, clip[5:10])
        assert answer.headers["content-type"] == "video/mp4"
    else:
        assert urlsplit(signed.url).path.startswith("/media/acme/")
    for wrong in (Duration(), Duration(seconds=8 * 86400), Duration(seconds=-1)):
        with pytest.raises(InvalidArgument, match="lifetime"):
            await acme.stub.SignAssetUrl(pb.SignAssetUrlRequest(name=asset.name, lifetime=wrong))
    for name in ("../x", "a\nb", "x" * 201):
        with pytest.raises(InvalidArgument, match="download_name"):
            await acme.stub.SignAssetUrl(
                pb.SignAssetUrlRequest(name=asset.name, download_name=name)
            )


@pytest.mark.parametrize(("offset", "length"), [(-1, 0), (10**9, 0), (0, -1)])
async def test_ranges_outside_of_the_file_are_refused(
    acme: Client, offset: int, length: int
) -> None:
    asset = await acme.upload(mp4(), "r1")
    with pytest.raises(InvalidArgument):
        await acme.download(asset.name, offset, length)


@pytest.mark.parametrize("settings", ["folder"], indirect=True)
async def test_a_download_of_lost_bytes_is_data_loss(acme: Client, settings: Settings) -> None:
    asset = await acme.upload(mp4(), "r1")
    (settings.asset_folder / asset.key).unlink()
    with pytest.raises(DataLoss):
        await acme.download(asset.name)


async def test_an_upload_that_is_cancelled_leaves_nothing(acme: Client, settings: Settings) -> None:
    begun = asyncio.Event()

    async def parts() -> Any:
        asset = asset_pb2.Asset(content_type="video/mp4")
        yield pb.UploadAssetRequest(header=pb.UploadHeader(asset=asset, request_id="r1"))
        for _ in range(8):
            yield pb.UploadAssetRequest(chunk=bytes(256 * 1024))
        begun.set()
        await asyncio.Event().wait()

    upload = asyncio.ensure_future(acme.stub.UploadAsset(parts()))
    await begun.wait()
    await until(lambda: receiving(settings) == 1)
    upload.cancel()
    with pytest.raises((asyncio.CancelledError, grpc.RpcError)):
        await upload
    await until(lambda: receiving(settings) == 0)
    assert (await acme.upload(mp4(), "r1")).name, "the request id is free again"


async def test_pages_show_every_asset_once(acme: Client) -> None:
    clip = mp4(seconds=0.2)
    names = [(await acme.upload(clip, f"r{n}", creative_id="c")).name for n in range(7)]
    seen, token = [], ""
    while True:
        page = await acme.stub.ListAssets(pb.ListAssetsRequest(page_size=3, page_token=token))
        seen += [asset.name for asset in page.assets]
        token = page.next_page_token
        if not token:
            break
    assert seen == sorted(names, reverse=True)


async def test_the_emma_example_over_the_wire(acme: Client) -> None:
    clip = mp4(seconds=0.2)
    close = asset_pb2.Facets(
        characters=["emma"], landscapes=["attic", "victorian"], shot_type="close-up"
    )
    wide = asset_pb2.Facets(
        characters=["emma"], landscapes=["attic", "victorian"], shot_type="wide"
    )
    wanted = await acme.upload(clip, "r1", facets=close)
    await acme.upload(clip, "r2", facets=wide)
    found = await acme.stub.FindAssets(pb.FindAssetsRequest(facets=close))
    assert [asset.name for asset in found.assets] == [wanted.name]


@pytest.mark.parametrize("settings", ["s3"], indirect=True)
@pytest.mark.parametrize("padding", [0, PART_BYTES], ids=["one request", "several parts"])
async def test_objects_carry_the_metadata_of_document_004(
    acme: Client, settings: Settings, s3: Bucket, padding: int
) -> None:
    lineage = asset_pb2.Lineage(
        job="videoJobs/1", generation="generations/2", model="m", provider="p", licence="MIT",
        original_url="https://user:secret@vendor.example/clip.mp4?token=secret#secret",
    )  # fmt: skip
    clip = mp4() + (padding + 8).to_bytes(4, "big") + b"free" + bytes(padding)
    asset = await acme.upload(clip, "r1", creative_id="ünï", placeholder=True, lineage=lineage)
    head = s3.client().head_object(Bucket=s3.bucket, Key=asset.key)
    assert (head["ContentType"], head["ContentLength"]) == ("video/mp4", asset.size_bytes)
    uploaded = datetime.fromisoformat(head["Metadata"].pop("upload_time"))
    assert uploaded.utcoffset() == timedelta(0)
    assert head["Metadata"] == {
        "tenant": "acme",
        "creative_id": "%C3%BCn%C3%AF",
        "iteration": "1",
        "asset": asset.name,
        "job": "videoJobs/1",
        "generation": "generations/2",
        "model": "m",
        "provider": "p",
        "licence": "MIT",
        "sha256": asset.sha256,
        "placeholder": "true",
        "original_url": "https://vendor.example/clip.mp4",
    }


async def test_hostile_names_stay_inside_the_folder(settings: Settings, tmp_path: Path) -> None:
    clip = mp4(seconds=0.2)
    async with running(settings) as address:
        for number, name in enumerate(["..", "../../x", "a/b", "%2e%2e", "ü" * 60]):
            async with client_of(address, name) as client:
                asset = await client.upload(clip, f"r{number}", creative_id=name)
                assert await client.download(asset.name) == clip
                assert re.fullmatch(r"videos/[a-z0-9._-]+/[a-z0-9._-]+\.mp4", asset.key)
                assert ".." not in asset.key
