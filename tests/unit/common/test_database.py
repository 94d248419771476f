"""URLs of databases, in every form that people write."""

import asyncio
import sqlite3

import asyncpg
import pytest
from sqlalchemy import exc
from sqlalchemy.ext.asyncio import create_async_engine

from services.common.database import _tell_full, away, normalise_url, told_when_away
from services.common.errors import StorageFull, Unavailable


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("postgresql://u:p@h/d", "postgresql+asyncpg://u:p@h/d"),
        ("postgresql+psycopg://h/d", "postgresql+asyncpg://h/d"),
        ("sqlite:////x/y.db", "sqlite+aiosqlite:////x/y.db"),
        ("/x/y.db", "sqlite+aiosqlite:////x/y.db"),
    ],
)
def test_every_usual_form_of_a_url_is_understood(given: str, used: str) -> None:
    assert normalise_url(given).render_as_string(hide_password=False) == used


def test_another_kind_of_database_is_refused() -> None:
    with pytest.raises(ValueError, match="mysql is not supported"):
        normalise_url("mysql://h/d")


def dbapi(kind: type[exc.DBAPIError], original: Exception) -> exc.DBAPIError:
    return kind("SELECT 1", None, original)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ConnectionRefusedError(), True),
        (TimeoutError("somebody else's time was up"), False),
        (asyncpg.CannotConnectNowError(), True),
        (asyncpg.TooManyConnectionsError(), True),
        (exc.TimeoutError(), True),
        (dbapi(exc.OperationalError, sqlite3.OperationalError("database is locked")), True),
        (dbapi(exc.OperationalError, sqlite3.OperationalError("no such table: x")), False),
        (dbapi(exc.InterfaceError, OSError("connection lost")), True),
        (dbapi(exc.DBAPIError, asyncpg.NumericValueOutOfRangeError("bigint out of range")), False),
        (dbapi(exc.DBAPIError, asyncpg.DataError("value out of int64 range")), False),
        (dbapi(exc.DBAPIError, asyncpg.AdminShutdownError("terminating connection")), True),
        (dbapi(exc.IntegrityError, ValueError("twice")), False),
        (dbapi(exc.ProgrammingError, ValueError("no such column")), False),
        (ValueError("a defect"), False),
    ],
)
async def test_an_outage_is_told_from_a_defect(error: Exception, expected: bool) -> None:
    assert away(error) is expected
    with pytest.raises(Unavailable if expected else type(error)) as raised:
        async with told_when_away():
            raise error
    assert (raised.value is error) is not expected


async def test_a_connection_that_is_not_made_in_time_is_an_outage() -> None:
    left = asyncio.Event()

    async def wait_for_the_end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        await writer.wait_closed()
        left.set()

    async with await asyncio.start_server(wait_for_the_end, "127.0.0.1", 0) as silent:
        port = silent.sockets[0].getsockname()[1]
        url = f"postgresql+asyncpg://u:p@127.0.0.1:{port}/d"
        engine = create_async_engine(url, connect_args={"timeout": 0.1, "ssl": False})
        with pytest.raises(TimeoutError) as raised:
            await engine.connect()
        await engine.dispose()
        await left.wait()
    assert away(raised.value)


def test_a_server_whose_disk_is_full_is_told_by_its_code() -> None:
    class FullError(Exception):
        sqlstate = "53100"

    class Context:
        original_exception = FullError()

    with pytest.raises(StorageFull, match="disk of the database"):
        _tell_full(Context())  # type: ignore[arg-type]  # as much of one as is read
