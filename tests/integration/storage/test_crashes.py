"""kill -9 at every step of an upload and of a deletion; disk full; flat memory."""

import asyncio
import signal
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from reelmesh.storage.v1 import asset_pb2
from reelmesh.storage.v1 import storage_service_pb2 as pb
from services.common.database import Database
from services.common.errors import ResourceExhausted, ServiceError
from services.storage.__main__ import running
from services.storage.adapters.tables import assets
from services.storage.settings import Settings
from tests.fakes.file_server import FileServer
from tests.integration.storage.conftest import SIGNING_KEY, client_of, until
from tests.integration.storage.forked_service import forked
from tests.integration.storage.service_process import STEPS, process
from tests.servers import Bucket
from tests.unit.storage.clips import mp4
from tests.unit.storage.test_staging import largest_file

pytestmark = pytest.mark.timeout(60)

ELSEWHERE = (
    *("deleted", "part", "drawing", "abandoned", "purged"),
    *("spool", "moved", "cloned", "given up", "forgotten"),
)
UPLOAD_STEPS = [step for step in STEPS if not any(word in step for word in ELSEWHERE)]
UPLOAD_CASES = [
    *(("folder", step) for step in UPLOAD_STEPS),
    ("s3", "before publishing"),
    ("s3", "once published"),
]
CLIP = mp4()


def padded(clip: bytes, size: int) -> bytes:
    """A valid MP4 of ``size`` bytes: the clip and a free box."""
    room = size - len(clip)
    return clip + room.to_bytes(4, "big") + b"free" + bytes(room - 8)


def visible(settings: Settings, bucket: Bucket | None) -> list[str]:
    """Keys that can be seen in the back end."""
    if bucket is not None:
        found = bucket.client().list_objects_v2(Bucket=bucket.bucket).get("Contents", [])
        return [item["Key"] for item in found]
    root = settings.asset_folder
    return [
        str(path.relative_to(root)) for path in root.rglob("*.mp4") if ".reelmesh" not in path.parts
    ]


@pytest.fixture
def bucket(settings: Settings, request: pytest.FixtureRequest) -> Bucket | None:
    return request.getfixturevalue("s3") if settings.on_s3 else None


@pytest.mark.parametrize(("settings", "step"), UPLOAD_CASES, indirect=["settings"])
async def test_an_upload_killed_at_any_step_can_be_sent_again_and_exists_once(
    settings: Settings, bucket: Bucket | None, step: str
) -> None:
    async with forked(settings, step) as service:
        async with client_of(service.address) as acme:
            with pytest.raises(ServiceError):
                await acme.upload(CLIP, "r1", creative_id="c")
        assert await service.died() == signal.SIGKILL
    async with running(settings) as address, client_of(address) as acme:
        listed = (await acme.stub.ListAssets(pb.ListAssetsRequest())).assets
        assert [await acme.download(asset.name) for asset in listed] in ([], [CLIP])
        asset = await acme.upload(CLIP, "r1", creative_id="c")
        assert await acme.download(asset.name) == CLIP
        assert len((await acme.stub.ListAssets(pb.ListAssetsRequest())).assets) == 1
        assert visible(settings, bucket) == [asset.key]
        assert asset.iteration == 1, "the retry takes the key over"


@pytest.mark.parametrize(
    ("settings", "step"),
    [
        ("folder", "while receiving"),
        ("folder", "once received"),
        ("folder", "between its facts and the object"),
        ("folder", "once published"),
        ("s3", "once published"),
    ],
    indirect=["settings"],
)
async def test_what_a_killed_upload_leaves_is_swept(
    settings: Settings, bucket: Bucket | None, step: str
) -> None:
    async with forked(settings, step) as service:
        async with client_of(service.address) as acme:
            with pytest.raises(ServiceError):
                await acme.upload(CLIP, "r1", creative_id="c")
        await service.died()
    soon = {"stale_after": timedelta(0), "sweep_every": timedelta(milliseconds=20)}
    async with running(settings.model_copy(update=soon)):
        await until(
            lambda: not (visible(settings, bucket) or any(settings.receiving_folder.glob("*.part")))
        )
        await until(lambda: not [*settings.asset_folder.rglob("*.json")])


@pytest.mark.parametrize("settings", ["folder"], indirect=True)
@pytest.mark.parametrize("step", ["once it has moved", "before the bytes are deleted"])
async def test_what_a_killed_upload_leaves_under_another_key_is_swept(
    settings: Settings, step: str
) -> None:
    other = mp4(seed=1)
    for killed, clip in (("once published", CLIP), (step, other)):
        async with forked(settings, killed) as service:
            async with client_of(service.address) as acme:
                with pytest.raises(ServiceError):
                    await acme.upload(clip, "r1", creative_id="c")
            assert await service.died() == signal.SIGKILL
    async with running(settings) as address, client_of(address) as acme:
        asset = await acme.upload(other, "r1", creative_id="c")
    soon = settings.model_copy(
        update={"stale_after": timedelta(0), "sweep_every": timedelta(milliseconds=20)}
    )
    async with running(soon) as address, client_of(address) as acme:
        await until(lambda: visible(settings, None) == [asset.key])
        assert await acme.download(asset.name) == other


@pytest.mark.parametrize("settings", ["folder"], indirect=True)
async def test_a_copy_inside_the_store_that_is_killed_is_made_once(settings: Settings) -> None:
    async with forked(settings, "once it is cloned") as service:
        async with client_of(service.address) as acme:
            first = await acme.upload(CLIP, "r1", creative_id="c")
            with pytest.raises(ServiceError):
                await acme.upload(CLIP, "r2", creative_id="c")
        assert await service.died() == signal.SIGKILL
    async with running(settings) as address, client_of(address) as acme:
        second = await acme.upload(CLIP, "r2", creative_id="c")
        assert sorted(visible(settings, None)) == sorted([first.key, second.key])
        assert await acme.download(second.name) == CLIP


@pytest.mark.parametrize("settings", ["folder"], indirect=True)
@pytest.mark.parametrize("step", ["once it is given up", "before it is forgotten"])
async def test_an_upload_over_the_quota_that_is_killed_leaves_nothing(
    settings: Settings, step: str
) -> None:
    tight = settings.model_copy(update={"quota_bytes": 10})
    async with forked(tight, step) as service:
        async with client_of(service.address) as acme:
            with pytest.raises(ServiceError):
                await acme.upload(CLIP, "r1", creative_id="c")
        assert await service.died() == signal.SIGKILL
    soon = settings.model_copy(update={"sweep_every": timedelta(milliseconds=20)})
    async with running(soon) as address, client_of(address) as acme:
        await until(lambda: not visible(settings, None))
        asset = await acme.upload(CLIP, "r1", creative_id="c")
        assert visible(settings, None) == [asset.key]


async def nobody_is_at_it(settings: Settings) -> None:
    """Let the minutes pass for which whoever works on an asset has it alone."""
    place = settings.database_location()
    async with (
        Database(place, schema="storage") as database,
        database.begin() as connection,
    ):
        await connection.execute(update(assets).values(try_after=0))


@pytest.mark.parametrize("settings", ["folder"], indirect=True)
async def test_what_was_being_drawn_is_swept_and_drawn_again(settings: Settings) -> None:
    drawing = settings.model_copy(update={"derive": "thumbnail"})
    async with forked(drawing, "while drawing") as service:
        async with client_of(service.address) as acme:
            name = (await acme.upload(CLIP, "r1")).name
        assert await service.died() == signal.SIGKILL
    assert [path.is_dir() for path in settings.receiving_folder.iterdir()].count(True) == 1
    soon = {"stale_after": timedelta(0), "sweep_every": timedelta(milliseconds=200)}
    async with running(settings.model_copy(update=soon)):
        await until(lambda: not any(settings.receiving_folder.iterdir()))
    await nobody_is_at_it(settings)
    async with running(drawing) as address, client_of(address) as acme:
        while not (await acme.get(name)).derived:  # noqa: ASYNC110 - it is made by another process
            await asyncio.sleep(0.05)


PART_STEPS = [
    pytest.param("before the first part", marks=pytest.mark.stress),
    "while sending parts",
    "before completing the parts",
    pytest.param("once published", marks=pytest.mark.stress),
]


@pytest.mark.parametrize("settings", ["s3"], indirect=True)
@pytest.mark.parametrize("step", PART_STEPS)
async def test_the_parts_of_a_killed_upload_are_sent_again_and_swept(
    settings: Settings, s3: Bucket, step: str
) -> None:
    data = padded(CLIP, 9 * 1024 * 1024)
    async with forked(settings, step) as service:
        async with client_of(service.address) as acme:
            with pytest.raises(ServiceError):
                await acme.upload(data, "r1", creative_id="c")
        await service.died()
    client = s3.client()
    left = "Uploads" in client.list_multipart_uploads(Bucket=s3.bucket)
    assert left == (step != "once published")
    async with running(settings) as address, client_of(address) as acme:
        asset = await acme.upload(data, "r1", creative_id="c")
        assert asset.iteration == 1
        assert await acme.download(asset.name) == data
    soon = {"stale_after": timedelta(0), "sweep_every": timedelta(milliseconds=20)}
    async with running(settings.model_copy(update=soon)):
        await until(lambda: "Uploads" not in client.list_multipart_uploads(Bucket=s3.bucket))
    assert visible(settings, s3) == [asset.key]


@pytest.mark.parametrize("settings", ["folder"], indirect=True)
@pytest.mark.parametrize("step", ["before it is abandoned", "once abandoned"])
async def test_an_upload_that_is_refused_and_killed_can_be_sent_again(
    settings: Settings, step: str
) -> None:
    async with forked(settings, step) as service:
        async with client_of(service.address) as acme:
            with pytest.raises(ServiceError):
                await acme.upload(b"", "r1", creative_id="c")
        assert await service.died() == signal.SIGKILL
    async with running(settings) as address, client_of(address) as acme:
        asset = await acme.upload(CLIP, "r1", creative_id="c")
        assert asset.iteration == 1
        assert await acme.download(asset.name) == CLIP


@pytest.mark.parametrize("settings", ["folder"], indirect=True)
@pytest.mark.parametrize("step", ["before a record is deleted", "before the bytes are deleted"])
async def test_an_expiry_that_is_killed_is_finished(
    settings: Settings, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    brief = settings.model_copy(
        update={"retention": timedelta(seconds=1), "sweep_every": timedelta(milliseconds=100)}
    )
    async with forked(brief, step) as service:
        async with client_of(service.address) as acme:
            asset = await acme.upload(CLIP, "r1")
        assert await service.died() == signal.SIGKILL
    monkeypatch.setattr("services.storage.usecases.sweep.PURGE_AFTER", timedelta(0))
    async with running(brief) as address, client_of(address) as acme:
        await until(lambda: not visible(settings, None))
        assert (await acme.get(asset.name)).state == asset_pb2.Asset.STATE_DELETED


@pytest.mark.parametrize(
    ("settings", "step"),
    [
        ("folder", "before the bytes are deleted"),
        ("folder", "once the bytes are deleted"),
        ("folder", "once marked as purged"),
        ("s3", "before the bytes are deleted"),
        pytest.param("s3", "once the bytes are deleted", marks=pytest.mark.stress),
    ],
    indirect=["settings"],
)
async def test_a_deletion_that_is_killed_is_finished(
    settings: Settings, bucket: Bucket | None, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with forked(settings, step) as service:
        async with client_of(service.address) as acme:
            asset = await acme.upload(CLIP, "r1")
            with pytest.raises(ServiceError):
                await acme.delete(asset.name)
        await service.died()
    monkeypatch.setattr("services.storage.usecases.sweep.PURGE_AFTER", timedelta(0))
    soon = settings.model_copy(update={"sweep_every": timedelta(milliseconds=20)})
    async with running(soon) as address, client_of(address) as acme:
        assert (await acme.get(asset.name)).state == asset_pb2.Asset.STATE_DELETED
        await until(lambda: not (visible(settings, bucket)))


@pytest.mark.parametrize("settings", ["folder", "s3"], indirect=True)
async def test_memory_stays_flat_from_1_mib_to_64_mib(settings: Settings) -> None:
    async with process(settings) as service, client_of(service.address) as acme:
        for number in range(3):
            await acme.upload(padded(CLIP, 1024 * 1024), f"small {number}")
        await acme.download((await acme.upload(padded(CLIP, 2 * 1024 * 1024), "warm")).name)
        service.reset_peak()
        await acme.upload(padded(CLIP, 1024 * 1024 + 1), "one mebibyte")
        small = service.peak_memory()
        large = padded(CLIP, 64 * 1024 * 1024)
        asset = await acme.upload(large, "large")
        assert len(await acme.download(asset.name)) == len(large)
        grown = service.peak_memory() - small
    # Nothing of a part is kept: it goes from the disk to the connection.
    assert grown < 24 * 1024 * 1024


@pytest.mark.parametrize("settings", ["folder"], indirect=True)
@pytest.mark.parametrize("step", ["before a record is deleted", "before the bytes are deleted"])
async def test_an_old_preview_that_was_being_replaced_is_replaced_once(
    settings: Settings, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shrinking = settings.model_copy(
        update={
            "derive": "preview",
            "preview_compress_after": timedelta(seconds=1),
            "sweep_every": timedelta(milliseconds=100),
        }
    )
    async with forked(shrinking, step) as service:
        async with client_of(service.address) as acme:
            film = await acme.upload(mp4(size=(320, 240)), "r1")
        assert await service.died() == signal.SIGKILL
    await nobody_is_at_it(settings)
    monkeypatch.setattr("services.storage.usecases.sweep.PURGE_AFTER", timedelta(0))
    async with running(shrinking) as address, client_of(address) as acme:
        small = (await acme.get(film.name)).derived["preview_small"]
        await until(lambda: len(visible(settings, None)) == 2)
        found = await acme.get(film.name)
        assert dict(found.derived) == {"preview_small": small}
        assert (await acme.get(small)).media.height == 180
        assert await acme.download(film.name)


async def test_a_full_disk_is_resource_exhausted_and_loses_nothing(tmp_path: Path) -> None:
    settings = Settings(
        address="127.0.0.1:0", data_dir=tmp_path, signing_key=SIGNING_KEY, min_free_bytes=1 << 60
    )
    async with running(settings) as address, client_of(address) as acme:
        with pytest.raises(ServiceError) as caught:
            await acme.upload(CLIP, "r1")
    assert caught.value.reason == "STORAGE_FULL"
    assert caught.value.retryable, "the operator makes room, and the same call works"


@pytest.mark.parametrize("settings", ["folder", "s3"], indirect=True)
async def test_a_disk_that_fills_up_under_an_upload_loses_nothing(settings: Settings) -> None:
    large = padded(CLIP, 6 * 1024 * 1024)
    async with running(settings) as address, client_of(address) as acme:
        before = await acme.upload(CLIP, "before")
        with largest_file(2 * 1024 * 1024), pytest.raises(ResourceExhausted, match="disk"):
            await acme.upload(large, "large")
        assert list(settings.receiving_folder.iterdir()) == []
        listed = (await acme.stub.ListAssets(pb.ListAssetsRequest())).assets
        assert [asset.name for asset in listed] == [before.name]
        assert await acme.download(before.name) == CLIP
        asset = await acme.upload(large, "large")
        assert asset.size_bytes == len(large), "the same request works once there is room"


@pytest.mark.stress
@pytest.mark.timeout(600)
@pytest.mark.parametrize("settings", ["folder", "s3"], indirect=True)
async def test_memory_stays_flat_up_to_1_gib(settings: Settings, tmp_path: Path) -> None:
    async with FileServer(data=bytes(1024 * 1024), repeat=1024).serving() as vendor:
        hosts = frozenset({f"127.0.0.1:{vendor.port}"})
        allowing = Settings(
            **{name: getattr(settings, name) for name in settings.model_fields_set},
            import_allowed_hosts=hosts,
        )
        async with process(allowing) as service, client_of(service.address) as acme:
            await acme.upload(padded(CLIP, 1024 * 1024), "small")
            service.reset_peak()
            await acme.upload(padded(CLIP, 1024 * 1024 + 1), "one mebibyte")
            small = service.peak_memory()
            told = asset_pb2.Asset(content_type="application/octet-stream")
            request = pb.ImportAssetRequest(uri=vendor.url, asset=told, request_id="large")
            answer = await acme.stub.ImportAsset(request, timeout=500)
            assert answer.asset.size_bytes == 1 << 30
            assert service.peak_memory() - small < 24 * 1024 * 1024
