"""The intent ledger and its owners."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_Json = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
_Moment = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "generations",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("request_id", sa.String(200), nullable=False),
        sa.Column("request_hash", sa.String(64), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("owner", sa.String(128), nullable=False),
        sa.Column("model", sa.String(100), nullable=False),
        sa.Column("provider", sa.String(64), nullable=False),
        sa.Column("credential", sa.String(200), nullable=False),
        sa.Column("provider_job_id", sa.String(500), nullable=False),
        sa.Column("submissions", sa.Integer, nullable=False),
        sa.Column("cost_micros", sa.BigInteger),
        sa.Column("create_time", _Moment, nullable=False),
        sa.Column("submit_time", _Moment),
        sa.Column("end_time", _Moment),
        sa.Column("deadline", _Moment, nullable=False),
        sa.Column("facts", _Json, nullable=False),
        sa.Column("ordered", _Json),
        sa.UniqueConstraint("tenant", "request_id", name="generations_by_request"),
        sa.CheckConstraint("submissions in (0, 1)", name="generations_sent_once"),
    )
    # Only rows that somebody works on have an owner: the index is as small as the work in flight.
    op.create_index(
        "generations_owned",
        "generations",
        ["owner"],
        sqlite_where=sa.text("owner <> ''"),
        postgresql_where=sa.text("owner <> ''"),
    )
    op.create_index(
        "generations_under_way",
        "generations",
        ["provider", "credential"],
        sqlite_where=sa.text("owner <> ''"),
        postgresql_where=sa.text("owner <> ''"),
    )
    op.create_index("generations_by_vendor", "generations", ["provider", "provider_job_id"])
    op.create_table(
        "owners",
        sa.Column("id", sa.String(128), primary_key=True),
        sa.Column("heartbeat", _Moment, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("owners")
    op.drop_table("generations")
