"""Tenants' own keys at vendors, encrypted."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "vendor_keys",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("request_id", sa.String(200)),
        sa.Column("vendor", sa.String(64), nullable=False),
        sa.Column("fields", sa.String(500), nullable=False),
        sa.Column("label", sa.String(100), nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("create_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoke_time", sa.DateTime(timezone=True)),
        sa.UniqueConstraint("tenant", "request_id", name="vendor_keys_by_request"),
    )
    op.create_index("vendor_keys_of_tenant", "vendor_keys", ["tenant", "create_time"])


def downgrade() -> None:
    op.drop_table("vendor_keys")
