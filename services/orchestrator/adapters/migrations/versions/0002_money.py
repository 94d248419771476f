"""Budgets, the ledger, and request ids of SetBudget."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_big = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_moment = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Create the tables of money."""
    op.create_table(
        "budgets",
        sa.Column("tenant", sa.Text, primary_key=True),
        sa.Column("scope", sa.String(16), primary_key=True),
        sa.Column("subject", sa.Text, primary_key=True),
        sa.Column("limit_micros", sa.BigInteger),
        sa.Column("held_micros", sa.BigInteger, nullable=False),
        sa.Column("spent_micros", sa.BigInteger, nullable=False),
        sa.Column("update_time", _moment),
        sa.CheckConstraint("held_micros >= 0 AND spent_micros >= 0", name="budgets_not_negative"),
    )
    op.create_table(
        "ledger_entries",
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
    )
    op.create_index("ledger_entries_of_tenant", "ledger_entries", ["tenant", "position"])
    op.create_index("ledger_entries_of_job", "ledger_entries", ["tenant", "job", "position"])
    op.create_table(
        "budget_requests",
        sa.Column("tenant", sa.Text, primary_key=True),
        sa.Column("request_id", sa.Text, primary_key=True),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("create_time", _moment, nullable=False),
    )


def downgrade() -> None:
    """Drop everything; for development."""
    for table in ("budget_requests", "ledger_entries", "budgets"):
        op.drop_table(table)
