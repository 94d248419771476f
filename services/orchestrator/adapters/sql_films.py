"""Films on SQLite or PostgreSQL: what was asked for and what becomes of it, each as a document."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Protocol

import sqlalchemy as sa
from pydantic import TypeAdapter
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from services.common.database import Database
from services.common.errors import Internal, NotFound, RequestConflict
from services.orchestrator.adapters.film_tables import films
from services.orchestrator.adapters.newest_films import NewestFilms
from services.orchestrator.domain.films.film import Film, FilmState

_FILM = TypeAdapter(Film)
_PLAN = {"shots", "brief", "strategy"}
_DOCUMENTS = (films.c.id, films.c.tenant, films.c.plan, films.c.status)


def dump_plan(film: Film) -> bytes:
    """What was asked for, as JSON."""
    return _FILM.dump_json(film, exclude_defaults=True, include=_PLAN)


def dump_status(film: Film) -> bytes:
    """What became of it, as JSON."""
    return _FILM.dump_json(film, exclude_defaults=True, exclude=_PLAN)


def load(plan: bytes, status: bytes) -> Film:
    """The film from its two documents, checked field by field."""
    # Neither is ever empty: both have fields without a default.
    return _FILM.validate_json(plan[:-1] + b"," + status[1:])


class FilmOrders(Protocol):
    """Puts work into the durable engine's queue inside the caller's transaction."""

    def film(self, connection: sa.Connection, film_run: str, *, delay: float = 0.0) -> None:
        """Order a film's run, "{film id}.{run}"; it begins after so many seconds."""

    def cancel_film(self, connection: sa.Connection, film_run: str) -> None:
        """Order the cancelling of a film's run."""

    def stop_dropped(self, connection: sa.Connection, film_run: str, sequence: int) -> None:
        """Order the stopping of what a film has dropped, once for each change of it."""


class SqlFilms:
    """`domain.films.ports.FilmStore` on SQLAlchemy."""

    def __init__(
        self,
        database: Database,
        orders: FilmOrders,
        *,
        now: Callable[[], datetime],
        committed: Callable[[Film], None] = lambda _film: None,
    ) -> None:
        """Take the database, the engine's queue, the clock, and whom to tell of changes."""
        self._database = database
        self._orders = orders
        self._now = now
        self._committed = committed
        self._newest = NewestFilms()
        self._insert = sqlite.insert if database.is_sqlite else postgresql.insert

    async def accept(self, film: Film, fingerprint: str) -> tuple[Film, bool]:
        """See `FilmStore.accept`."""
        row = _row(film) | {
            "request_id": film.request_id or None,
            "fingerprint": fingerprint,
            "published": 0,
            "plan": dump_plan(film),
        }
        insert = self._insert(films).values(row).on_conflict_do_nothing()
        async with self._database.begin() as connection:
            written = await connection.execute(insert.returning(films.c.id))
            fresh = written.first() is not None
            if fresh and film.state is FilmState.QUEUED:
                await connection.run_sync(self._begin, film)
        if not fresh:
            known = await self.known(film.tenant, film.request_id, fingerprint)
            if known is None:
                raise RequestConflict(film.request_id)
            return known, True
        self._committed(film)
        return film, False

    async def known(self, tenant: str, request_id: str, fingerprint: str) -> Film | None:
        """See `FilmStore.known`."""
        if not request_id:
            return None
        mine = (films.c.tenant == tenant) & (films.c.request_id == request_id)
        statement = sa.select(films.c.fingerprint, *_DOCUMENTS).where(mine)
        async with self._database.read() as connection:
            found = (await connection.execute(statement)).first()
        if found is not None and found.fingerprint != fingerprint:
            raise RequestConflict(request_id)
        return None if found is None else load(found.plan, found.status)

    async def get(self, tenant: str, film_id: str) -> Film:
        """See `FilmStore.get`."""
        async with self._database.read() as connection:
            return await self._load(connection, film_id, tenant=tenant)

    async def read(self, film_id: str) -> Film:
        """See `FilmStore.read`."""
        async with self._database.read() as connection:
            return await self._load(connection, film_id)

    async def list(self, tenant: str, before: str, limit: int) -> Sequence[Film]:
        """See `FilmStore.list`: ids grow with time, so inserts do not move a page.

        Films that are in use here are not read; of the others one at a time, for some are large.
        """
        statement = sa.select(films.c.id, films.c.sequence).where(films.c.tenant == tenant)
        if before:
            statement = statement.where(films.c.id < before)
        statement = statement.order_by(films.c.id.desc()).limit(limit)
        page = []
        async with self._database.read() as connection:
            for row in (await connection.execute(statement)).all():
                known = self._newest.known(row.id, row.sequence)
                page.append(known or await self._documents(connection, row.id))
        return page

    async def change(self, film_id: str, mutate: Callable[[Film], Film | None]) -> Film:
        """See `FilmStore.change`."""
        return await self._change(film_id, mutate)

    async def set_going(
        self, tenant: str, film_id: str, mutate: Callable[[Film], Film | None]
    ) -> Film:
        """See `FilmStore.set_going`."""
        return await self._change(film_id, mutate, tenant=tenant, order=self._begin)

    async def request_cancel(self, tenant: str, film_id: str) -> Film:
        """See `FilmStore.request_cancel`: a film that waits, for whatever, ends at once."""
        now = self._now()

        def cancel(film: Film) -> Film | None:
            if film.state is FilmState.CANCELLING:
                return None
            begins = film.brief.start_time
            waits = film.state is FilmState.QUEUED and begins is not None and begins > now
            if film.state in {FilmState.QUEUED, FilmState.RUNNING} and not waits:
                return film.changed(now, state=FilmState.CANCELLING)
            return film.ended(now, FilmState.CANCELLED)

        def order(connection: sa.Connection, film: Film) -> None:
            self._orders.cancel_film(connection, film_run(film))

        return await self._change(film_id, cancel, tenant=tenant, order=order)

    def _begin(self, connection: sa.Connection, film: Film) -> None:
        """Order the film's run, for the time that it may begin at."""
        begins = film.brief.start_time
        delay = (begins - self._now()).total_seconds() if begins else 0.0
        self._orders.film(connection, film_run(film), delay=max(delay, 0.0))

    def _stop_dropped(self, connection: sa.Connection, film: Film) -> None:
        self._orders.stop_dropped(connection, film_run(film), film.sequence)

    async def _change(
        self,
        film_id: str,
        mutate: Callable[[Film], Film | None],
        *,
        tenant: str | None = None,
        order: Callable[[sa.Connection, Film], None] | None = None,
    ) -> Film:
        async with self._database.begin() as connection:
            film = await self._load(connection, film_id, tenant=tenant, lock=True)
            changed = mutate(film)
            if changed is None:
                return film
            if changed.sequence <= film.sequence:
                raise Internal(f"a change of {film.name} did not move its sequence")
            row = _row(changed)
            if changed.shots is not film.shots:
                row["plan"] = dump_plan(changed)
            await connection.execute(sa.update(films).where(films.c.id == film_id).values(row))
            if order is not None and not changed.state.terminal:
                await connection.run_sync(order, changed)
            if len(changed.dropped) > len(film.dropped):
                await connection.run_sync(self._stop_dropped, changed)
        self._committed(self._newest.keep(changed))
        return changed

    async def _load(
        self,
        connection: AsyncConnection,
        film_id: str,
        *,
        tenant: str | None = None,
        lock: bool = False,
    ) -> Film:
        mine = films.c.id == film_id
        newest = sa.select(films.c.tenant, films.c.sequence).where(mine)
        row = (await connection.execute(newest.with_for_update() if lock else newest)).first()
        if row is None or tenant not in {None, row.tenant}:
            raise NotFound("film", f"films/{film_id}")
        known = self._newest.known(film_id, row.sequence)
        if known is not None:
            return known
        return self._newest.keep(await self._documents(connection, film_id))

    async def _documents(self, connection: AsyncConnection, film_id: str) -> Film:
        mine = sa.select(*_DOCUMENTS).where(films.c.id == film_id)
        found = (await connection.execute(mine)).one()
        return load(found.plan, found.status)


def film_run(film: Film) -> str:
    """What one run of a film is called."""
    return f"{film.id}.{film.run}"


def _row(film: Film) -> dict[str, Any]:
    return {
        "id": film.id,
        "tenant": film.tenant,
        "state": film.state,
        "creative_id": film.creative_id,
        "sequence": film.sequence,
        "create_time": film.create_time,
        "update_time": film.update_time,
        "end_time": film.end_time,
        "status": dump_status(film),
    }
