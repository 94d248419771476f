"""On SQLite the rows of the full-text index get numbers in the order of the ids of assets."""

import sqlalchemy as sa
from alembic import op

from services.storage.adapters.word_rows import rows_of

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None

DATA_ALONE = True
_BATCH = 1000
_OLD = sa.text(
    "SELECT rowid, tokens, asset_id FROM asset_words_old WHERE rowid > :after "
    "ORDER BY rowid LIMIT :at_most"
)
_INSERT = sa.text(
    "INSERT INTO asset_words (rowid, tokens, asset_id) VALUES (coalesce("
    "(SELECT rowid + 1 FROM asset_words WHERE rowid BETWEEN :first_row AND :last_row "
    "ORDER BY rowid DESC LIMIT 1), :first_row), :tokens, :asset_id)"
)


def upgrade() -> None:
    connection = op.get_bind()
    if connection.dialect.name != "sqlite":
        return
    op.execute("DROP TABLE asset_words_vocabulary")
    op.execute("ALTER TABLE asset_words RENAME TO asset_words_old")
    op.execute(
        "CREATE VIRTUAL TABLE asset_words USING fts5"
        "(tokens, asset_id UNINDEXED, detail=none, columnsize=0, tokenize='ascii')"
    )
    op.execute("CREATE VIRTUAL TABLE asset_words_vocabulary USING fts5vocab(asset_words, row)")
    after = 0
    while found := connection.execute(_OLD, {"after": after, "at_most": _BATCH}).all():
        after = found[-1].rowid
        rows = [
            {"tokens": row.tokens, "asset_id": row.asset_id, **rows_of(row.asset_id)}
            for row in sorted(found, key=lambda row: str(row.asset_id))
        ]
        connection.execute(_INSERT, rows)
    op.execute("DROP TABLE asset_words_old")


def downgrade() -> None:
    """Leave the numbers: an earlier release takes whichever there are."""
