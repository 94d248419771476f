"""Both databases find assets by their indexes, for callers and for the worker alike.

Among many tenants, and however many proofs of deletions have piled up.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.dialects.postgresql import asyncpg

from services.common.database import Database
from services.common.ids import new_id
from services.common.migrate import migrate
from services.storage.adapters import sql_numbers as numbers
from services.storage.adapters import sql_statements as sql
from services.storage.adapters import sql_waits as waits
from services.storage.adapters import vector_statements as vectors
from services.storage.adapters.asset_rows import micros, to_row
from services.storage.adapters.sql_steps import page_of
from services.storage.adapters.tables import assets, meanings
from services.storage.adapters.word_index import WORD_INDEXES
from services.storage.domain.assets import Asset, AssetState, Description
from services.storage.domain.facets import Facets
from services.storage.domain.keys import ObjectKey
from services.storage.domain.ports import Query
from tests.contract.storage.test_asset_store import MIGRATIONS, NOW

pytestmark = pytest.mark.timeout(120)
COUNT, OTHERS, PROOFS = 5000, 300, 3000
SOON = micros(NOW + timedelta(days=1))


def one(number: int, tenant: str = "acme") -> Asset:
    facets = Facets(characters=(f"person {number % 300}",), mood="calm" if number % 2 else "tense")
    identifier = new_id()
    return Asset(
        id=identifier, tenant=tenant, state=AssetState.STORED,
        key=ObjectKey(f"{tenant}/{identifier}", 1, "mp4"),
        description=Description(
            content_type="video/mp4", facets=facets, creative_id=f"creative {number % 500}",
            labels={"campaign": f"number {number % 200}"},
        ),
        request_id=identifier, fingerprint="f", create_time=NOW, size_bytes=1, sha256=identifier,
    )  # fmt: skip


def kept(made: list[Asset]) -> list[dict[str, Any]]:
    """Assets of which hardly any have anything due, and the proofs of very many that are gone."""
    there = [
        {
            **to_row(asset),
            "numbered": False,
            "derive_time": None if number % 500 == 0 else 0,
            "expire_time": 1 if number % 700 == 0 else SOON,
            "state": "writing" if number % 900 == 0 else "stored",
            "parent_id": "film" if number % 400 == 0 else "",
            "role": "preview" if number % 400 == 0 else "",
            "purge_time": None,
        }
        for number, asset in enumerate(made)
    ]
    gone = {
        "numbered": False,
        "state": "deleted",
        "expire_time": 1,
        "delete_time": 2,
        "derive_time": None,
    }
    proofs = [
        {**to_row(one(number)), **gone, "purge_time": None if number % 600 == 0 else 3}
        for number in range(PROOFS)
    ]
    return there + proofs


def read(made: list[Asset]) -> list[dict[str, Any]]:
    """What an embedder has read nearly all of, and an older one a few."""
    return [
        {
            "asset_id": asset.id,
            "tenant": asset.tenant,
            "embedder": "" if number % 500 == 0 else "d" if number % 300 == 0 else "e",
        }
        for number, asset in enumerate(made)
    ]


@asynccontextmanager
async def filled(url: str) -> AsyncIterator[Database]:
    async with Database(url, schema="storage", synchronous="OFF") as database:
        await migrate(database, MIGRATIONS)
        made = [one(number) for number in range(COUNT)]
        made += [one(number, f"tenant {number % 4}") for number in range(OTHERS)]
        async with database.begin() as connection:
            await connection.execute(insert(assets), kept(made))
            await connection.execute(insert(meanings), read(made))
            await WORD_INDEXES[database.engine.dialect.name].insert(connection, *made)
            if not database.is_sqlite:
                # What the server does by itself a moment after so many inserts.
                pending = "SELECT gin_clean_pending_list('asset_words_tokens')"
                await connection.execute(text(pending))
                await connection.execute(text("ANALYZE"))
        yield database


@pytest.fixture
async def library(database_url: str) -> AsyncIterator[Database]:
    async with filled(database_url) as database:
        yield database


async def plan(database: Database, wanted: Any, **told: object) -> str:
    """How the database would read; SQLite does not look at the parameters."""
    async with database.read() as connection:
        if database.is_sqlite:
            written, values = _written(wanted.compile(database.engine), told)
            found = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {written}", values)
            return "\n".join(str(row._mapping["detail"]) for row in found)
        if told:
            written, values = _written(wanted.compile(dialect=asyncpg.dialect()), told)
            found = await connection.exec_driver_sql(f"EXPLAIN {written}", values)
        else:
            kwargs = {"literal_binds": True}
            compiled = wanted.compile(dialect=asyncpg.dialect(), compile_kwargs=kwargs)
            found = await connection.execute(text(f"EXPLAIN {compiled}".replace(":", r"\:")))
        return "\n".join(row[0] for row in found)


def _written(compiled: Any, told: dict[str, object]) -> tuple[str, tuple[object, ...]]:
    """The statement with its lists written out, and its values in order."""
    full = compiled.construct_expanded_state(told)
    return full.statement, tuple(full.parameters[name] for name in full.positiontup)


RARE = Facets(characters=("person 7",), mood="calm")
DEEP = "the middle of the list"
# By what the pages are asked for: the index that PostgreSQL reads.
PAGES = [
    (Query(tenant="acme", limit=51, facets=RARE), "asset_words_tokens"),
    (Query(tenant="acme", limit=51, facets=Facets(characters=("nobody",))), "asset_words_tokens"),
    (Query(tenant="acme", limit=51, labels={"campaign": "number 3"}), "asset_words_tokens"),
    (Query(tenant="acme", limit=51, facets=Facets(mood="calm")), "assets_p"),
    (Query(tenant="acme", limit=51), "assets_p"),
    (Query(tenant="acme", limit=51, before=DEEP), "assets_p"),
    (Query(tenant="acme", limit=51, waiting=True), "assets_"),
    (Query(tenant="acme", limit=51, creative_id="creative 3"), "assets_creative"),
    (Query(tenant="acme", limit=51, creative_id="creative 3", before=DEEP), "assets_creative"),
    (Query(tenant="tenant 3", limit=51, before=DEEP), "assets_p"),
]
DUE = {"moment": micros(NOW), "at_most": 200}
BUT = {"but": ["1", "2"]}
GONE = {"moment": micros(NOW), "delete_time": 1, "update_time": 1}
# What every page asks for as well, and what follows when an asset is deleted.
CHILDREN: list[tuple[Any, dict[str, Any], str]] = [
    (sql.DERIVED, {"identifiers": ["1", "2"]}, "assets_children"),
    (sql.CHILDREN, {"of_tenant": "acme", "which": "1"}, "assets_"),
    (sql.ROLES_MADE, {"which": "1"}, "assets_children"),
]
KIN = {"of_tenant": "acme", "of_creative": "creative 3", "of_extension": "mp4", "of_stem": "x"}
CHORES: list[tuple[Any, dict[str, Any], str]] = [
    (numbers.TAKEN, {**KIN, "of_iteration": 3, "which": "1"}, "assets_number"),
    (numbers.LAST, KIN, "assets_number"),
    (sql.UNDERIVED, {**DUE, "of_step": "quick", "after": "acme"}, "assets_underived"),
    (sql.IDS_BEFORE, {"which": DEEP, "at_most": 200}, "assets_"),
    (sql.DERIVE_AGAIN, {"identifiers": ["1", "2"], "of_roles": "hls"}, "assets_"),
    (sql.EXPIRED, {**DUE, **BUT}, "assets_due"),
    (sql.NOT_PURGED, {**DUE, **BUT, "stale": micros(NOW)}, "assets_age"),
    (sql.GIVEN_UP, {"at_most": 200, **BUT}, "assets_age"),
    (sql.GIVE_UP_STALE, {"moment": micros(NOW)}, "assets_age"),
    (waits.GIVE_UP_WAITING, GONE, "assets_"),
    (waits.MISS, {"moment": micros(NOW), "reason_time": 1}, "assets_"),
    (waits.WAITING_BYTES, {"of_tenant": "acme", "which": ""}, "assets_"),
    (sql.WITH_ROLE, {**DUE, "of_role": "preview", "due": micros(NOW)}, "assets_role"),
    (vectors.TAKE[False], {**DUE, "until": SOON}, "asset_meanings_waiting"),
    (vectors.TAKE[True], {**DUE, "until": SOON}, "asset_meanings_waiting"),
    (vectors.OUTDATED, {"by_embedder": "e", "at_most": 200, "until": SOON}, "asset_meanings_of"),
]


async def test_nothing_that_is_asked_reads_the_table_from_end_to_end(library: Database) -> None:
    await pages_read_their_indexes(library)
    for statement, asked, index in CHORES:
        told = await plan(library, statement, **asked)
        assert index in told, told
        assert "SCAN assets" not in told, told
    if library.is_sqlite:
        # Nobody has to, and an operator may: nearly every row is of one tenant, and of no parent.
        async with library.begin() as connection:
            await connection.execute(text("ANALYZE"))
        await pages_read_their_indexes(library)


async def pages_read_their_indexes(library: Database) -> None:
    words = WORD_INDEXES[library.engine.dialect.name]
    async with library.read() as connection:
        middle = select(assets.c.id).order_by(assets.c.id).offset(COUNT // 2).limit(1)
        deep = str(await connection.scalar(middle))
    for query, index in PAGES:
        before = deep if query.before else ""
        told = await plan(library, page_of(replace(query, before=before), words))
        assert "Seq Scan" not in told, told
        assert "SCAN assets" not in told, told
        assert index in told or library.is_sqlite, told
    for statement, asked, index in CHILDREN:
        told = await plan(library, statement, **asked)
        assert index in told, told
        assert "Seq Scan" not in told, told
        assert "SCAN assets" not in told, told
