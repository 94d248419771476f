"""A full-text index instead of a row per term, and the events that others are told of."""

import sqlalchemy as sa
from alembic import op

from services.storage.adapters.word_index import token

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_BATCH = 1000
_TERMS = sa.text(
    "SELECT asset_terms.asset_id, asset_terms.tenant, axis, value FROM asset_terms "
    "JOIN assets ON assets.id = asset_terms.asset_id AND assets.parent_id = '' "
    "ORDER BY asset_terms.asset_id"
)


def upgrade() -> None:
    op.create_table(
        "asset_events",
        sa.Column("id", sa.String(80), primary_key=True),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("asset_id", sa.String(64), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("event_time", sa.BigInteger, nullable=False),
    )
    op.create_index("asset_events_age", "asset_events", ["event_time"])
    connection = op.get_bind()
    if connection.dialect.name == "sqlite":
        op.execute(
            "CREATE VIRTUAL TABLE asset_words USING fts5"
            "(tokens, asset_id UNINDEXED, detail=none, columnsize=0, tokenize='ascii')"
        )
        op.execute("CREATE VIRTUAL TABLE asset_words_vocabulary USING fts5vocab(asset_words, row)")
        insert = "INSERT INTO asset_words (tokens, asset_id) VALUES (:tokens, :asset_id)"
    else:
        op.execute(
            "CREATE TABLE asset_words (asset_id varchar(64) PRIMARY KEY, "
            "tenant varchar(64) NOT NULL, tokens tsvector NOT NULL)"
        )
        op.execute(
            "CREATE INDEX asset_words_tokens ON asset_words USING gin (tokens) "
            "WITH (gin_pending_list_limit = 256)"
        )
        op.execute("CREATE INDEX asset_words_page ON asset_words (tenant, asset_id)")
        insert = (
            "INSERT INTO asset_words (asset_id, tenant, tokens) VALUES "
            "(:asset_id, :tenant, array_to_tsvector(string_to_array(:tokens, ' ')))"
        )
    rows = list(_rows(connection))
    for start in range(0, len(rows), _BATCH):
        connection.execute(sa.text(insert), rows[start : start + _BATCH])
    op.drop_table("asset_terms")
    op.drop_index("assets_page", "assets")
    op.create_index("assets_page", "assets", ["tenant", "state", "parent_id", "id"])


def _rows(connection: sa.Connection) -> list[dict[str, str]]:
    """What is indexed of each asset, from the rows that were there for its words."""
    found: dict[str, dict[str, str]] = {}
    for asset_id, tenant, axis, value in connection.execute(_TERMS):
        whole = {"asset_id": asset_id, "tenant": tenant, "tokens": token(tenant, "id", asset_id)}
        row = found.setdefault(asset_id, whole)
        row["tokens"] += " " + token(tenant, axis, value)
    return list(found.values())


def downgrade() -> None:
    """Bring the rows back by which facets and labels are found; words are found no more."""
    op.drop_index("assets_page", "assets")
    op.create_index("assets_page", "assets", ["tenant", "state", "id"])
    terms = op.create_table(
        "asset_terms",
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("axis", sa.String(160), nullable=False),
        sa.Column("value", sa.String(160), nullable=False),
        sa.Column("asset_id", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "axis", "value", "asset_id"),
    )
    op.create_index("asset_terms_asset", "asset_terms", ["asset_id"])
    connection = op.get_bind()
    stored = sa.table("assets", *map(sa.column, ("id", "tenant", "state")), _document())
    wanted = sa.select(stored).where(stored.c.state == "stored")
    for identifier, tenant, _, document in connection.execute(wanted).all():
        rows = [
            {"tenant": tenant, "axis": axis, "value": value, "asset_id": identifier}
            for axis, value in _pairs(document)
        ]
        if rows:
            connection.execute(sa.insert(terms), rows)
    if connection.dialect.name == "sqlite":
        op.execute("DROP TABLE asset_words_vocabulary")
    for table in ("asset_words", "asset_events"):
        op.drop_table(table)


def _document() -> sa.ColumnClause[dict[str, dict[str, str | list[str]]]]:
    return sa.column("document", sa.JSON)


def _pairs(document: dict[str, dict[str, str | list[str]]]) -> set[tuple[str, str]]:
    """Every facet and label of a stored document."""
    found = {(f"label:{key}", str(value)) for key, value in document["labels"].items()}
    for axis, told in document["facets"].items():
        values = told if isinstance(told, list) else [told]
        found |= {(axis, value) for value in values if value}
    return found
