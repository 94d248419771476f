"""API keys on both databases."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from pydantic import SecretStr

from services.common.access import (
    API_KEYS,
    MIGRATIONS,
    SCHEMA,
    KeyStore,
    open_key_store,
    open_keys,
)
from services.common.database import Database
from services.common.errors import InvalidArgument, NotFound, Unauthenticated
from services.common.migrate import migrate
from services.common.settings import ServiceSettings

pytestmark = pytest.mark.timeout(60)


class Clock:
    def __init__(self) -> None:
        self.time = datetime(2026, 1, 1, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return self.time.timestamp()

    def advance(self, **by: float) -> None:
        self.time += timedelta(**by)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with Database(database_url, schema=SCHEMA) as database:
        await migrate(database, MIGRATIONS)
        yield database


def store(database: Database, clock: Clock) -> KeyStore:
    return KeyStore(database, now=clock, monotonic=clock.monotonic)


@pytest.fixture
def keys(database: Database, clock: Clock) -> KeyStore:
    return store(database, clock)


async def test_a_new_key_is_its_tenant_with_its_scopes(keys: KeyStore) -> None:
    key, secret = await keys.create("acme", ["read", "write"])
    assert secret.startswith(f"rmk_{key.key_id}_")
    assert len(secret) >= 60
    identity = await keys.authenticate(secret)
    assert (identity.tenant, identity.key_id) == ("acme", key.key_id)
    assert identity.scopes == {"read", "write"}


async def test_the_secret_is_nowhere_in_the_database(keys: KeyStore, database: Database) -> None:
    _, secret = await keys.create("acme", ["read"])
    async with database.read() as connection:
        [row] = (await connection.execute(sa.select(API_KEYS))).all()
    assert secret not in repr(row)
    assert secret.rpartition("_")[2] not in repr(row)


@pytest.mark.parametrize("damage", ["", "rmk_", "rmk_x", "x", "rmk_é_é", "rmk_'; --_x"])
async def test_a_key_that_was_never_made_is_refused(keys: KeyStore, damage: str) -> None:
    with pytest.raises(Unauthenticated):
        await keys.authenticate(damage)


async def test_the_right_id_with_a_wrong_secret_is_refused(keys: KeyStore) -> None:
    key, secret = await keys.create("acme", ["read"])
    for wrong in (f"rmk_{key.key_id}_guess", secret[:-1], secret + "x", secret.upper()):
        with pytest.raises(Unauthenticated):
            await keys.authenticate(wrong)


async def test_a_key_dies_at_its_expiry_even_when_it_was_just_used(
    keys: KeyStore, clock: Clock
) -> None:
    _, secret = await keys.create("acme", ["read"], clock() + timedelta(seconds=10))
    clock.advance(seconds=9.9)
    await keys.authenticate(secret)
    clock.advance(seconds=0.1)
    with pytest.raises(Unauthenticated):
        await keys.authenticate(secret)


async def test_a_revoked_key_dies_at_once_here_and_within_five_seconds_elsewhere(
    database: Database, keys: KeyStore, clock: Clock
) -> None:
    elsewhere = store(database, clock)
    key, secret = await keys.create("acme", ["read"])
    await keys.authenticate(secret)
    await elsewhere.authenticate(secret)
    revoked = await keys.revoke(key.key_id)
    assert revoked.revoke_time == clock()
    with pytest.raises(Unauthenticated):
        await keys.authenticate(secret)
    clock.advance(seconds=5)
    with pytest.raises(Unauthenticated):
        await elsewhere.authenticate(secret)


async def test_revoking_again_changes_nothing_and_an_unknown_key_is_not_found(
    keys: KeyStore, clock: Clock
) -> None:
    key, _ = await keys.create("acme", ["read"])
    first = await keys.revoke(key.key_id)
    clock.advance(hours=1)
    assert await keys.revoke(key.key_id) == first
    with pytest.raises(NotFound):
        await keys.revoke("nothing")


async def test_the_last_use_is_noted_at_most_once_a_minute(keys: KeyStore, clock: Clock) -> None:
    _, secret = await keys.create("acme", ["read"])
    noted: set[datetime] = set()
    for _ in range(13):
        await keys.authenticate(secret)
        [key] = await keys.list()
        assert key.last_use_time is not None
        noted.add(key.last_use_time)
        clock.advance(seconds=10)
    start = datetime(2026, 1, 1, 12, tzinfo=UTC)
    assert sorted(noted) == [start + timedelta(minutes=n) for n in range(3)]


async def test_a_tenant_sees_its_own_keys_only(keys: KeyStore, clock: Clock) -> None:
    one, _ = await keys.create("acme", ["read"])
    clock.advance(seconds=1)
    two, _ = await keys.create("bolt", ["admin"])
    assert await keys.list("acme") == [one]
    assert await keys.list() == [one, two]


async def test_a_key_that_makes_no_sense_is_refused(keys: KeyStore, clock: Clock) -> None:
    with pytest.raises(InvalidArgument, match="scopes"):
        await keys.create("acme", [])
    with pytest.raises(InvalidArgument, match="scopes"):
        await keys.create("acme", ["root"])
    with pytest.raises(InvalidArgument, match="tenant"):
        await keys.create("", ["read"])
    with pytest.raises(InvalidArgument, match="expires"):
        await keys.create("acme", ["read"], clock())
    assert await keys.list() == []


async def test_the_migrations_make_what_the_code_expects(database: Database) -> None:
    def differences(connection: sa.Connection) -> list[object]:
        context = MigrationContext.configure(connection)
        return list(compare_metadata(context, API_KEYS.metadata))

    async with database.engine.connect() as connection:
        found = await connection.run_sync(differences)
    # The table of alembic's own position is none of ours.
    assert [item for item in found if "alembic_version" not in repr(item)] == []


async def test_a_service_opens_the_store_only_where_authentication_is_on(tmp_path: Path) -> None:
    off = ServiceSettings(data_dir=tmp_path)
    on = ServiceSettings(data_dir=tmp_path, auth=True, signing_key=SecretStr("k" * 16))
    async with open_keys(off) as none:
        assert none is None
    assert not list(tmp_path.iterdir())
    async with open_key_store(off) as keys:
        _, secret = await keys.create("acme", ["read"])
    async with open_keys(on) as same:
        assert same is not None
        assert (await same.authenticate(secret)).tenant == "acme"
