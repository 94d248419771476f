"""Comparisons of models and the ratings of their clips."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0006"
branch_labels = None
depends_on = None

_moment = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Create the tables of comparisons."""
    op.create_table(
        "comparisons",
        sa.Column("id", sa.String(26), primary_key=True),
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("jobs", sa.Text, nullable=False),
        sa.Column("create_time", _moment, nullable=False),
    )
    op.create_index("comparisons_of_tenant", "comparisons", ["tenant", "id"])
    op.create_table(
        "comparison_ratings",
        sa.Column("tenant", sa.Text, primary_key=True),
        sa.Column("comparison", sa.String(26), primary_key=True),
        sa.Column("api_key", sa.Text, primary_key=True),
        sa.Column("arm", sa.String(1), primary_key=True),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("score", sa.Integer, nullable=False),
        sa.Column("create_time", _moment, nullable=False),
        sa.CheckConstraint("score BETWEEN 1 AND 5", name="comparison_ratings_in_range"),
    )
    op.create_index("comparison_ratings_of_model", "comparison_ratings", ["tenant", "model"])


def downgrade() -> None:
    """Drop the tables of comparisons; for development."""
    for table in ("comparison_ratings", "comparisons"):
        op.drop_table(table)
