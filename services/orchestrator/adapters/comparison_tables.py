"""Tables of comparisons: which jobs belong together, and what was said of them."""

import sqlalchemy as sa

from services.orchestrator.adapters.tables import metadata

_moment = sa.DateTime(timezone=True)

comparisons = sa.Table(
    "comparisons",
    metadata,
    sa.Column("id", sa.String(26), primary_key=True),
    sa.Column("tenant", sa.Text, nullable=False),
    sa.Column("jobs", sa.Text, nullable=False),
    sa.Column("create_time", _moment, nullable=False),
    sa.Index("comparisons_of_tenant", "tenant", "id"),
)

comparison_ratings = sa.Table(
    "comparison_ratings",
    metadata,
    sa.Column("tenant", sa.Text, primary_key=True),
    sa.Column("comparison", sa.String(26), primary_key=True),
    sa.Column("api_key", sa.Text, primary_key=True),
    sa.Column("arm", sa.String(1), primary_key=True),
    sa.Column("model", sa.Text, nullable=False),
    sa.Column("score", sa.Integer, nullable=False),
    sa.Column("create_time", _moment, nullable=False),
    sa.CheckConstraint("score BETWEEN 1 AND 5", name="comparison_ratings_in_range"),
    sa.Index("comparison_ratings_of_model", "tenant", "model"),
)
