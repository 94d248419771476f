"""Derived files are found by what they are for and by their age."""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("assets_role", "assets", ["role", "state", "create_time"])


def downgrade() -> None:
    op.drop_index("assets_role", "assets")
