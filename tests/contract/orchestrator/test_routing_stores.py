"""Policies and track records on SQLite and PostgreSQL: what one replica keeps, others read."""

import asyncio
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from sqlalchemy.exc import OperationalError

from services.common.database import Database
from services.common.migrate import migrate
from services.orchestrator import __main__ as orchestrator
from services.orchestrator.adapters.sql_policies import SqlPolicies
from services.orchestrator.adapters.sql_records import SqlRecords
from services.orchestrator.domain.options import Objective, Quality, Routing
from services.orchestrator.domain.policy import (
    CacheRules,
    ModerationPolicy,
    Quota,
    Screening,
    TenantPolicy,
)
from services.orchestrator.domain.records import KEEP, Sample
from tests.unit.orchestrator.examples import NOW

pytestmark = pytest.mark.timeout(60)
DEPLOYMENT = TenantPolicy(
    territory="KE", quota=Quota(jobs_at_once=10, jobs_per_minute=60), commercial=True
)
WISHES = Routing(
    objective=Objective.LATENCY,
    order=("own", "cheap"),
    deny=("dear",),
    max_price_micros=250_000,
    allow_placeholder=False,
    min_quality=Quality.STANDARD,
)


@asynccontextmanager
async def opened(database_url):
    """A migrated database."""
    async with Database(database_url, schema="orchestrator", synchronous="OFF") as database:
        await migrate(database, orchestrator.MIGRATIONS)
        yield database


def policies(database):
    return SqlPolicies(database, default=DEPLOYMENT, now=lambda: NOW)


async def test_a_policy_is_kept_whole_and_for_one_tenant_alone(database_url):
    async with opened(database_url) as database:
        here, there = policies(database), policies(database)
        asked = TenantPolicy(
            preferences=WISHES,
            moderation=ModerationPolicy(screening=Screening.RULES, allowed=("violence",)),
            quota=Quota(jobs_at_once=5, weight=3),
            commercial=False,
            territory="DE",
            paused=True,
            cache=CacheRules(semantic=False, lifetime=timedelta(hours=2), across_languages=True),
        )
        kept = await here.set("acme", asked)
        assert (kept.preferences, kept.cache) == (WISHES, asked.cache)
        assert kept.quota == Quota(jobs_at_once=5, jobs_per_minute=60, weight=3)
        assert (kept.territory, kept.commercial, kept.paused) == ("DE", False, True)
        assert await there.of("acme") == kept
        assert await there.of("other") == DEPLOYMENT


async def test_no_tenant_gets_beyond_what_the_deployment_gives(database_url):
    async with opened(database_url) as database:
        kept = await policies(database).set("acme", TenantPolicy(quota=Quota(jobs_at_once=500)))
        assert kept.quota == Quota(jobs_at_once=10, jobs_per_minute=60)
        assert kept.territory == "KE"


async def test_a_keys_preferences_are_its_own_and_stand_beside_the_tenants(database_url):
    async with opened(database_url) as database:
        store = policies(database)
        await store.set("acme", TenantPolicy(preferences=Routing(deny=("dear",))))
        await store.prefer("acme", "key1", WISHES)
        mine, others = await store.of("acme", "key1"), await store.of("acme", "key2")
        assert (mine.personal, mine.preferences.deny) == (WISHES, ("dear",))
        assert others.personal == Routing()
        await store.prefer("acme", "key1", Routing())
        assert (await store.of("acme", "key1")).personal == Routing()
        await store.prefer("acme", "", WISHES)  # where authentication is off
        assert (await store.of("acme")).personal == WISHES


async def test_what_replicas_measure_at_the_same_time_is_all_kept(database_url):
    async with opened(database_url) as database:
        replicas = [SqlRecords(database, now=lambda: NOW) for _ in range(4)]
        for index, replica in enumerate(replicas):
            for model in ("m", "n"):
                replica.ended(model, Sample(NOW + timedelta(seconds=index), 10.0 + index, True))
        await asyncio.gather(*(replica.flush() for replica in replicas))
        reader = SqlRecords(database, now=lambda: NOW)
        await reader.refresh()
        assert {m: r.p50_seconds for m, r in reader.records().items()} == {"m": 11.0, "n": 11.0}


async def test_records_are_bounded(database_url):
    async with opened(database_url) as database:
        records = SqlRecords(database, now=lambda: NOW)
        for index in range(KEEP + 20):
            records.ended("m", Sample(NOW + timedelta(seconds=index), float(index), True))
        await records.flush()
        await records.flush()
        await records.refresh()
        assert records.records()["m"].p50_seconds == 20 + KEEP // 2 - 1


async def test_a_write_that_fails_is_made_up_for_later(tmp_path):
    empty = f"sqlite:///{tmp_path / 'empty.sqlite'}"
    async with Database(empty, schema="orchestrator") as database:
        records = SqlRecords(database, now=lambda: NOW)
        for _ in range(3):
            records.ended("m", Sample(NOW, 4.0, True))
        with pytest.raises(OperationalError, match="model_records"):
            await records.flush()
        await migrate(database, orchestrator.MIGRATIONS)
        await records.flush()
        await records.refresh()
        assert records.records()["m"].p50_seconds == 4.0
