"""One contract for halted providers: in memory, SQLite, PostgreSQL."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.common.database import Database
from services.common.migrate import migrate
from services.generator.__main__ import MIGRATIONS
from services.generator.domain.halts import Halts
from services.generator.ledger import SqlHalts
from tests.fakes.generator_parts import START, MemoryHalts


@pytest.fixture(params=["memory", "sqlite", "postgres"])
async def halts(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Halts]:
    if request.param == "memory":
        yield MemoryHalts()
        return
    url = f"sqlite:///{tmp_path}/l.db"
    if request.param == "postgres":
        url = request.getfixturevalue("postgres_url")
    async with Database(url, schema="generator") as database:
        await migrate(database, MIGRATIONS)
        yield SqlHalts(database)


async def test_a_halt_keeps_its_first_reason_until_it_is_lifted(halts: Halts) -> None:
    await halts.halt("runway", "two charges", at=START)
    await halts.halt("runway", "three charges", at=START)
    assert dict(await halts.halted()) == {"runway": "two charges"}
    assert await halts.resume("runway")
    assert not await halts.resume("runway")
    assert dict(await halts.halted()) == {}
