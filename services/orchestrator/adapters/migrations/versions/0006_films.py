"""Films, how they were made, and the voices of their characters."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0004"
branch_labels = None
depends_on = None

_big = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_moment = sa.DateTime(timezone=True)
_UNPUBLISHED = sa.text("published < sequence")


def upgrade() -> None:
    """Create the tables of films."""
    op.create_table(
        "films",
        sa.Column("id", sa.String(26), primary_key=True),
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("request_id", sa.Text),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("creative_id", sa.Text, nullable=False),
        sa.Column("sequence", sa.Integer, nullable=False),
        sa.Column("published", sa.Integer, nullable=False),
        sa.Column("create_time", _moment, nullable=False),
        sa.Column("update_time", _moment, nullable=False),
        sa.Column("end_time", _moment),
        sa.Column("plan", sa.LargeBinary, nullable=False),
        sa.Column("status", sa.LargeBinary, nullable=False),
        sa.UniqueConstraint("tenant", "request_id", name="films_by_request"),
    )
    op.create_index("films_of_tenant", "films", ["tenant", "id"])
    op.create_index(
        "films_to_publish",
        "films",
        ["update_time"],
        sqlite_where=_UNPUBLISHED,
        postgresql_where=_UNPUBLISHED,
    )
    op.create_table(
        "strategy_runs",
        sa.Column("position", _big, primary_key=True, autoincrement=True),
        sa.Column("film_run", sa.Text, nullable=False, unique=True),
        sa.Column("strategy", sa.String(16), nullable=False),
        sa.Column("execution_seconds", sa.Float, nullable=False),
        sa.Column("succeeded", sa.Boolean, nullable=False),
        sa.Column("quality_score", sa.Float, nullable=False),
    )
    op.create_index("strategy_runs_of_strategy", "strategy_runs", ["strategy", "position"])
    op.create_table(
        "voices",
        sa.Column("tenant", sa.Text, primary_key=True),
        sa.Column("model", sa.Text, primary_key=True),
        sa.Column("character", sa.Text, primary_key=True),
        sa.Column("voice", sa.Text, nullable=False),
    )


def downgrade() -> None:
    """Drop the tables of films; for development."""
    for table in ("voices", "strategy_runs", "films"):
        op.drop_table(table)
