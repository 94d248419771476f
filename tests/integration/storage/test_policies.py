"""Quota and retention of tenants, and legal hold."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from reelmesh.storage.v1 import asset_pb2
from reelmesh.storage.v1 import storage_service_pb2 as pb
from services.common.errors import FailedPrecondition, ResourceExhausted
from services.storage.__main__ import running
from services.storage.settings import Settings, TenantPolicy
from tests.integration.storage.conftest import Client, client_of
from tests.integration.storage.test_assets import files_of
from tests.unit.storage.clips import mp4

pytestmark = [
    pytest.mark.timeout(60),
    pytest.mark.parametrize("settings", ["folder"], indirect=True),
]
CLIP = mp4()


async def test_a_quota_cannot_be_overshot_by_uploads_at_once(settings: Settings) -> None:
    limited = settings.model_copy(update={"quota_bytes": 3 * len(CLIP)})
    async with running(limited) as address, client_of(address) as acme:
        uploads = (acme.upload(CLIP, f"r{number}") for number in range(8))
        outcomes = await asyncio.gather(*uploads, return_exceptions=True)
        stored = [each for each in outcomes if isinstance(each, asset_pb2.Asset)]
        assert len(stored) == 3
        refused = [each for each in outcomes if isinstance(each, ResourceExhausted)]
        assert len(refused) == 5
        assert refused[0].metadata == {"quota": "storage_bytes/acme"}
        assert len(files_of(settings)) == 3
        await acme.delete(stored[0].name)
        assert (await acme.upload(CLIP, "again")).name
        async with client_of(address, "other") as other:
            assert (await other.upload(CLIP, "r1")).name, "a quota is a tenant's own"


async def test_a_tenant_may_have_a_policy_of_its_own(settings: Settings) -> None:
    own = {"acme": TenantPolicy(quota_bytes=10), "other": TenantPolicy(retention=timedelta(days=1))}
    async with running(settings.model_copy(update={"tenants": own})) as address:
        async with client_of(address, "other") as other:
            usage = await other.stub.GetUsage(pb.GetUsageRequest())
            assert (usage.size_bytes, usage.quota_bytes) == (0, 0)
            assert usage.retention.ToTimedelta() == timedelta(days=1)
            size = (await other.upload(CLIP, "counted")).size_bytes
            assert (await other.stub.GetUsage(pb.GetUsageRequest())).size_bytes == size
        async with client_of(address) as acme:
            assert (await acme.stub.GetUsage(pb.GetUsageRequest())).quota_bytes == 10
            with pytest.raises(ResourceExhausted):
                await acme.upload(CLIP, "r1")
        async with client_of(address, "other") as other:
            expires = (await other.upload(CLIP, "r1")).expire_time.ToDatetime(UTC)
            left = expires - datetime.now(UTC)
            assert timedelta(hours=23) < left <= timedelta(days=1)


async def hold(client: Client, name: str, *, held: bool) -> asset_pb2.Asset:
    request = pb.SetLegalHoldRequest(name=name, held=held)
    answer: pb.SetLegalHoldResponse = await client.stub.SetLegalHold(request)
    return answer.asset


async def until_deleted(client: Client, name: str) -> None:
    while (await client.get(name)).state != asset_pb2.Asset.STATE_DELETED:  # noqa: ASYNC110 - the state is in another process
        await asyncio.sleep(0.05)


async def test_assets_over_their_time_are_deleted_unless_held(settings: Settings) -> None:
    brief = settings.model_copy(
        update={"retention": timedelta(seconds=1), "sweep_every": timedelta(milliseconds=50)}
    )
    async with running(brief) as address, client_of(address) as acme:
        held = await acme.upload(CLIP, "held")
        await hold(acme, held.name, held=True)
        with pytest.raises(FailedPrecondition, match="legal hold"):
            await acme.delete(held.name)
        gone = await acme.upload(CLIP, "gone")
        await until_deleted(acme, gone.name)
        assert (await acme.get(held.name)).state == asset_pb2.Asset.STATE_STORED
        while files_of(settings) != [held.key]:  # noqa: ASYNC110 - the bytes go after the record
            await asyncio.sleep(0.05)
        assert not (await hold(acme, held.name, held=False)).legal_hold
        await until_deleted(acme, held.name)
        with pytest.raises(FailedPrecondition, match="only a stored asset"):
            await hold(acme, held.name, held=True)


async def test_an_old_preview_is_replaced_by_a_smaller_one_of_the_same_age(
    settings: Settings,
) -> None:
    shrinking = settings.model_copy(
        update={
            "derive": "thumbnail,preview",
            "preview_retention": timedelta(days=9),
            "preview_compress_after": timedelta(seconds=1),
            "sweep_every": timedelta(milliseconds=200),
        }
    )
    async with running(shrinking) as address, client_of(address) as acme:
        held = (await acme.upload(mp4(size=(320, 240), seed=1), "held")).name
        await hold(acme, held, held=True)
        film = await acme.upload(mp4(size=(320, 240)), "r1")
        while not (preview := (await acme.get(film.name)).derived.get("preview")):  # noqa: ASYNC110 - it is made by another process
            await asyncio.sleep(0.05)
        large = await acme.get(preview)
        await until_deleted(acme, preview)
        derived = dict((await acme.get(film.name)).derived)
        assert set(derived) == {"thumbnail", "preview_small"}
        small = await acme.get(derived["preview_small"])
        assert (small.media.width, small.media.height) == (240, 180)
        assert small.media.frames == large.media.frames
        assert small.size_bytes < large.size_bytes
        assert small.expire_time.ToDatetime() == large.expire_time.ToDatetime(), "of one age"
        assert "preview_small" not in (await acme.get(held)).derived


async def test_a_tenant_without_room_does_not_keep_others_from_their_pictures(
    settings: Settings,
) -> None:
    own = {"acme": TenantPolicy(quota_bytes=len(CLIP))}
    full = settings.model_copy(update={"tenants": own, "derive": "thumbnail"})
    async with running(full) as address:
        async with client_of(address) as acme:
            assert (await acme.upload(CLIP, "r1")).name
        async with client_of(address, "other") as other:
            name = (await other.upload(CLIP, "r1")).name
            while not (await other.get(name)).derived:  # noqa: ASYNC110 - it is made by another process
                await asyncio.sleep(0.05)


async def test_old_previews_go_and_their_films_and_stills_stay(settings: Settings) -> None:
    brief = settings.model_copy(
        update={
            "derive": "thumbnail,preview",
            "preview_retention": timedelta(seconds=1),
            "sweep_every": timedelta(milliseconds=200),
        }
    )
    async with running(brief) as address, client_of(address) as acme:
        film = await acme.upload(CLIP, "r1")
        while not (preview := (await acme.get(film.name)).derived.get("preview")):  # noqa: ASYNC110 - it is made by another process
            await asyncio.sleep(0.05)
        await until_deleted(acme, preview)
        left = await acme.get(film.name)
        assert left.state == asset_pb2.Asset.STATE_STORED
        assert set(left.derived) == {"thumbnail"}
