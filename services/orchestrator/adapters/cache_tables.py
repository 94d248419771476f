"""Tables of the cache: entries found by key, uses that are only ever added, and who makes what."""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from services.orchestrator.adapters.tables import metadata

_moment = sa.DateTime(timezone=True)
# Single precision on both: what the embedders give and what vector search takes.
VECTOR = sa.LargeBinary().with_variant(postgresql.ARRAY(sa.REAL), "postgresql")

# Rows are not changed by being used, so that PostgreSQL answers look-ups from the index alone.
cache_entries = sa.Table(
    "cache_entries",
    metadata,
    sa.Column("id", sa.String(26), primary_key=True),
    sa.Column("tenant", sa.Text, nullable=False),
    sa.Column("key", sa.String(64), nullable=False),
    sa.Column("shape", sa.String(64), nullable=False),
    sa.Column("asset", sa.Text, nullable=False),
    sa.Column("embedder", sa.Text, nullable=False),
    sa.Column("vector", VECTOR),
    sa.Column("document", sa.LargeBinary, nullable=False),
    sa.Column("create_time", _moment, nullable=False),
    sa.Column("expire_time", _moment, nullable=False),
    sa.Index(
        "cache_entries_by_key",
        "tenant",
        "key",
        unique=True,
        postgresql_include=["id", "expire_time"],
    ),
    sa.Index("cache_entries_by_shape", "tenant", "shape", "embedder", "create_time"),
    sa.Index("cache_entries_by_asset", "tenant", "asset"),
    sa.Index("cache_entries_by_age", "expire_time"),
)

cache_uses = sa.Table(
    "cache_uses",
    metadata,
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
    sa.Index("cache_uses_of_asset", "tenant", "asset"),
)

# The job that makes what a key stands for. It holds for as long as that job has not ended.
cache_flights = sa.Table(
    "cache_flights",
    metadata,
    sa.Column("tenant", sa.Text, primary_key=True),
    sa.Column("key", sa.String(64), primary_key=True),
    sa.Column("job", sa.String(26), nullable=False),
    sa.Column("create_time", _moment, nullable=False),
)
