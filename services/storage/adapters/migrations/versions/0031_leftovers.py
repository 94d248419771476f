"""Keys under which an upload may have left an object that its record no longer has."""

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "asset_leftovers",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("asset_id", sa.String(64), primary_key=True),
        sa.Column("create_time", sa.BigInteger, nullable=False),
    )
    op.create_index("asset_leftovers_age", "asset_leftovers", ["create_time"])


def downgrade() -> None:
    op.drop_table("asset_leftovers")
