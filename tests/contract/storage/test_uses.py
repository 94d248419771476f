"""Uses of assets count once each, on SQLite and on PostgreSQL."""

import asyncio
from pathlib import Path

import pytest

from services.common.database import Database, told_when_away
from services.common.errors import NotFound, RequestConflict, Unavailable
from services.common.migrate import migrate
from services.storage.adapters.sql_assets import SqlAssets
from services.storage.adapters.sql_uses import SqlUses
from services.storage.domain.uses import MAX_SAVED_MICROS, Use
from tests.contract.storage.test_asset_store import MIGRATIONS, NOW, stored

pytestmark = pytest.mark.timeout(60)


async def test_a_use_that_many_tell_of_from_two_replicas_counts_once(database_url: str) -> None:
    async with (
        Database(database_url, schema="storage", synchronous="OFF") as one,
        Database(database_url, schema="storage", synchronous="OFF") as other,
    ):
        await migrate(one, Path(MIGRATIONS))
        store = SqlAssets(one, now=lambda: NOW)
        asset, second = await stored(store, "r1"), await stored(store, "r2")
        replicas = (SqlUses(one), SqlUses(other))

        def told(number: int) -> Use:
            return Use(
                tenant="acme", asset_id=asset.id, request_id=f"job {number % 5}", saving_micros=7
            )

        await asyncio.gather(*(replicas[n % 2].record(told(n)) for n in range(40)))
        found = await store.get("acme", asset.id)
        assert found is not None
        assert (found.reuse_count, found.saving_micros) == (5, 35)
        with pytest.raises(RequestConflict):
            await replicas[0].record(
                Use(tenant="acme", asset_id=second.id, request_id="job 0", saving_micros=7)
            )
        other_tenant = Use(tenant="x", asset_id=asset.id, request_id="job 0", saving_micros=7)
        with pytest.raises(NotFound):
            await replicas[0].record(other_tenant)
        unchanged = await store.get("acme", asset.id)
        assert unchanged == found, "an asset counts for its own tenant only"


async def test_what_is_known_of_the_uses_of_an_asset_goes_with_it(database_url: str) -> None:
    async with Database(database_url, schema="storage", synchronous="OFF") as database:
        await migrate(database, Path(MIGRATIONS))
        store, uses = SqlAssets(database, now=lambda: NOW), SqlUses(database)
        asset, second = await stored(store, "r1"), await stored(store, "r2")
        use = Use(tenant="acme", asset_id=asset.id, request_id="job", saving_micros=7)
        await uses.record(use)
        await store.mark_deleted(asset, NOW)
        await uses.record(Use(tenant="acme", asset_id=second.id, request_id="job", saving_micros=7))
        found = await store.get("acme", second.id)
        assert found is not None
        assert found.reuse_count == 1


async def test_a_use_of_what_is_gone_is_not_counted_and_keeps_no_request_id(
    database_url: str,
) -> None:
    async with Database(database_url, schema="storage", synchronous="OFF") as database:
        await migrate(database, Path(MIGRATIONS))
        store, uses = SqlAssets(database, now=lambda: NOW), SqlUses(database)
        gone, there = await stored(store, "r1"), await stored(store, "r2")
        await store.mark_deleted(gone, NOW)
        with pytest.raises(NotFound):
            await uses.record(
                Use(tenant="acme", asset_id=gone.id, request_id="job", saving_micros=7)
            )
        await uses.record(Use(tenant="acme", asset_id=there.id, request_id="job", saving_micros=7))


async def test_a_saving_beyond_all_bounds_is_neither_an_outage_nor_a_fraction(
    database_url: str,
) -> None:
    async with Database(database_url, schema="storage", synchronous="OFF") as database:
        await migrate(database, Path(MIGRATIONS))
        store, uses = SqlAssets(database, now=lambda: NOW), SqlUses(database)
        asset = await stored(store, "r1", cost_micros=MAX_SAVED_MICROS)
        for number in range(3):
            await stored(store, f"made of it {number}", parents=(asset.name,))
            use = Use(
                tenant="acme", asset_id=asset.id, request_id=f"job {number}",
                saving_micros=MAX_SAVED_MICROS - number,
            )  # fmt: skip
            await uses.record(use)
        found = await store.get("acme", asset.id)
        assert found is not None
        assert (found.reuse_count, found.saving_micros) == (6, MAX_SAVED_MICROS)
        assert type(found.saving_micros) is int
        beyond = Use(tenant="acme", asset_id=asset.id, request_id="x", saving_micros=2**63)
        with pytest.raises(Exception, match=r"int64|too large|out of range") as raised:
            async with told_when_away():
                await uses.record(beyond)
        assert not isinstance(raised.value, Unavailable), "it would be asked for ever"
