"""The cache: entries, their uses, and who makes what."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_moment = sa.DateTime(timezone=True)
_vector = sa.LargeBinary().with_variant(postgresql.ARRAY(sa.REAL), "postgresql")


def upgrade() -> None:
    """Create the tables of the cache."""
    op.create_table(
        "cache_entries",
        sa.Column("id", sa.String(26), primary_key=True),
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("shape", sa.String(64), nullable=False),
        sa.Column("asset", sa.Text, nullable=False),
        sa.Column("embedder", sa.Text, nullable=False),
        sa.Column("vector", _vector),
        sa.Column("document", sa.LargeBinary, nullable=False),
        sa.Column("create_time", _moment, nullable=False),
        sa.Column("expire_time", _moment, nullable=False),
    )
    op.create_index(
        "cache_entries_by_key",
        "cache_entries",
        ["tenant", "key"],
        unique=True,
        postgresql_include=["id", "expire_time"],
    )
    op.create_index(
        "cache_entries_by_shape", "cache_entries", ["tenant", "shape", "embedder", "create_time"]
    )
    op.create_index("cache_entries_by_asset", "cache_entries", ["tenant", "asset"])
    op.create_index("cache_entries_by_age", "cache_entries", ["expire_time"])
    op.create_table(
        "cache_uses",
        sa.Column("tenant", sa.Text, primary_key=True),
        sa.Column("attempt", sa.Text, primary_key=True),
        sa.Column("entry", sa.String(26), nullable=False),
        sa.Column("asset", sa.Text, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("provider", sa.Text, nullable=False),
        sa.Column("saved_micros", sa.BigInteger, nullable=False),
        sa.Column("create_time", _moment, nullable=False),
        sa.CheckConstraint("saved_micros >= 0", name="cache_uses_not_negative"),
    )
    op.create_index("cache_uses_of_asset", "cache_uses", ["tenant", "asset"])
    op.create_table(
        "cache_flights",
        sa.Column("tenant", sa.Text, primary_key=True),
        sa.Column("key", sa.String(64), primary_key=True),
        sa.Column("job", sa.String(26), nullable=False),
        sa.Column("create_time", _moment, nullable=False),
    )


def downgrade() -> None:
    """Drop everything; for development."""
    for table in ("cache_flights", "cache_uses", "cache_entries"):
        op.drop_table(table)
