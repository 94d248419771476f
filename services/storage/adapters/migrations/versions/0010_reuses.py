"""What was paid for each asset and what using it again has saved; uses that count once each."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0002"
branch_labels = None
depends_on = None

_COST = {
    "sqlite": "UPDATE assets SET cost_micros = "
    "coalesce(json_extract(document, '$.lineage.cost_micros'), 0)",
    "postgresql": "UPDATE assets SET cost_micros = "
    "coalesce(CAST(document -> 'lineage' ->> 'cost_micros' AS bigint), 0)",
}


def upgrade() -> None:
    for name in ("cost_micros", "saving_micros"):
        column = sa.Column(name, sa.BigInteger, nullable=False, server_default="0")
        op.add_column("assets", column)
    op.execute(_COST[op.get_bind().dialect.name])
    op.execute("UPDATE assets SET saving_micros = cost_micros * reuse_count")
    op.create_table(
        "asset_reuses",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("request_id", sa.String(128), primary_key=True),
        sa.Column("asset_id", sa.String(64), nullable=False),
    )
    op.create_index("asset_reuses_asset", "asset_reuses", ["asset_id"])


def downgrade() -> None:
    op.drop_table("asset_reuses")
    for name in ("saving_micros", "cost_micros"):
        op.drop_column("assets", name)
