"""Fetching from URLs that break, change and lie."""

from collections.abc import AsyncIterator

import pytest

from reelmesh.storage.v1 import asset_pb2
from reelmesh.storage.v1 import storage_service_pb2 as pb
from services.common.errors import (
    AlreadyExists,
    DataLoss,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    ResourceExhausted,
    ServiceError,
    Unavailable,
)
from services.storage.__main__ import running
from services.storage.settings import Settings
from tests.fakes.file_server import FileServer
from tests.integration.storage.conftest import Client, client_of
from tests.unit.storage.clips import mp4

pytestmark = pytest.mark.timeout(60)
CLIP = mp4(seconds=1, size=(320, 240))


@pytest.fixture
async def vendor() -> AsyncIterator[FileServer]:
    async with FileServer(data=CLIP).serving() as server:
        yield server


@pytest.fixture
async def acme(settings: Settings, vendor: FileServer) -> AsyncIterator[Client]:
    hosts = frozenset({f"127.0.0.1:{vendor.port}"})
    allowing = settings.model_copy(update={"import_allowed_hosts": hosts})
    async with running(allowing) as address, client_of(address) as client:
        yield client


async def fetch(client: Client, uri: str, request_id: str = "r1", **more: int) -> asset_pb2.Asset:
    told = asset_pb2.Asset(content_type="video/mp4", creative_id="c")
    request = pb.ImportAssetRequest(uri=uri, asset=told, request_id=request_id, **more)
    answer: pb.ImportAssetResponse = await client.stub.ImportAsset(request)
    return answer.asset


async def test_a_url_becomes_an_asset_without_the_secrets_of_its_address(
    acme: Client, vendor: FileServer
) -> None:
    asset = await fetch(acme, vendor.url)
    assert await acme.download(asset.name) == CLIP
    assert asset.lineage.original_url == f"http://127.0.0.1:{vendor.port}/clip.mp4"
    assert vendor.paths == ["/clip.mp4?token=secret"]


async def test_the_same_request_is_not_fetched_twice(acme: Client, vendor: FileServer) -> None:
    asset = await fetch(acme, vendor.url)
    assert await fetch(acme, vendor.url) == asset
    assert await fetch(acme, vendor.url + "&signed=anew") == asset
    assert len(vendor.paths) == 1
    with pytest.raises(AlreadyExists):
        await fetch(acme, vendor.url.replace("clip", "other"))


@pytest.mark.parametrize("settings", ["folder"], indirect=True)
@pytest.mark.parametrize(
    ("path", "told", "content_type", "ending"),
    [
        ("clip", "", "video/mp4", "mp4"),
        ("get?file=clip.mp4", "binary/octet-stream", "video/mp4", "mp4"),
        ("clip", "Video/QuickTime; x=y", "video/quicktime", "mov"),
        ("clip.webm", "text/plain", "video/mp4", "mp4"),
        ("clip.mov", "", "video/quicktime", "mov"),
    ],
)
async def test_a_film_whose_caller_names_no_type_is_looked_at_whatever_its_address_says(
    acme: Client, vendor: FileServer, path: str, told: str, content_type: str, ending: str
) -> None:
    vendor.content_type = told
    uri = f"http://127.0.0.1:{vendor.port}/{path}"
    answer = await acme.stub.ImportAsset(pb.ImportAssetRequest(uri=uri, request_id="r1"))
    assert answer.asset.content_type == content_type
    assert answer.asset.media.video_codec == "h264"
    assert answer.asset.facets.asset_type == "video"
    assert answer.asset.key.endswith(f".{ending}")
    assert await acme.get(answer.asset.name) == answer.asset
    assert await acme.download(answer.asset.name) == CLIP
    vendor.break_after = [1] * 9
    again = await acme.stub.ImportAsset(pb.ImportAssetRequest(uri=uri, request_id="r1"))
    assert again == answer
    cut = pb.ImportAssetRequest(uri=uri, request_id="r2")
    vendor.break_after, vendor.data = [], CLIP[: len(CLIP) // 2]
    with pytest.raises(DataLoss):
        await acme.stub.ImportAsset(cut)


@pytest.mark.parametrize("settings", ["folder"], indirect=True)
@pytest.mark.parametrize(
    ("path", "told", "content_type"),
    [
        ("words", "text/plain; charset=utf-8", "text/plain"),
        ("words.json", "", "application/json"),
        ("words", "x/unheard-of", "application/octet-stream"),
    ],
)
async def test_what_is_no_medium_has_the_type_that_its_source_says(
    acme: Client, vendor: FileServer, path: str, told: str, content_type: str
) -> None:
    vendor.content_type, vendor.data = told, b"{}"
    uri = f"http://127.0.0.1:{vendor.port}/{path}"
    answer = await acme.stub.ImportAsset(pb.ImportAssetRequest(uri=uri, request_id="r1"))
    assert (answer.asset.content_type, answer.asset.HasField("media")) == (content_type, False)


@pytest.mark.parametrize("settings", ["folder"], indirect=True)
@pytest.mark.parametrize("told", ["text/html", "text/plain", ""])
async def test_a_page_at_the_address_of_a_film_is_not_kept(
    acme: Client, vendor: FileServer, told: str
) -> None:
    vendor.content_type, vendor.data = told, b"<html>log in</html>"
    with pytest.raises(DataLoss):
        await acme.stub.ImportAsset(pb.ImportAssetRequest(uri=vendor.url, request_id="r1"))


@pytest.mark.parametrize("settings", ["folder"], indirect=True)
async def test_a_broken_download_goes_on_where_it_stopped(acme: Client, vendor: FileServer) -> None:
    vendor.break_after = [100_000, 50_000]
    asset = await fetch(acme, vendor.url)
    assert await acme.download(asset.name) == CLIP
    assert vendor.ranges[0] == ""
    starts = [int(wanted[6:-1]) for wanted in vendor.ranges[1:]]
    assert len(starts) == 2
    assert 0 < starts[0] < starts[1] <= 150_000


@pytest.mark.parametrize("settings", ["folder"], indirect=True)
async def test_a_server_without_ranges_is_read_again_from_the_start(
    acme: Client, vendor: FileServer
) -> None:
    vendor.honours_ranges = False
    vendor.break_after = [100_000]
    asset = await fetch(acme, vendor.url)
    assert await acme.download(asset.name) == CLIP


@pytest.mark.parametrize("settings", ["folder"], indirect=True)
async def test_a_file_that_changes_under_way_is_not_mixed(acme: Client, vendor: FileServer) -> None:
    vendor.break_after = [100_000]
    vendor.later_etag = '"v2"'
    with pytest.raises(DataLoss, match="changed"):
        await fetch(acme, vendor.url)


@pytest.mark.parametrize("settings", ["folder"], indirect=True)
async def test_a_source_that_keeps_breaking_is_unavailable_and_leaves_nothing(
    acme: Client, vendor: FileServer
) -> None:
    vendor.break_after = [1000] * 10
    with pytest.raises(Unavailable):
        await fetch(acme, vendor.url)
    assert not (await acme.stub.ListAssets(pb.ListAssetsRequest())).assets
    vendor.break_after = []
    assert (await fetch(acme, vendor.url)).sha256, "the same request id works later"


@pytest.mark.parametrize("settings", ["folder"], indirect=True)
@pytest.mark.parametrize(
    ("status", "error"),
    [
        (404, NotFound),
        (410, NotFound),
        (403, FailedPrecondition),
        (429, Unavailable),
        (503, Unavailable),
    ],
)
async def test_refusals_of_the_source_are_told_apart(
    acme: Client, vendor: FileServer, status: int, error: type[ServiceError]
) -> None:
    vendor.status = status
    with pytest.raises(error, match=str(status)):
        await fetch(acme, vendor.url)


@pytest.mark.parametrize("settings", ["folder"], indirect=True)
async def test_an_error_page_is_not_a_video(acme: Client, vendor: FileServer) -> None:
    vendor.data = b"<html>your link has expired</html>"
    with pytest.raises(DataLoss):
        await fetch(acme, vendor.url)


@pytest.mark.parametrize("settings", ["folder"], indirect=True)
async def test_a_truncated_answer_without_a_length_is_refused(
    acme: Client, vendor: FileServer
) -> None:
    vendor.announces_length = False
    vendor.data = CLIP[: len(CLIP) // 2]
    with pytest.raises(DataLoss):
        await fetch(acme, vendor.url)


@pytest.mark.parametrize("settings", ["folder"], indirect=True)
async def test_a_source_over_the_callers_cap_is_refused(
    acme: Client, vendor: FileServer, settings: Settings
) -> None:
    with pytest.raises(ResourceExhausted):
        await fetch(acme, vendor.url, max_bytes=1000)
    assert list(settings.receiving_folder.iterdir()) == []


@pytest.mark.parametrize("settings", ["folder"], indirect=True)
@pytest.mark.parametrize(
    ("uri", "error"),
    [
        ("http://169.254.169.254/latest/meta-data/", PermissionDenied),
        ("https://127.0.0.1/x.mp4", PermissionDenied),
        ("https://[::ffff:10.0.0.1]/x.mp4", PermissionDenied),
        ("https://localhost/x.mp4", PermissionDenied),
        ("file:///etc/passwd", InvalidArgument),
        ("s3://bucket/key", InvalidArgument),
        ("", InvalidArgument),
    ],
)
async def test_addresses_that_are_not_for_us_are_refused(
    acme: Client, uri: str, error: type[ServiceError]
) -> None:
    with pytest.raises(error):
        await fetch(acme, uri)
