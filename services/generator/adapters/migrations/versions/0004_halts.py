"""Providers to which nothing is sent until an operator has looked."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "halts",
        sa.Column("provider", sa.String(64), primary_key=True),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("time", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("generations_sent", "generations", ["provider", "submit_time"])


def downgrade() -> None:
    op.drop_index("generations_sent", "generations")
    op.drop_table("halts")
