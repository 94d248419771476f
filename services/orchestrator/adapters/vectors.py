"""Nearest vectors within one tenant and shape: by pgvector where it is, else by a scan with SIMD.

Both are exact. A shape holds few entries, so that an approximate index would give up recall, and
isolation by a filter behind it, for nothing.
"""

import sys
from array import array
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol

import simsimd
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.common.database import Database
from services.orchestrator.adapters.cache_tables import cache_entries
from services.orchestrator.domain.cache.entries import Search

# Without pgvector the newest entries of a shape are compared: 2,000 of 512 numbers are 4 MB.
SCANNED = 2_000
_ROWS = cache_entries.c
_SAME = (
    (_ROWS.tenant == sa.bindparam("tenant"))
    & (_ROWS.shape == sa.bindparam("shape"))
    & (_ROWS.embedder == sa.bindparam("embedder"))
    & (_ROWS.expire_time > sa.bindparam("now", type_=_ROWS.expire_time.type))
)


class Vectors(Protocol):
    """Finds documents by vector."""

    async def nearest(
        self, connection: AsyncConnection, search: Search, limit: int, now: datetime
    ) -> Sequence[tuple[bytes, float]]:
        """Documents and cosines, best first, of entries that have not expired."""


class PgVectors:
    """pgvector's cosine distance, computed where the vectors are."""

    def __init__(self, schema: str) -> None:
        """`schema` is where the extension lives: the search path does not lead there."""
        vector = f'"{schema}".vector'
        # The schema is a name out of the database's own catalogue, everything else is bound.
        self._statement = sa.text(
            f'SELECT document, 1 - (vector::{vector} OPERATOR("{schema}".<=>)'  # noqa: S608 - see above
            f" CAST(:wanted AS {vector})) AS similarity FROM cache_entries"
            " WHERE tenant = :tenant AND shape = :shape AND embedder = :embedder"
            " AND expire_time > :now AND cardinality(vector) = :numbers"
            " ORDER BY similarity DESC, create_time DESC LIMIT :size"
        )

    async def nearest(
        self, connection: AsyncConnection, search: Search, limit: int, now: datetime
    ) -> Sequence[tuple[bytes, float]]:
        """See `Vectors.nearest`."""
        wanted = "[" + ",".join(f"{number:.8g}" for number in search.vector) + "]"
        values = _values(search, now) | {"wanted": wanted, "size": limit}
        rows = await connection.execute(self._statement, values)
        return [(bytes(row.document), float(row.similarity)) for row in rows]


class ScannedVectors:
    """Every vector of the shape is read and compared; on SQLite, and without pgvector."""

    def __init__(self, *, packed: bool) -> None:
        """`packed`: vectors are bytes in the table, as on SQLite."""
        # PostgreSQL's own binary form: a million numbers are not made into objects one by one.
        column = _ROWS.vector if packed else sa.func.array_send(_ROWS.vector)
        size = sa.func.length(column) / 4 if packed else sa.func.cardinality(_ROWS.vector)
        alike = _SAME & (size == sa.bindparam("numbers"))
        newest = sa.select(_ROWS.id, column.label("vector")).where(alike)
        self._read = newest.order_by(_ROWS.create_time.desc()).limit(SCANNED)
        self._unpacked = bytes if packed else _from_array

    async def nearest(
        self, connection: AsyncConnection, search: Search, limit: int, now: datetime
    ) -> Sequence[tuple[bytes, float]]:
        """See `Vectors.nearest`."""
        rows = (await connection.execute(self._read, _values(search, now))).all()
        if not rows:
            return []
        near = _cosines(search.vector, [self._unpacked(row.vector) for row in rows])
        best = sorted(zip(near, (row.id for row in rows), strict=True), key=lambda n: -n[0])[:limit]
        wanted = sa.select(_ROWS.id, _ROWS.document).where(_ROWS.id.in_([id_ for _, id_ in best]))
        documents = {row.id: row.document for row in await connection.execute(wanted)}
        return [(documents[id_], cosine) for cosine, id_ in best if id_ in documents]


def _from_array(sent: bytes) -> bytes:
    """The numbers of a `real[]`, packed, from what `array_send` gives.

    That is a header of 20 bytes, then for each number its length and itself, big-endian; see
    PostgreSQL's src/backend/utils/adt/arrayfuncs.c.
    """
    words = array("I")
    words.frombytes(sent[20:])
    numbers = words[1::2]
    if sys.byteorder == "little":
        numbers.byteswap()
    return numbers.tobytes()


def _cosines(wanted: Sequence[float], vectors: Sequence[bytes]) -> list[float]:
    query = _matrix(array("f", wanted).tobytes(), 1)
    table = _matrix(b"".join(vectors), len(vectors))
    distances: Any = simsimd.cdist(query, table, "cosine")
    rows: Any = memoryview(distances).tolist()
    return [1.0 - distance for distance in rows[0]]


def _matrix(packed: bytes, rows: int) -> Any:
    """The bytes as rows of single precision numbers, without copying them."""
    return memoryview(packed).cast("f", shape=[rows, len(packed) // (4 * rows)])


def _values(search: Search, now: datetime) -> dict[str, Any]:
    names = ("tenant", "shape", "embedder")
    # Another model under the same name may give vectors of another length.
    more = {"now": now, "numbers": len(search.vector)}
    return {name: getattr(search, name) for name in names} | more


async def vectors_of(database: Database) -> Vectors:
    """Pgvector where the database has it, else a scan."""
    if database.is_sqlite:
        return ScannedVectors(packed=True)
    found = sa.text(
        "SELECT n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace"
        " WHERE e.extname = 'vector'"
    )
    async with database.read() as connection:
        schema = (await connection.execute(found)).scalar_one_or_none()
    return PgVectors(schema) if schema else ScannedVectors(packed=False)
