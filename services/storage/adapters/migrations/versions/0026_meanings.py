"""What searches by meaning compare; every asset that is searched for waits for it."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import BIT

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

# Name: columns, and which rows are in it.
_INDEXES = {
    "asset_meanings_of": (["embedder", "tenant", "asset_id"], "embedder <> ''"),
    "asset_meanings_waiting": (["try_after", "asset_id"], "embedder = ''"),
}


def upgrade() -> None:
    op.create_table(
        "asset_meanings",
        sa.Column("asset_id", sa.String(64), primary_key=True),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("embedder", sa.Text, nullable=False, server_default=""),
        sa.Column("dimensions", sa.Integer, nullable=False, server_default="0"),
        sa.Column("signs", sa.LargeBinary().with_variant(BIT(varying=True), "postgresql")),
        sa.Column("tries", sa.Integer, nullable=False, server_default="0"),
        sa.Column("try_after", sa.BigInteger, nullable=False, server_default="0"),
    )
    for name, (columns, rows) in _INDEXES.items():
        where = sa.text(rows)
        op.create_index(name, "asset_meanings", columns, postgresql_where=where, sqlite_where=where)
    op.create_table(
        "asset_vectors",
        sa.Column(
            "asset_id",
            sa.String(64),
            sa.ForeignKey("asset_meanings.asset_id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("vector", sa.LargeBinary, nullable=False),
    )
    op.execute(
        "INSERT INTO asset_meanings (asset_id, tenant) "
        "SELECT id, tenant FROM assets WHERE state = 'stored' AND parent_id = ''"
    )


def downgrade() -> None:
    for table in ("asset_vectors", "asset_meanings"):
        op.drop_table(table)
