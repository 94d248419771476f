"""Jobs, their events, request ids and leases."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_big = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_moment = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Create the tables of the first version."""
    op.create_table(
        "jobs",
        sa.Column("id", sa.String(26), primary_key=True),
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("creative_id", sa.Text, nullable=False),
        sa.Column("project", sa.Text, nullable=False),
        sa.Column("sequence", sa.Integer, nullable=False),
        sa.Column("create_time", _moment, nullable=False),
        sa.Column("end_time", _moment),
        sa.Column("document", sa.LargeBinary, nullable=False),
    )
    op.create_index("jobs_of_tenant", "jobs", ["tenant", "id"])
    op.create_index("jobs_of_creative", "jobs", ["tenant", "creative_id", "id"])
    op.create_index("jobs_of_project", "jobs", ["tenant", "project", "id"])
    op.create_table(
        "requests",
        sa.Column("tenant", sa.Text, primary_key=True),
        sa.Column("request_id", sa.Text, primary_key=True),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("job_id", sa.String(26), nullable=False),
        sa.Column("create_time", _moment, nullable=False),
    )
    op.create_table(
        "job_events",
        sa.Column("position", _big, primary_key=True, autoincrement=True),
        sa.Column("job_id", sa.String(26), nullable=False),
        sa.Column("sequence", sa.Integer, nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("document", sa.LargeBinary, nullable=False),
        sa.Column("create_time", _moment, nullable=False),
        sa.Column("published", sa.Boolean, nullable=False),
        sa.UniqueConstraint("job_id", "sequence", name="job_events_in_order"),
    )
    op.create_index(
        "job_events_to_publish",
        "job_events",
        ["position"],
        sqlite_where=sa.text("published = 0"),
        postgresql_where=sa.text("NOT published"),
    )
    op.create_table(
        "leases",
        sa.Column("executor", sa.Text, primary_key=True),
        sa.Column("expires", _moment, nullable=False),
    )


def downgrade() -> None:
    """Drop everything; for development."""
    for table in ("leases", "job_events", "requests", "jobs"):
        op.drop_table(table)
