"""Facets are looked for without what joins their words; also what was indexed as it was spelt."""

from collections.abc import Iterator

import sqlalchemy as sa
from alembic import op

from services.storage.adapters.word_index import token
from services.storage.domain.facets import joined

revision = "0044"
down_revision = "0043"
branch_labels = None
depends_on = None

DATA_ALONE = True
_BATCH = 1000
_assets = sa.table(
    "assets",
    *map(sa.column, ("id", "tenant", "state", "parent_id")),
    sa.column("document", sa.JSON),
)
# What is there stays: the token of a spelling does no harm.
_MORE = {
    "sqlite": "UPDATE asset_words SET tokens = tokens || ' ' || :more WHERE rowid IN "
    "(SELECT rowid FROM asset_words WHERE asset_words MATCH :own)",
    "postgresql": "UPDATE asset_words SET "
    "tokens = tokens || array_to_tsvector(string_to_array(:more, ' ')) WHERE asset_id = :id",
}


def upgrade() -> None:
    connection, last = op.get_bind(), ""
    more = sa.text(_MORE[connection.dialect.name])
    stored = sa.select(_assets).where(_assets.c.state == "stored", _assets.c.parent_id == "")
    while True:
        page = stored.where(_assets.c.id > last).order_by(_assets.c.id).limit(_BATCH)
        found = connection.execute(page).mappings().all()
        if not found:
            return
        last = found[-1]["id"]
        for row in found:
            if tokens := list(_tokens(row)):
                own = f'"{token(row["tenant"], "id", row["id"])}"'
                told = {"more": " ".join(tokens), "own": own, "id": row["id"]}
                connection.execute(more, {name: told[name] for name in more.compile().params})


def _tokens(row: sa.RowMapping) -> Iterator[str]:
    """Yield the tokens of those facets that are looked for otherwise than they were spelt."""
    for axis, told in row["document"]["facets"].items():
        for value in told if isinstance(told, list) else [told]:
            if joined(value) != value:
                yield token(row["tenant"], axis, joined(value))


def downgrade() -> None:
    """Leave the index as it is: everything is found by its spelling as well."""
