"""Tables of films. What was asked for lies beside what becomes of it, because it hardly changes."""

import sqlalchemy as sa

metadata = sa.MetaData()
_big = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_moment = sa.DateTime(timezone=True)

films = sa.Table(
    "films",
    metadata,
    sa.Column("id", sa.String(26), primary_key=True),
    sa.Column("tenant", sa.Text, nullable=False),
    # NULL where the caller gave none: any number of films may have none.
    sa.Column("request_id", sa.Text),
    sa.Column("fingerprint", sa.String(64), nullable=False),
    sa.Column("state", sa.String(20), nullable=False),
    sa.Column("creative_id", sa.Text, nullable=False),
    sa.Column("sequence", sa.Integer, nullable=False),
    # The newest sequence that the event bus has; an outbox of one row, because a film tells all.
    sa.Column("published", sa.Integer, nullable=False),
    sa.Column("create_time", _moment, nullable=False),
    sa.Column("update_time", _moment, nullable=False),
    sa.Column("end_time", _moment),
    sa.Column("plan", sa.LargeBinary, nullable=False),
    sa.Column("status", sa.LargeBinary, nullable=False),
    sa.UniqueConstraint("tenant", "request_id", name="films_by_request"),
    sa.Index("films_of_tenant", "tenant", "id"),
    sa.Index(
        "films_to_publish",
        "update_time",
        sqlite_where=sa.text("published < sequence"),
        postgresql_where=sa.text("published < sequence"),
    ),
)

strategy_runs = sa.Table(
    "strategy_runs",
    metadata,
    sa.Column("position", _big, primary_key=True, autoincrement=True),
    sa.Column("film_run", sa.Text, nullable=False, unique=True),
    sa.Column("strategy", sa.String(16), nullable=False),
    sa.Column("execution_seconds", sa.Float, nullable=False),
    sa.Column("succeeded", sa.Boolean, nullable=False),
    sa.Column("quality_score", sa.Float, nullable=False),
    sa.Index("strategy_runs_of_strategy", "strategy", "position"),
)

voices = sa.Table(
    "voices",
    metadata,
    sa.Column("tenant", sa.Text, primary_key=True),
    sa.Column("model", sa.Text, primary_key=True),
    sa.Column("character", sa.Text, primary_key=True),
    sa.Column("voice", sa.Text, nullable=False),
)

character_sheets = sa.Table(
    "character_sheets",
    metadata,
    sa.Column("tenant", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("description", sa.Text, nullable=False),
    sa.Column("reference", sa.Text, nullable=False),
    sa.Column("sha256", sa.Text, nullable=False),
)
