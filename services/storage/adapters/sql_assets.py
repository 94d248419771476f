"""Records of assets in SQLite or PostgreSQL."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import IntegrityError

from services.common.database import told_when_away
from services.common.errors import Aborted, RequestConflict
from services.storage.adapters import sql_statements as sql
from services.storage.adapters.asset_rows import (
    from_row,
    key_columns,
    micros,
    to_row,
    type_columns,
    whole_columns,
)
from services.storage.adapters.sql_leftovers import SqlLeftovers, leave
from services.storage.adapters.sql_numbers import free_key
from services.storage.adapters.sql_steps import (
    at,
    held_as_parent,
    marked_deleted,
    page_of,
    reused,
    use,
)
from services.storage.adapters.vector_statements import WAIT
from services.storage.adapters.word_index import WORD_INDEXES
from services.storage.domain.assets import Asset, AssetState
from services.storage.domain.keys import ObjectKey
from services.storage.domain.policies import under_legal_hold
from services.storage.domain.ports import Claim
from services.storage.domain.refusals import GivenUpError
from services.storage.domain.spooling import never_stored

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Delete, Update

    from services.common.database import Database
    from services.storage.domain.ports import Query

_CLAIM_ATTEMPTS = 5
_TAKEN = "others keep taking the same object key"


class SqlAssets(SqlLeftovers):
    """Implements the asset store; see the port for what each method promises."""

    def __init__(self, database: Database, *, now: Callable[[], datetime]) -> None:
        super().__init__(database, now=now)
        self._insert_new = sql.INSERT_NEW[database.engine.dialect.name]
        self._words = WORD_INDEXES[database.engine.dialect.name]

    async def claim(self, asset: Asset, *, former: str = "") -> Claim:
        """Insert a WRITING record under the next free iteration, or find what is there."""
        async with self._statement(writes=True) as connection:
            # Nearly always both the request and the key are new.
            done = await connection.execute(self._insert_new, to_row(asset))
        if done.rowcount:
            return Claim(asset=asset, replayed=False)
        for _ in range(_CLAIM_ATTEMPTS):
            # A twin with the same request id was faster by a moment; the next look finds it.
            with contextlib.suppress(IntegrityError):
                if claim := await self._claim(asset, former):
                    return claim
        raise Aborted(_TAKEN)

    async def move(self, asset: Asset) -> Asset:
        """Give a WRITING record the next free iteration; return a faster twin's as it is."""
        return await self._placed(asset, asset.key.next(), {})

    async def retype(self, asset: Asset) -> Asset:
        """Give a WRITING record another media type, and a key that ends like it; as ``move``."""
        key = replace(asset.key, extension=asset.description.extension)
        return await self._placed(asset, key, type_columns(asset))

    async def _placed(self, asset: Asset, wanted: ObjectKey, more: Mapping[str, Any]) -> Asset:
        for _ in range(_CLAIM_ATTEMPTS):
            # Who claims a number that nobody has asks for no lock, and may be faster by a moment.
            with contextlib.suppress(IntegrityError):
                return await self._put(asset, wanted, more)
        raise Aborted(_TAKEN)

    async def _put(self, asset: Asset, wanted: ObjectKey, more: Mapping[str, Any]) -> Asset:
        async with self._begin() as connection:
            key = await free_key(connection, asset, wanted)
            changes = {**key_columns(key), **more, "update_time": micros(self._now())}
            done = await connection.execute(sql.CHANGE_WRITING, {"which": asset.id, **changes})
            await leave(connection, asset, [asset.key, key], self._now())
        return at(asset, key) if done.rowcount else await self._ended(asset)

    async def used(self, tenant: str) -> int:
        """Return the bytes that the tenant has in storage."""
        async with self._statement() as connection:
            return await connection.scalar(sql.USED, {"of_tenant": tenant}) or 0

    async def commit(self, asset: Asset, *, quota_bytes: int = 0) -> Asset:
        """Turn WRITING into STORED; the first of several twins wins, and its record is returned."""
        stored = replace(asset, state=AssetState.STORED, spool="", state_reason="")
        changes = {
            **whole_columns(stored),
            **key_columns(stored.key),
            "state": stored.state.value,
            "spool": "",
            "state_reason": "",
            "update_time": micros(self._now()),
        }
        async with self._begin() as connection:
            if asset.parent_id:
                stored = await held_as_parent(connection, stored)
                changes["legal_hold"] = stored.legal_hold
            done = await connection.execute(sql.CHANGE_WRITING, {"which": asset.id, **changes})
            if done.rowcount:
                if not asset.parent_id:
                    await self._words.insert(connection, asset)
                    await connection.execute(WAIT, {"asset_id": asset.id, "tenant": asset.tenant})
                await reused(connection, asset)
                await use(connection, asset, quota_bytes=quota_bytes)
                return stored
        return await self._ended(asset)

    async def abandon(self, asset: Asset) -> None:
        """Forget a WRITING record without an object, unless another attempt has it or a spool."""
        await self._while_ours(sql.ABANDON, asset)

    async def give_up(self, asset: Asset) -> bool:
        """Turn WRITING into GIVEN_UP, unless another attempt has it or a spool."""
        return await self._while_ours(sql.GIVE_UP, asset)

    async def get(self, tenant: str, identifier: str) -> Asset | None:
        """Return the tenant's asset, whatever its state."""
        found = await self._fetch(sql.BY_ID, which=identifier, of_tenant=tenant)
        return found[0] if found else None

    async def many(self, tenant: str, identifiers: Iterable[str]) -> Sequence[Asset]:
        """Return the tenant's STORED assets among ``identifiers``, in any order."""
        return await self._fetch(sql.BY_IDS, of_tenant=tenant, identifiers=list(identifiers))

    async def page(self, query: Query) -> list[Asset]:
        """Return STORED assets, newest first."""
        wanted = page_of(query, self._words)
        async with told_when_away(), self._database.read() as connection:
            await self._words.prepare(connection)
            return await self._found(connection, wanted)

    async def twin(self, tenant: str, sha256: str, size_bytes: int) -> ObjectKey | None:
        """Return the key of a STORED asset of the tenant with the same bytes."""
        same = {"of_tenant": tenant, "of_sha256": sha256, "of_size": size_bytes}
        async with self._statement() as connection:
            row = (await connection.execute(sql.TWIN_KEY, same)).first()
        return None if row is None else ObjectKey(*row)

    async def mark_deleted(self, asset: Asset, moment: datetime) -> Asset:
        """Turn the record and those derived from it into proofs; what is searchable goes."""
        async with self._begin() as connection:
            proof = await marked_deleted(connection, self._words, asset, moment)
            if proof is None:
                return await self._not_deletable(asset, moment)
            mine = {"of_tenant": asset.tenant, "which": asset.id}
            for child in await self._found(connection, sql.CHILDREN, **mine):
                if await marked_deleted(connection, self._words, child, moment) is None:
                    # Deleted by another since we looked, which is as well, or held.
                    left = await self._found(connection, sql.CHILDREN, **mine)
                    if any(each.id == child.id for each in left):
                        raise under_legal_hold(child.name)
        return proof

    async def hold(self, asset: Asset, *, held: bool) -> bool:
        """Hold the asset and what was derived from it, or let them go; false when not STORED."""
        told = {"which": asset.id, "legal_hold": held}
        async with self._begin() as connection:
            done = await connection.execute(sql.HOLD, told)
            await connection.execute(sql.HOLD_CHILDREN, told)
        return bool(done.rowcount)

    async def everything(self, tenant: str, after: str, limit: int) -> Sequence[Asset]:
        """Return what the tenant has stored or had, with ids after ``after``, oldest first."""
        return await self._fetch(sql.EVERYTHING, of_tenant=tenant, which=after, at_most=limit)

    async def mark_purged(self, asset: Asset, moment: datetime) -> None:
        """Note that the bytes of a DELETED asset are gone."""
        await self._set(asset, purge_time=micros(moment))

    async def children(self, asset: Asset) -> Sequence[Asset]:
        """Return the STORED assets derived from this one."""
        return await self._fetch(sql.CHILDREN, of_tenant=asset.tenant, which=asset.id)

    async def _ended(self, asset: Asset) -> Asset:
        """Return what a twin has made of a record; raises when it ended without a file."""
        found = await self.get(asset.tenant, asset.id)
        if found is None or never_stored(found):
            raise GivenUpError
        return found

    async def _while_ours(self, statement: Delete | Update, asset: Asset) -> bool:
        mine = {"which": asset.id, "of_attempt": asset.attempt}
        async with self._statement(writes=True) as connection:
            return bool((await connection.execute(statement, mine)).rowcount)

    async def _not_deletable(self, asset: Asset, moment: datetime) -> Asset:
        """Return the proof that another has left; raises when the asset is held."""
        found = await self.get(asset.tenant, asset.id)
        if found is not None and found.state == AssetState.STORED:
            raise under_legal_hold()
        return found or replace(asset, state=AssetState.DELETED, delete_time=moment)

    async def _claim(self, asset: Asset, former: str) -> Claim | None:
        """Insert or find the record; ``None`` when another ends it at this very moment."""
        async with self._begin() as connection:
            same = {"of_tenant": asset.tenant, "of_request": asset.request_id}
            row = (await connection.execute(sql.BY_REQUEST, same)).mappings().first()
            if row is None:
                claimed = at(asset, await free_key(connection, asset, asset.key))
                await connection.execute(sql.INSERT, to_row(claimed))
                return Claim(asset=claimed, replayed=False)
            if row["fingerprint"] not in {asset.fingerprint, former or asset.fingerprint}:
                raise RequestConflict(asset.request_id)
            found = from_row(dict(row))
            if found.state != AssetState.WRITING:
                return Claim(asset=found, replayed=True)
            mine = {"attempt": asset.attempt, "update_time": micros(self._now())}
            done = await connection.execute(sql.CHANGE_WRITING, {"which": found.id, **mine})
        if not done.rowcount:
            return None
        return Claim(asset=replace(found, attempt=asset.attempt), replayed=False)

    async def _set(self, asset: Asset, **values: int) -> None:
        async with self._statement(writes=True) as connection:
            await connection.execute(sql.CHANGE, {"which": asset.id, **values})
