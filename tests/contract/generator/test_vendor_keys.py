"""Tenants' own keys on SQLite and PostgreSQL: encrypted, pinned, erased when nothing needs them."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from cryptography.fernet import Fernet

from services.common.database import Database
from services.common.errors import NoCredentials, RequestConflict
from services.common.migrate import migrate
from services.generator.__main__ import MIGRATIONS
from services.generator.adapters.fernet_sealing import FernetSealing
from services.generator.domain.facts import Identity
from services.generator.domain.vendor_keys import OwnKeys, VendorKey
from services.generator.ledger import SqlLedger, SqlVendorKeys
from services.generator.ledger.vendor_keys import VENDOR_KEYS
from tests.fakes.generator_parts import START, entry

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()
SECRETS = {"api_key": "sim-recognisable-1"}


@dataclass
class Store:
    database: Database
    keys: SqlVendorKeys

    def under(self, *keys: str) -> SqlVendorKeys:
        return SqlVendorKeys(self.database, FernetSealing(keys))

    async def sealed(self) -> list[bytes]:
        async with self.database.read() as connection:
            return list((await connection.execute(sa.select(VENDOR_KEYS.c.sealed))).scalars())


@pytest.fixture
async def store(database_url: str, tmp_path: Path) -> AsyncIterator[Store]:
    async with Database(database_url, schema="generator") as database:
        await migrate(database, MIGRATIONS)
        yield Store(database, SqlVendorKeys(database, FernetSealing([OLD])))


def key(identifier: str = "k1", minutes: int = 0, **changes: str) -> VendorKey:
    made = VendorKey(
        id=identifier,
        tenant="acme",
        vendor="fal",
        fields=("api_key",),
        create_time=START + timedelta(minutes=minutes),
    )
    return replace(made, **changes)  # type: ignore[arg-type]  # fields by name


async def test_a_key_opens_for_its_tenant_alone_and_lies_encrypted(store: Store) -> None:
    await store.keys.add(key(), SECRETS)
    assert await store.keys.secrets("acme", "vendorKeys/k1") == ("fal", SECRETS)
    assert await store.keys.list("acme") == [key()]
    assert await store.keys.list("globex") == []
    with pytest.raises(NoCredentials):
        await store.keys.secrets("globex", "vendorKeys/k1")
    [sealed] = await store.sealed()
    assert b"recognisable" not in sealed


async def test_the_newest_key_of_a_vendor_is_used_and_the_older_ones_stay(store: Store) -> None:
    for identifier, minutes in (("k1", 0), ("k2", 2), ("k3", 1)):
        await store.keys.add(key(identifier, minutes), SECRETS)
    await store.keys.add(key("k4", vendor="runway"), SECRETS)
    own = OwnKeys.of(await store.keys.list("acme"))
    assert {vendor: one.id for vendor, one in own.by_vendor.items()} == {
        "fal": "k2",
        "runway": "k4",
    }
    assert await store.keys.revoke("acme", "vendorKeys/k2", now=START)
    assert OwnKeys.of(await store.keys.list("acme")).by_vendor["fal"].id == "k3"
    assert (await store.keys.secrets("acme", "vendorKeys/k2"))[1] == SECRETS


async def test_the_same_request_makes_one_key_and_another_body_is_a_conflict(store: Store) -> None:
    first = await store.keys.add(key(request_id="r"), SECRETS)
    assert await store.keys.add(key("k2", request_id="r"), SECRETS) == first
    for again, secrets in (
        (key("k2", request_id="r"), {"api_key": "other"}),
        (key("k2", request_id="r", label="other"), SECRETS),
    ):
        with pytest.raises(RequestConflict):
            await store.keys.add(again, secrets)
    await store.keys.add(key("k3", request_id="r", tenant="globex"), SECRETS)
    assert len(await store.keys.list("acme")) == 1


async def test_a_key_is_erased_once_nothing_is_under_way_with_it(store: Store) -> None:
    ledger = SqlLedger(store.database)
    for identifier in ("k1", "k2", "k3"):
        await store.keys.add(key(identifier), SECRETS)
    identity = Identity(provider="fal", endpoint="https://v", credential="vendorKeys/k1")
    await ledger.open(entry("g1", identity=identity), "me/1")
    for identifier in ("k1", "k2"):
        assert await store.keys.revoke("acme", f"vendorKeys/{identifier}", now=START)
        assert not await store.keys.revoke("globex", f"vendorKeys/{identifier}", now=START)
    await store.keys.erase()
    assert [one.id for one in await store.keys.list("acme")] == ["k3", "k1"]
    await ledger.release("g1", "me/1")
    await store.keys.erase()
    assert [one.id for one in await store.keys.list("acme")] == ["k3"]
    assert len(await store.sealed()) == 1


async def test_the_encryption_key_is_rotated_in_front_of_the_old_one(store: Store) -> None:
    await store.keys.add(key(), SECRETS)
    with pytest.raises(NoCredentials, match="encrypted with"):
        await store.under(NEW).secrets("acme", "vendorKeys/k1")
    both = store.under(NEW, OLD)
    assert (await both.secrets("acme", "vendorKeys/k1"))[1] == SECRETS
    await both.add(key("k2"), SECRETS)
    assert (await store.under(NEW).secrets("acme", "vendorKeys/k2"))[1] == SECRETS
    assert await both.seal_anew() == 2
    assert (await store.under(NEW).secrets("acme", "vendorKeys/k1"))[1] == SECRETS
    with pytest.raises(NoCredentials):
        await store.under(OLD).secrets("acme", "vendorKeys/k1")


async def test_a_row_that_was_moved_to_another_tenant_does_not_open(store: Store) -> None:
    await store.keys.add(key(), SECRETS)
    async with store.database.begin() as connection:
        await connection.execute(sa.update(VENDOR_KEYS).values(tenant="globex"))
    with pytest.raises(NoCredentials, match="moved"):
        await store.keys.secrets("globex", "vendorKeys/k1")
