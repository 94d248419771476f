"""The same code on SQLite and PostgreSQL; migrations that several replicas start at once."""

import asyncio
import random
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.common.database import Database
from services.common.migrate import migrate
from tests.fakes.waiting import until

pytestmark = pytest.mark.timeout(60)

FIRST = """
import sqlalchemy as sa
from alembic import op
revision, down_revision = "0001", None
def upgrade():
    op.create_table("counters", sa.Column("id", sa.Integer, primary_key=True),
                    sa.Column("n", sa.BigInteger, nullable=False))
    op.execute("INSERT INTO counters VALUES (1, 0)")
"""
SECOND = """
import sqlalchemy as sa
from alembic import op
revision, down_revision = "0002", "0001"
def upgrade():
    with op.batch_alter_table("counters") as table:
        table.add_column(sa.Column("note", sa.Text))
    op.execute("UPDATE counters SET n = n + 100")
"""
BROKEN = """
from alembic import op
revision, down_revision = "0003", "0002"
def upgrade():
    op.execute("UPDATE counters SET n = -1")
    op.execute("SELECT * FROM no_such_table")
"""
INCREMENT = sa.text("UPDATE counters SET n = n + 1")
READ = sa.text("SELECT n FROM counters")


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    versions = tmp_path / "migrations" / "versions"
    versions.mkdir(parents=True)
    (versions / "0001_first.py").write_text(FIRST)
    (versions / "0002_second.py").write_text(SECOND)
    return versions.parent


async def count(database: Database) -> int:
    async with database.read() as connection:
        return int((await connection.execute(READ)).scalar_one())


async def test_migrations_run_once_and_in_order(database_url: str, scripts: Path) -> None:
    async with Database(database_url, schema="test") as database:
        await migrate(database, scripts, revision="0001")
        assert await count(database) == 0
        await migrate(database, scripts)
        await migrate(database, scripts)
        assert await count(database) == 100


async def test_a_migration_that_fails_leaves_nothing_behind(
    database_url: str, scripts: Path
) -> None:
    (scripts / "versions" / "0003_broken.py").write_text(BROKEN)
    async with Database(database_url, schema="test") as database:
        await migrate(database, scripts, revision="0002")
        with pytest.raises(sa.exc.DBAPIError):
            await migrate(database, scripts)
        assert await count(database) == 100


async def test_a_schema_that_is_up_to_date_is_seen_without_loading_alembic(
    database_url: str, scripts: Path
) -> None:
    async with Database(database_url, schema="test") as database:
        await migrate(database, scripts)
    program = (
        "import asyncio, sys\n"
        "from services.common.database import Database\n"
        "from services.common.migrate import migrate\n"
        "async def main():\n"
        "    async with Database(sys.argv[1], schema='test') as database:\n"
        "        await migrate(database, sys.argv[2])\n"
        "asyncio.run(main())\n"
        "print('alembic' in sys.modules)\n"
    )
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, database_url, str(scripts), stdout=subprocess.PIPE
    )
    told, _ = await child.communicate()
    assert told.strip() == b"False"


async def test_three_replicas_may_migrate_at_once(database_url: str, scripts: Path) -> None:
    program = (
        "import asyncio, sys\n"
        "from services.common.database import Database\n"
        "from services.common.migrate import migrate\n"
        "async def main():\n"
        "    async with Database(sys.argv[1], schema='test') as database:\n"
        "        await migrate(database, sys.argv[2])\n"
        "asyncio.run(main())\n"
    )
    argv = [sys.executable, "-W", "error", "-c", program, database_url, str(scripts)]
    replicas = [
        await asyncio.create_subprocess_exec(*argv, stderr=subprocess.PIPE) for _ in range(3)
    ]
    for replica in replicas:
        _, errors = await replica.communicate()
        assert replica.returncode == 0, errors.decode()
    async with Database(database_url, schema="test") as database:
        assert await count(database) == 100


async def test_two_services_in_one_process_may_migrate_at_once(
    tmp_path: Path, scripts: Path
) -> None:
    async with (
        Database(str(tmp_path / "one.db"), schema="one") as one,
        Database(str(tmp_path / "two.db"), schema="two") as two,
    ):
        await asyncio.gather(migrate(one, scripts), migrate(two, scripts))
        assert (await count(one), await count(two)) == (100, 100)


async def test_the_schema_of_one_service_is_not_seen_by_another(
    postgres_url: str, scripts: Path
) -> None:
    async with (
        Database(postgres_url, schema="one") as one,
        Database(postgres_url, schema="two") as two,
    ):
        await migrate(one, scripts)
        with pytest.raises(sa.exc.ProgrammingError, match="counters"):
            await count(two)
        await migrate(two, scripts)
        async with one.begin() as connection:
            await connection.execute(INCREMENT)
        assert (await count(one), await count(two)) == (101, 100)


async def test_an_error_rolls_back(database_url: str, scripts: Path) -> None:
    async with Database(database_url, schema="test") as database:
        await migrate(database, scripts)

        async def fail() -> None:
            async with database.begin() as connection:
                await connection.execute(INCREMENT)
                raise RuntimeError("no")

        with pytest.raises(RuntimeError, match="no"):
            await fail()
        assert await count(database) == 100


async def test_a_statement_is_a_transaction_of_its_own(database_url: str, scripts: Path) -> None:
    async with Database(database_url, schema="test", pool_size=1) as database:
        await migrate(database, scripts)
        async with database.statement(writes=True) as connection:
            await connection.execute(INCREMENT)
        assert await count(database) == 101
        async with database.statement() as connection:
            assert (await connection.execute(sa.text("SELECT 7"))).scalar_one() == 7
        with pytest.raises(RuntimeError, match="no"):  # noqa: PT012 - the error ends the block
            async with database.begin() as connection:
                await connection.execute(INCREMENT)
                raise RuntimeError("no")
        assert await count(database) == 101, "a pooled connection kept committing by itself"


async def read_then_write(connection: AsyncConnection) -> None:
    lock = " FOR UPDATE" if connection.dialect.name == "postgresql" else ""
    found = (await connection.execute(sa.text(READ.text + lock))).scalar_one()
    await asyncio.sleep(0)
    await connection.execute(sa.text("UPDATE counters SET n = :n"), {"n": found + 1})


async def test_writers_that_read_first_queue_up_and_lose_nothing(
    database_url: str, scripts: Path
) -> None:
    async with (
        Database(database_url, schema="test", pool_size=4) as here,
        Database(database_url, schema="test", pool_size=4) as there,
    ):
        await migrate(here, scripts)

        async def write(database: Database) -> None:
            async with database.begin() as connection:
                await read_then_write(connection)

        await asyncio.gather(*(write(here) for _ in range(30)), *(write(there) for _ in range(30)))
        assert await count(here) == 160


async def test_a_reader_does_not_wait_for_a_writer(database_url: str, scripts: Path) -> None:
    async with Database(database_url, schema="test") as database:
        await migrate(database, scripts)
        async with database.begin() as connection:
            await connection.execute(INCREMENT)
            async with asyncio.timeout(30):
                assert await count(database) == 100
        assert await count(database) == 101


async def test_sqlite_is_set_up_to_keep_what_it_has_acknowledged(tmp_path: Path) -> None:
    async with Database(str(tmp_path / "x.db"), schema="test") as database:

        async def pragma(name: str) -> Any:
            async with database.read() as connection:
                return (await connection.execute(sa.text(f"PRAGMA {name}"))).scalar_one()

        assert await pragma("journal_mode") == "wal"
        assert await pragma("synchronous") == 2
        assert await pragma("foreign_keys") == 1
        assert await pragma("busy_timeout") == 10000


async def test_a_connection_to_sqlite_keeps_half_a_mebibyte_of_pages_however_large_the_file(
    tmp_path: Path,
) -> None:
    async with Database(str(tmp_path / "x.db"), schema="test") as database, database.begin() as one:
        assert (await one.execute(sa.text("PRAGMA cache_size"))).scalar_one() == -512


async def test_a_write_waits_for_another_process_that_holds_the_lock(
    tmp_path: Path, scripts: Path
) -> None:
    path = tmp_path / "x.db"
    async with Database(str(path), schema="test") as database:
        await migrate(database, scripts)
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")

        async def write() -> None:
            async with database.begin() as connection:
                await connection.execute(INCREMENT)

        writing = asyncio.create_task(write())
        await asyncio.sleep(0.1)
        assert not writing.done()
        other.execute("COMMIT")
        other.close()
        await writing
        assert await count(database) == 101


async def test_ping_tells_whether_the_database_is_there(postgres_url: str) -> None:
    async with Database(postgres_url, schema="test") as database:
        await database.ping()
    async with Database("postgresql://nobody@127.0.0.1:1/x", schema="test") as away:
        with pytest.raises(OSError, match="Connect"):
            await away.ping()


async def test_writers_who_are_cancelled_twice_leave_no_lock_and_no_task(tmp_path: Path) -> None:
    """A caller leaves, and its deadline passes: both cancel what it asked for."""
    dice = random.Random(3)

    async def write(database: Database) -> None:
        async with database.begin() as connection:
            await connection.execute(sa.text("INSERT INTO t VALUES (1)"))
            await connection.execute(sa.text("INSERT INTO t VALUES (2)"))

    async def leave(database: Database) -> None:
        writing = asyncio.create_task(write(database))
        await asyncio.sleep(dice.uniform(0, 0.02))
        for _ in range(2):
            writing.cancel()
            await asyncio.sleep(dice.uniform(0, 0.001))
        await asyncio.gather(writing, return_exceptions=True)

    async with Database(f"sqlite:///{tmp_path / 'a.db'}", schema="a") as database:
        async with database.begin() as connection:
            await connection.execute(sa.text("CREATE TABLE t (a INTEGER)"))
        for _ in range(60):
            await asyncio.gather(*(leave(database) for _ in range(15)))
            async with asyncio.timeout(20):
                await write(database)
        await until(lambda: len(asyncio.all_tasks()) == 1)
