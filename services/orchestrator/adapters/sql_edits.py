"""Edits of pictures on SQLite or PostgreSQL: one document each."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import sqlalchemy as sa
from pydantic import TypeAdapter
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from services.common.database import Database
from services.common.errors import NotFound, RequestConflict
from services.orchestrator.adapters.image_tables import image_edits
from services.orchestrator.domain.images.edits import ImageEdit

_EDIT = TypeAdapter(ImageEdit)
_mine = image_edits.c


class EditOrders(Protocol):
    """Puts work into the durable engine's queue inside the caller's transaction."""

    def edit(self, connection: sa.Connection, edit_id: str, place: int = 0) -> None:
        """Order the making of an edit; a smaller place goes first."""


class SqlEdits:
    """`domain.images.ports.EditStore` on SQLAlchemy."""

    def __init__(
        self, database: Database, orders: EditOrders, committed: Callable[[], None] = lambda: None
    ) -> None:
        """Take the database, the engine's queue, and who is told that an edit was accepted."""
        self._database = database
        self._orders = orders
        self._committed = committed
        self._insert = sqlite.insert if database.is_sqlite else postgresql.insert

    async def accept(
        self, edit: ImageEdit, request_id: str, fingerprint: str
    ) -> tuple[ImageEdit, bool]:
        """See `EditStore.accept`."""
        row = {
            "id": edit.id,
            "tenant": edit.tenant,
            "request_id": request_id or None,
            "fingerprint": fingerprint,
            "create_time": edit.create_time,
            "document": _dump(edit),
        }
        insert = self._insert(image_edits).values(row).on_conflict_do_nothing()
        async with self._database.begin() as connection:
            written = (await connection.execute(insert.returning(_mine.id))).first()
            if written is not None:
                await connection.run_sync(self._orders.edit, edit.id, edit.place)
        if written is not None:
            self._committed()
            return edit, False
        known = await self.known(edit.tenant, request_id, fingerprint)
        if known is None:
            raise RequestConflict(request_id)
        return known, True

    async def known(self, tenant: str, request_id: str, fingerprint: str) -> ImageEdit | None:
        """See `EditStore.known`."""
        if not request_id:
            return None
        where = (_mine.tenant == tenant) & (_mine.request_id == request_id)
        async with self._database.read() as connection:
            found = (await connection.execute(sa.select(image_edits).where(where))).first()
        if found is not None and found.fingerprint != fingerprint:
            raise RequestConflict(request_id)
        return None if found is None else _EDIT.validate_json(found.document)

    async def get(self, tenant: str, edit_id: str) -> ImageEdit:
        """See `EditStore.get`."""
        async with self._database.read() as connection:
            return await _load(connection, edit_id, _mine.tenant == tenant)

    async def read(self, edit_id: str) -> ImageEdit:
        """See `EditStore.read`."""
        async with self._database.read() as connection:
            return await _load(connection, edit_id)

    async def list(self, tenant: str, before: str, limit: int) -> Sequence[ImageEdit]:
        """See `EditStore.list`: ids grow with time, so inserts do not move a page."""
        statement = sa.select(_mine.document).where(_mine.tenant == tenant)
        if before:
            statement = statement.where(_mine.id < before)
        statement = statement.order_by(_mine.id.desc()).limit(limit)
        async with self._database.read() as connection:
            rows = await connection.execute(statement)
            return [_EDIT.validate_json(row.document) for row in rows]

    async def unfinished(self, tenant: str) -> int:
        """See `EditStore.unfinished`."""
        mine = (_mine.tenant == tenant) & _mine.end_time.is_(None)
        counted = sa.select(sa.func.count()).select_from(image_edits).where(mine)
        async with self._database.read() as connection:
            return int((await connection.execute(counted)).scalar_one())

    async def change(
        self, edit_id: str, mutate: Callable[[ImageEdit], ImageEdit | None]
    ) -> ImageEdit:
        """See `EditStore.change`."""
        async with self._database.begin() as connection:
            known = await _load(connection, edit_id, lock=True)
            changed = mutate(known)
            if changed is None:
                return known
            update = sa.update(image_edits).where(_mine.id == edit_id)
            values = {"document": _dump(changed), "end_time": changed.end_time}
            await connection.execute(update.values(values))
            return changed


def _dump(edit: ImageEdit) -> bytes:
    return _EDIT.dump_json(edit, exclude_defaults=True)


async def _load(
    connection: AsyncConnection, edit_id: str, *where: Any, lock: bool = False
) -> ImageEdit:
    statement = sa.select(_mine.document).where(_mine.id == edit_id, *where)
    if lock:
        statement = statement.with_for_update()
    found = (await connection.execute(statement)).first()
    if found is None:
        raise NotFound("image edit", f"imageEdits/{edit_id}")
    return _EDIT.validate_json(found.document)
