"""One database for every service: SQLite when embedded, PostgreSQL in production, the same code.

``begin()`` is a transaction that will write. On SQLite it takes the write lock at once (BEGIN
IMMEDIATE), so that two writers queue up instead of failing when they upgrade; on PostgreSQL it is
an ordinary transaction.
"""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import asynccontextmanager
from pathlib import Path
from traceback import walk_tb
from typing import TYPE_CHECKING

from sqlalchemy import event, exc, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.pool import NullPool

from services.common.async_engine import create_async_engine
from services.common.errors import StorageFull, Unavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from typing import Any

    from sqlalchemy.engine import ExceptionContext
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

# PostgreSQL appendix A: disk_full.
_DISK_FULL = "53100"
_WRITES = "reelmesh_writes"
# Every connection of SQLite keeps pages of its own, 2 MiB as it comes, and a pool has twenty: they
# filled up as a file grew. The kernel keeps the same pages once for all.
_FEW_PAGES = "cache_size=-512"
# PostgreSQL appendix A, class 22: data exception, such as a number that is out of range.
_DATA = "22"
_OURS = (exc.DataError, exc.IntegrityError, exc.NotSupportedError, exc.ProgrammingError)
# The driver's own errors, which SQLAlchemy lets through while it connects. By name: where the
# database is SQLite, 2 MiB of a driver for another one stay out of memory.
_DRIVER = frozenset(
    {
        "CannotConnectNowError",
        "InterfaceError",
        "InternalClientError",
        "PostgresConnectionError",
        "TooManyConnectionsError",
    }
)


def away(error: BaseException) -> bool:
    """Return whether ``error`` says that the database cannot serve now, and may again soon."""
    if not isinstance(error, exc.DBAPIError):
        plain = isinstance(error, ConnectionError | exc.TimeoutError) or _drivers(error)
        return plain or (isinstance(error, TimeoutError) and _raised_by_driver(error))
    if isinstance(error.orig, sqlite3.Error):
        return "locked" in str(error.orig) or "busy" in str(error.orig)
    return not isinstance(error, _OURS) and not _sqlstate(error.orig).startswith(_DATA)


def _sqlstate(error: BaseException | None) -> str:
    return getattr(error, "sqlstate", None) or ""


def _drivers(error: BaseException) -> bool:
    kinds = type(error).__mro__
    return any(k.__name__ in _DRIVER and k.__module__.startswith("asyncpg.") for k in kinds)


def _raised_by_driver(error: BaseException) -> bool:
    """Whether it was the driver's time that was up, while it connected, and nobody else's."""
    frames = (frame for frame, _ in walk_tb(error.__traceback__))
    return any(str(f.f_globals.get("__name__", "")).startswith("asyncpg.") for f in frames)


@asynccontextmanager
async def told_when_away() -> AsyncIterator[None]:
    """Turn the many errors of a database that cannot serve now into one Unavailable."""
    try:
        yield
    except Exception as error:
        if not away(error):
            raise
        raise Unavailable("the database is away for the moment", 1.0) from error


def normalise_url(url: str) -> URL:
    """Return ``url`` with the asynchronous driver that we use; a bare path is a SQLite file."""
    if "://" not in url:
        return URL.create("sqlite+aiosqlite", database=str(Path(url).absolute()))
    parsed = make_url(url)
    backend = parsed.get_backend_name()
    if backend in {"postgresql", "postgres"}:
        return parsed.set(drivername="postgresql+asyncpg")
    if backend == "sqlite":
        return parsed.set(drivername="sqlite+aiosqlite")
    msg = f"database_url: {backend} is not supported (allowed: postgresql, sqlite)"
    raise ValueError(msg)


class FrugalConnection(sqlite3.Connection):
    """A connection to SQLite that keeps few pages; for engines that are made by others."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.execute(f"PRAGMA {_FEW_PAGES}")


class Database:
    """Connections to one schema of PostgreSQL, or to one SQLite file.

    Args:
        url: ``postgresql://…``, ``sqlite:///…`` or the path of a SQLite file.
        schema: PostgreSQL schema; it becomes the search path, so SQL names tables alone.
        pool_size: connections that are kept; as many again are opened in a rush. 0 keeps none.
        pre_ping: whether a PostgreSQL connection is tried before it is used. Without it a lost one
            shows itself by an error that `away` knows and callers may repeat; with it every
            transaction costs one round trip more.
        synchronous: SQLite durability; FULL survives a power cut, NORMAL may lose the last commits.
    """

    def __init__(
        self,
        url: str,
        *,
        schema: str,
        pool_size: int = 10,
        pre_ping: bool = False,
        synchronous: str = "FULL",
    ) -> None:
        self.url = normalise_url(url)
        self.schema = schema
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self._synchronous = synchronous
        # Writers of this process wait here in order; SQLite's own busy handler only polls.
        self._writer = asyncio.Lock()
        options: dict[str, Any] = {"poolclass": NullPool}
        if pool_size:
            options = {"pool_size": pool_size, "max_overflow": pool_size}
        self.engine = self._sqlite(options) if self.is_sqlite else self._postgres(options, pre_ping)
        self._single: AsyncEngine | None = None
        if not self.is_sqlite:
            self._single = self.engine.execution_options(isolation_level="AUTOCOMMIT")

    def _sqlite(self, options: dict[str, Any]) -> AsyncEngine:
        if self.url.database:
            Path(self.url.database).parent.mkdir(parents=True, exist_ok=True)
        if "pool_size" in options:
            # Used in turns, every connection that was ever needed would stay as warm as the others.
            options["pool_use_lifo"] = True
        engine = create_async_engine(self.url, **options)
        # Cancelled twice, its own stops a connection's thread before the close that waits for that,
        # which then waits for ever, cancelled or not; a plain close is always carried out.
        engine.dialect.do_terminate = engine.dialect.do_close  # type: ignore[method-assign]
        event.listen(engine.sync_engine, "handle_error", _tell_full)
        event.listen(engine.sync_engine, "connect", self._prepare_sqlite)
        event.listen(engine.sync_engine, "begin", _begin_sqlite)
        return engine

    def _postgres(self, options: dict[str, Any], pre_ping: bool) -> AsyncEngine:
        settings = {"search_path": self.schema, "application_name": f"reelmesh-{self.schema}"}
        engine = create_async_engine(
            self.url,
            pool_pre_ping=pre_ping,
            connect_args={"server_settings": settings},
            **options,
        )
        event.listen(engine.sync_engine, "handle_error", _tell_full)
        return engine

    def _prepare_sqlite(self, connection: Any, _record: object) -> None:
        connection.isolation_level = None  # transactions begin where we say so
        cursor = connection.cursor()
        for pragma in (
            "busy_timeout=10000",
            "journal_mode=WAL",
            f"synchronous={self._synchronous}",
            "foreign_keys=ON",
            _FEW_PAGES,
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        """Open a transaction that may write; it commits at the end and rolls back on an error."""
        if not self.is_sqlite:
            async with self.engine.begin() as connection:
                yield connection
            return
        async with self._writer, self.engine.connect() as connection:
            await connection.execution_options(**{_WRITES: True})
            async with connection.begin():
                yield connection

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """Open a transaction that only reads: one consistent view, in no writer's way."""
        async with self.engine.connect() as connection:
            yield connection

    @asynccontextmanager
    async def statement(self, *, writes: bool = False) -> AsyncIterator[AsyncConnection]:
        """Open a connection for one statement, which is a transaction of its own.

        On PostgreSQL neither BEGIN nor COMMIT is sent: one round trip instead of three.
        """
        if self._single is not None:
            async with self._single.connect() as connection:
                yield connection
            return
        async with self.begin() if writes else self.read() as connection:
            yield connection

    async def ping(self) -> None:
        """Ask the database for an answer; raises what the driver raises when there is none."""
        async with self.engine.connect() as connection:
            await connection.execute(text("SELECT 1"))

    async def close(self) -> None:
        """Close every connection."""
        await self.engine.dispose()

    async def __aenter__(self) -> Database:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


def _tell_full(context: ExceptionContext) -> None:
    """Say in our words that the database has no room; SQLAlchemy raises it instead of its own."""
    error = context.original_exception
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_FULL or getattr(error, "sqlstate", "") == _DISK_FULL:
        msg = "the disk of the database is full"
        raise StorageFull(msg) from error


def _begin_sqlite(connection: Any) -> None:
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
