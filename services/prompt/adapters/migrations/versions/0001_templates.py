"""Prompt templates, one row for each version."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "templates",
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("display_name", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("defaults", sa.JSON, nullable=False),
        sa.Column("create_time", sa.BigInteger, nullable=False),
        sa.Column("request_id", sa.String(128)),
        sa.PrimaryKeyConstraint("tenant", "id", "version"),
        sa.UniqueConstraint("tenant", "request_id", name="templates_request"),
    )


def downgrade() -> None:
    op.drop_table("templates")
