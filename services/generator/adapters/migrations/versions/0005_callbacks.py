"""Callbacks of vendors that were received."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "callbacks",
        sa.Column("generation", sa.String(64), primary_key=True),
        sa.Column("message", sa.String(200), primary_key=True),
        sa.Column("job", sa.String(500), nullable=False),
        sa.Column("receive_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("told", sa.Boolean, nullable=False),
    )
    # What the driver of the generation has not heard of yet: a handful of rows at any time.
    op.create_index(
        "callbacks_news",
        "callbacks",
        ["generation"],
        sqlite_where=sa.text("not told"),
        postgresql_where=sa.text("not told"),
    )
    op.create_index("callbacks_by_age", "callbacks", ["receive_time"])


def downgrade() -> None:
    op.drop_table("callbacks")
