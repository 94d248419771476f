"""Tenants' own keys on SQLite and PostgreSQL: secrets are encrypted before they come here.

What is encrypted names the tenant and the key beside the secrets, so that a row which somebody
moved to another tenant does not open.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from services.common.database import Database
from services.common.errors import NoCredentials, RequestConflict
from services.generator.domain.vendor_keys import PREFIX, Sealing, VendorKey
from services.generator.ledger.rows import GENERATIONS, METADATA, Moment

VENDOR_KEYS = sa.Table(
    "vendor_keys",
    METADATA,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("tenant", sa.String(64), nullable=False),
    sa.Column("request_id", sa.String(200)),
    sa.Column("vendor", sa.String(64), nullable=False),
    sa.Column("fields", sa.String(500), nullable=False),
    sa.Column("label", sa.String(100), nullable=False),
    sa.Column("sealed", sa.LargeBinary, nullable=False),
    sa.Column("create_time", Moment, nullable=False),
    sa.Column("revoke_time", Moment),
)
_ROW = VENDOR_KEYS.c
_SHOWN = [column for column in VENDOR_KEYS.columns if column.name != "sealed"]


class SqlVendorKeys:
    """`domain.vendor_keys.VendorKeys` on a database."""

    def __init__(self, database: Database, sealing: Sealing) -> None:
        self._database = database
        self._sealing = sealing
        dialect: Any = sqlite if database.is_sqlite else postgresql
        self._insert = dialect.insert

    async def add(self, key: VendorKey, secrets: Mapping[str, str]) -> VendorKey:
        """Keep a key. Raises RequestConflict where the request id made another one."""
        values = {
            "id": key.id,
            "tenant": key.tenant,
            "request_id": key.request_id or None,
            "vendor": key.vendor,
            "fields": " ".join(key.fields),
            "label": key.label,
            "create_time": key.create_time,
            "sealed": await self._sealed(key.tenant, key.id, secrets),
        }
        insert = self._insert(VENDOR_KEYS).values(values).on_conflict_do_nothing()
        same = (_ROW.tenant == key.tenant, _ROW.request_id == key.request_id)
        async with self._database.begin() as connection:
            if (await connection.execute(insert.returning(_ROW.id))).first() is not None:
                return key
            row = (await connection.execute(sa.select(VENDOR_KEYS).where(*same))).one()
        present = _key_of(row)
        kept = await self._opened(row)
        if (present.vendor, present.label, kept) != (key.vendor, key.label, dict(secrets)):
            raise RequestConflict(key.request_id)
        return present

    async def list(self, tenant: str) -> Sequence[VendorKey]:
        """Return the tenant's keys, newest first."""
        order = (_ROW.create_time.desc(), _ROW.id.desc())
        query = sa.select(*_SHOWN).where(_ROW.tenant == tenant).order_by(*order)
        async with self._database.read() as connection:
            return [_key_of(row) for row in await connection.execute(query)]

    async def revoke(self, tenant: str, name: str, *, now: datetime) -> bool:
        """Take a key out of use."""
        mine = sa.and_(_ROW.tenant == tenant, _ROW.id == name.removeprefix(PREFIX))
        update = sa.update(VENDOR_KEYS).where(mine, _ROW.revoke_time.is_(None))
        async with self._database.begin() as connection:
            return bool((await connection.execute(update.values(revoke_time=now))).rowcount)

    async def secrets(self, tenant: str, name: str) -> tuple[str, Mapping[str, str]]:
        """Return the vendor and the secrets of a key. Raises NoCredentials."""
        mine = sa.and_(_ROW.tenant == tenant, _ROW.id == name.removeprefix(PREFIX))
        async with self._database.read() as connection:
            row = (await connection.execute(sa.select(VENDOR_KEYS).where(mine))).first()
        if row is None:
            message = "the vendor key that this was sent with is gone"
            raise NoCredentials(message, metadata={"missing": name})
        return row.vendor, await self._opened(row)

    async def erase(self) -> None:
        """Erase the keys that are out of use and that no work under way was sent with."""
        used = sa.select(GENERATIONS.c.credential).where(GENERATIONS.c.owner != "")
        idle = sa.and_(_ROW.revoke_time.is_not(None), (PREFIX + _ROW.id).not_in(used))
        async with self._database.read() as connection:
            if (await connection.execute(sa.select(_ROW.id).where(idle).limit(1))).first() is None:
                return
        async with self._database.begin() as connection:
            await connection.execute(sa.delete(VENDOR_KEYS).where(idle))

    async def seal_anew(self) -> int:
        """Encrypt every key with the newest encryption key; returns how many there are."""
        async with self._database.begin() as connection:
            rows = (await connection.execute(sa.select(VENDOR_KEYS))).all()
            for row in rows:
                sealed = await self._sealed(row.tenant, row.id, await self._opened(row))
                mine = sa.update(VENDOR_KEYS).where(_ROW.id == row.id)
                await connection.execute(mine.values(sealed=sealed))
        return len(rows)

    async def _sealed(self, tenant: str, identifier: str, secrets: Mapping[str, str]) -> bytes:
        content = {"tenant": tenant, "id": identifier, "secrets": dict(secrets)}
        return await self._sealing.seal(json.dumps(content).encode())

    async def _opened(self, row: Any) -> dict[str, str]:
        content = json.loads(await self._sealing.open(row.sealed))
        if (content["tenant"], content["id"]) != (row.tenant, row.id):
            message = "the row of a vendor key was moved: it is not opened"
            raise NoCredentials(message, metadata={"missing": f"{PREFIX}{row.id}"})
        secrets: dict[str, str] = content["secrets"]
        return secrets


def _key_of(row: Any) -> VendorKey:
    return VendorKey(
        id=row.id,
        tenant=row.tenant,
        vendor=row.vendor,
        fields=tuple(row.fields.split()),
        label=row.label,
        request_id=row.request_id or "",
        create_time=row.create_time,
        revoke_time=row.revoke_time,
    )
