"""Assets, their searchable terms, and the usage of tenants."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "assets",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("stem", sa.Text, nullable=False),
        sa.Column("iteration", sa.Integer, nullable=False),
        sa.Column("extension", sa.String(16), nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("creative_id", sa.Text, nullable=False),
        sa.Column("request_id", sa.Text, nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("content_type", sa.String(160), nullable=False),
        sa.Column("placeholder", sa.Boolean, nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("document", sa.JSON, nullable=False),
        sa.Column("reuse_count", sa.BigInteger, nullable=False),
        sa.Column("legal_hold", sa.Boolean, nullable=False),
        sa.Column("parent_id", sa.String(64), nullable=False),
        sa.Column("role", sa.String(32), nullable=False),
        sa.Column("attempt", sa.String(64), nullable=False),
        sa.Column("spool", sa.Text, nullable=False),
        sa.Column("create_time", sa.BigInteger, nullable=False),
        sa.Column("update_time", sa.BigInteger, nullable=False),
        sa.Column("expire_time", sa.BigInteger),
        sa.Column("delete_time", sa.BigInteger),
        sa.Column("purge_time", sa.BigInteger),
        sa.Column("derive_time", sa.BigInteger),
        sa.UniqueConstraint("key", name="assets_key"),
        sa.UniqueConstraint("tenant", "request_id", name="assets_request"),
    )
    op.create_index("assets_page", "assets", ["tenant", "state", "id"])
    op.create_index("assets_creative", "assets", ["tenant", "creative_id", "id"])
    op.create_index("assets_content", "assets", ["tenant", "sha256"])
    op.create_index("assets_stem", "assets", ["stem", "extension", "iteration"])
    op.create_index("assets_parent", "assets", ["parent_id"])
    op.create_index("assets_expiry", "assets", ["expire_time"])
    op.create_index("assets_underived", "assets", ["derive_time", "id"])
    op.create_index("assets_age", "assets", ["state", "update_time"])
    op.create_table(
        "asset_terms",
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("axis", sa.String(160), nullable=False),
        sa.Column("value", sa.String(160), nullable=False),
        sa.Column("asset_id", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "axis", "value", "asset_id"),
    )
    op.create_index("asset_terms_asset", "asset_terms", ["asset_id"])
    op.create_table(
        "tenant_usage",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("assets", sa.BigInteger, nullable=False),
    )


def downgrade() -> None:
    for table in ("tenant_usage", "asset_terms", "assets"):
        op.drop_table(table)
