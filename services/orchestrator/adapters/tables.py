"""The orchestrator's tables. A job is one document beside the columns that are searched."""

import sqlalchemy as sa

metadata = sa.MetaData()
_big = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_moment = sa.DateTime(timezone=True)

jobs = sa.Table(
    "jobs",
    metadata,
    sa.Column("id", sa.String(26), primary_key=True),
    sa.Column("tenant", sa.Text, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("creative_id", sa.Text, nullable=False),
    sa.Column("project", sa.Text, nullable=False),
    sa.Column("sequence", sa.Integer, nullable=False),
    sa.Column("create_time", _moment, nullable=False),
    sa.Column("end_time", _moment),
    sa.Column("document", sa.LargeBinary, nullable=False),
    sa.Index("jobs_of_tenant", "tenant", "id"),
    sa.Index("jobs_of_creative", "tenant", "creative_id", "id"),
    sa.Index("jobs_of_project", "tenant", "project", "id"),
    sa.Index(
        "jobs_unfinished",
        "tenant",
        sqlite_where=sa.text("end_time IS NULL"),
        postgresql_where=sa.text("end_time IS NULL"),
    ),
)

# What a request_id stands for, for a day.
requests = sa.Table(
    "requests",
    metadata,
    sa.Column("tenant", sa.Text, primary_key=True),
    sa.Column("request_id", sa.Text, primary_key=True),
    sa.Column("fingerprint", sa.String(64), nullable=False),
    sa.Column("job_id", sa.String(26), nullable=False),
    sa.Column("create_time", _moment, nullable=False),
)

# Every change of a job: the outbox of the event bus, and what a returning watcher is served from.
job_events = sa.Table(
    "job_events",
    metadata,
    sa.Column("position", _big, primary_key=True, autoincrement=True),
    sa.Column("job_id", sa.String(26), nullable=False),
    sa.Column("sequence", sa.Integer, nullable=False),
    sa.Column("kind", sa.String(32), nullable=False),
    sa.Column("document", sa.LargeBinary, nullable=False),
    sa.Column("create_time", _moment, nullable=False),
    sa.Column("published", sa.Boolean, nullable=False, default=False),
    sa.UniqueConstraint("job_id", "sequence", name="job_events_in_order"),
    sa.Index(
        "job_events_to_publish",
        "position",
        sqlite_where=sa.text("published = 0"),
        postgresql_where=sa.text("NOT published"),
    ),
)

# One row per living worker; a worker whose lease has run out is dead and its jobs are taken over.
leases = sa.Table(
    "leases",
    metadata,
    sa.Column("executor", sa.Text, primary_key=True),
    sa.Column("expires", _moment, nullable=False),
)
