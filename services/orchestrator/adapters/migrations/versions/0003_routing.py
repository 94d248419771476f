"""Policies of tenants, preferences of keys, and how models have done."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_moment = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Create the tables of routing."""
    op.create_table(
        "policies",
        sa.Column("tenant", sa.Text, primary_key=True),
        sa.Column("api_key", sa.Text, primary_key=True),
        sa.Column("document", sa.LargeBinary, nullable=False),
        sa.Column("update_time", _moment, nullable=False),
    )
    op.create_table(
        "model_records",
        sa.Column("model", sa.Text, primary_key=True),
        sa.Column("samples", sa.LargeBinary, nullable=False),
        sa.Column("update_time", _moment, nullable=False),
    )

    op.create_index(
        "jobs_unfinished",
        "jobs",
        ["tenant"],
        sqlite_where=sa.text("end_time IS NULL"),
        postgresql_where=sa.text("end_time IS NULL"),
    )
    op.add_column(
        "budgets", sa.Column("alerted_percent", sa.Integer, nullable=False, server_default="0")
    )
    op.create_index(
        "budgets_with_limit",
        "budgets",
        ["tenant", "scope", "subject"],
        sqlite_where=sa.text("limit_micros IS NOT NULL AND scope <> 'job'"),
        postgresql_where=sa.text("limit_micros IS NOT NULL AND scope <> 'job'"),
    )


def downgrade() -> None:
    """Drop everything; for development."""
    op.drop_index("budgets_with_limit")
    op.drop_column("budgets", "alerted_percent")
    op.drop_index("jobs_unfinished")
    for table in ("model_records", "policies"):
        op.drop_table(table)
