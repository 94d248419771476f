"""Iterations count within a creative, not within a second of it."""

import sqlalchemy as sa
from alembic import op

revision = "0043"
down_revision = "0042"
branch_labels = None
depends_on = None

_INDEX = "assets_number"
_COLUMNS = ["tenant", "creative_id", "extension", "iteration"]


def upgrade() -> None:
    numbered = sa.Column("numbered", sa.Boolean, nullable=False, server_default=sa.false())
    op.add_column("assets", numbered)
    # Of several that have an iteration the newest keeps it; keys stay as they are.
    op.execute(
        "UPDATE assets SET numbered = true WHERE id IN ("
        "SELECT max(id) FROM assets WHERE parent_id = '' AND creative_id <> '' "
        "GROUP BY tenant, creative_id, extension, iteration)"
    )
    rows = sa.text("numbered")
    op.create_index(
        _INDEX, "assets", _COLUMNS, unique=True, postgresql_where=rows, sqlite_where=rows
    )


def downgrade() -> None:
    op.drop_index(_INDEX, "assets")
    op.drop_column("assets", "numbered")
