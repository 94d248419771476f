"""Tables of the storage service. Times are microseconds since 1970 in UTC: exact everywhere."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
)
from sqlalchemy.types import UserDefinedType
from typing_extensions import override

metadata = MetaData()


class Bits(UserDefinedType[str]):
    """BIT VARYING of PostgreSQL; its own type would bring all of the dialect along."""

    cache_ok = True

    @override
    def get_col_spec(self, **_: object) -> str:
        """Return the type's name."""
        return "BIT VARYING"


def _partial(name: str, *columns: str, rows: str, unique: bool = False) -> Index:
    """Return an index of those rows alone: it stays small however many proofs are kept.

    The migrations make it so. Said in the words of each dialect, it would load both.
    """
    return Index(name, *columns, unique=unique, info={"rows": rows})


assets = Table(
    "assets",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("tenant", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("stem", Text, nullable=False),
    Column("iteration", Integer, nullable=False),
    Column("extension", String(16), nullable=False),
    Column("key", Text, nullable=False),
    Column("creative_id", Text, nullable=False),
    # Whether no other file of the creative with this extension has its iteration. Those from before
    # that was so, and what is derived, are not.
    Column("numbered", Boolean, nullable=False, server_default=false()),
    Column("request_id", Text, nullable=False),
    Column("fingerprint", String(64), nullable=False),
    Column("content_type", String(160), nullable=False),
    Column("placeholder", Boolean, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False),
    # Facets, labels, lineage and media as the caller sees them; searched is the full-text index
    # asset_words, which each dialect has in its own form.
    Column("document", JSON, nullable=False),
    Column("reuse_count", BigInteger, nullable=False),
    # Micro-USD: what was paid for it, and what using it again has saved.
    Column("cost_micros", BigInteger, nullable=False),
    Column("saving_micros", BigInteger, nullable=False),
    Column("legal_hold", Boolean, nullable=False),
    Column("parent_id", String(64), nullable=False),
    Column("role", String(32), nullable=False),
    Column("attempt", String(64), nullable=False),
    # What a file waits for in a spool ("": in none), why, and since when that is known.
    Column("spool", Text, nullable=False),
    Column("state_reason", Text, nullable=False, server_default=""),
    Column("reason_time", BigInteger, nullable=False, server_default="0"),
    Column("create_time", BigInteger, nullable=False),
    Column("update_time", BigInteger, nullable=False),
    Column("expire_time", BigInteger),
    Column("delete_time", BigInteger),
    Column("purge_time", BigInteger),
    # When the derived files were made; 0 where there are none to make.
    Column("derive_time", BigInteger),
    # What is made of it next, which roles were configured when it was last looked through, and why
    # which are not there.
    Column("derive_step", String(8), nullable=False, server_default="quick"),
    Column("derive_roles", Text, nullable=False, server_default=""),
    Column("missing", JSON),
    # Tries of what the worker does with it, and until when it is left alone: while one is at it,
    # or because one has failed.
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("try_after", BigInteger, nullable=False, server_default="0"),
    UniqueConstraint("key", name="assets_key"),
    UniqueConstraint("tenant", "request_id", name="assets_request"),
    Index("assets_page", "tenant", "state", "parent_id", "id"),
    Index("assets_creative", "tenant", "creative_id", "id"),
    Index("assets_content", "tenant", "sha256"),
    Index("assets_stem", "stem", "extension", "iteration"),
    Index("assets_role", "role", "state", "create_time"),
    _partial(
        "assets_number",
        *("tenant", "creative_id", "extension", "iteration"),
        rows="numbered",
        unique=True,
    ),
    _partial(
        "assets_underived",
        "derive_step",
        "tenant",
        "try_after",
        "id",
        rows="state = 'stored' AND derive_time IS NULL",
    ),
    _partial(
        "assets_due",
        "legal_hold",
        "expire_time",
        rows="state = 'stored' AND expire_time IS NOT NULL",
    ),
    _partial("assets_children", "parent_id", rows="parent_id <> ''"),
    _partial("assets_waiting", "tenant", "id", rows="spool <> ''"),
    _partial("assets_age", "state", "update_time", rows="purge_time IS NULL"),
)

# Keys that an upload had before another one; what lies there and is nobody's goes.
leftovers = Table(
    "asset_leftovers",
    metadata,
    Column("key", Text, primary_key=True),
    Column("asset_id", String(64), primary_key=True),
    Column("create_time", BigInteger, nullable=False),
    Index("asset_leftovers_age", "create_time"),
)

# What a tenant has, kept in the transaction that changes it, so that a quota cannot be overshot.
usage = Table(
    "tenant_usage",
    metadata,
    Column("tenant", String(64), primary_key=True),
    Column("size_bytes", BigInteger, nullable=False),
    Column("assets", BigInteger, nullable=False),
)

# Uses of STORED assets that others have told of, so that each counts once.
reuses = Table(
    "asset_reuses",
    metadata,
    Column("tenant", String(64), primary_key=True),
    Column("request_id", String(128), primary_key=True),
    Column("asset_id", String(64), nullable=False),
    Index("asset_reuses_asset", "asset_id"),
)

# What others are to be told over the bus; a row goes once the bus has it.
events = Table(
    "asset_events",
    metadata,
    Column("id", String(80), primary_key=True),
    Column("tenant", String(64), nullable=False),
    Column("asset_id", String(64), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("event_time", BigInteger, nullable=False),
    Index("asset_events_age", "event_time"),
)

# What searches by meaning compare first, of every STORED asset that is searched for: the signs of
# its vector, a bit each. ``embedder`` is empty while it waits for one; without ``signs`` it has
# none. Tries are those of giving it one.
meanings = Table(
    "asset_meanings",
    metadata,
    Column("asset_id", String(64), primary_key=True),
    Column("tenant", String(64), nullable=False),
    Column("embedder", Text, nullable=False, server_default=""),
    Column("dimensions", Integer, nullable=False, server_default="0"),
    Column("signs", LargeBinary().with_variant(Bits(), "postgresql")),
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("try_after", BigInteger, nullable=False, server_default="0"),
    _partial("asset_meanings_of", "embedder", "tenant", "asset_id", rows="embedder <> ''"),
    _partial("asset_meanings_waiting", "try_after", "asset_id", rows="embedder = ''"),
)

# The vectors themselves, in single precision. Apart, so that what is compared first lies
# close together; they go with it, whoever deletes it.
vectors = Table(
    "asset_vectors",
    metadata,
    Column(
        "asset_id",
        ForeignKey("asset_meanings.asset_id", ondelete="CASCADE"),
        primary_key=True,
    ),
    Column("vector", LargeBinary, nullable=False),
)
