"""Tables of money: what each scope holds and has spent, and every movement that led there."""

import sqlalchemy as sa

from services.orchestrator.adapters.tables import metadata

_big = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_moment = sa.DateTime(timezone=True)

# A row for every scope that money was held for, with or without a limit: a limit that is set later
# finds what was spent before.
budgets = sa.Table(
    "budgets",
    metadata,
    sa.Column("tenant", sa.Text, primary_key=True),
    sa.Column("scope", sa.String(16), primary_key=True),
    sa.Column("subject", sa.Text, primary_key=True),
    sa.Column("limit_micros", sa.BigInteger),
    sa.Column("held_micros", sa.BigInteger, nullable=False, default=0),
    sa.Column("spent_micros", sa.BigInteger, nullable=False, default=0),
    sa.Column("update_time", _moment),
    # The highest share of the limit that was told, see `usecases.alerts`.
    sa.Column("alerted_percent", sa.Integer, nullable=False, default=0, server_default="0"),
    sa.CheckConstraint("held_micros >= 0 AND spent_micros >= 0", name="budgets_not_negative"),
    sa.Index(
        "budgets_with_limit",
        "tenant",
        "scope",
        "subject",
        sqlite_where=sa.text("limit_micros IS NOT NULL AND scope <> 'job'"),
        postgresql_where=sa.text("limit_micros IS NOT NULL AND scope <> 'job'"),
    ),
)

# Only ever inserted into. `part` counts movements of one kind for one attempt from 0.
ledger_entries = sa.Table(
    "ledger_entries",
    metadata,
    sa.Column("position", _big, primary_key=True, autoincrement=True),
    sa.Column("tenant", sa.Text, nullable=False),
    sa.Column("attempt", sa.Text, nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("part", sa.Integer, nullable=False),
    sa.Column("amount_micros", sa.BigInteger, nullable=False),
    sa.Column("job", sa.String(64), nullable=False),
    sa.Column("model", sa.Text, nullable=False),
    sa.Column("provider", sa.Text, nullable=False),
    sa.Column("project", sa.Text, nullable=False),
    sa.Column("creative", sa.Text, nullable=False),
    sa.Column("film", sa.Text, nullable=False),
    sa.Column("api_key", sa.Text, nullable=False),
    sa.Column("month", sa.String(7), nullable=False),
    sa.Column("create_time", _moment, nullable=False),
    sa.UniqueConstraint("tenant", "attempt", "kind", "part", name="ledger_entries_once"),
    sa.CheckConstraint("amount_micros >= 0", name="ledger_entries_not_negative"),
    sa.Index("ledger_entries_of_tenant", "tenant", "position"),
    sa.Index("ledger_entries_of_job", "tenant", "job", "position"),
    sa.Index(
        "ledger_entries_of_film",
        "tenant",
        "film",
        sqlite_where=sa.text("film <> ''"),
        postgresql_where=sa.text("film <> ''"),
    ),
)

# What a request_id of SetBudget stands for, for a day.
budget_requests = sa.Table(
    "budget_requests",
    metadata,
    sa.Column("tenant", sa.Text, primary_key=True),
    sa.Column("request_id", sa.Text, primary_key=True),
    sa.Column("fingerprint", sa.String(64), nullable=False),
    sa.Column("create_time", _moment, nullable=False),
)
