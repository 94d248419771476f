"""Small indexes of the few: files that have a parent, and what waits in a spool."""

import sqlalchemy as sa
from alembic import op

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None

# Name: columns, and which rows are in it.
_NEW = {
    "assets_children": (["parent_id"], "parent_id <> ''"),
    "assets_waiting": (["tenant", "id"], "spool <> ''"),
}


def upgrade() -> None:
    for name, (columns, rows) in _NEW.items():
        where = sa.text(rows)
        op.create_index(name, "assets", columns, postgresql_where=where, sqlite_where=where)
    op.drop_index("assets_parent", "assets")


def downgrade() -> None:
    op.create_index("assets_parent", "assets", ["parent_id"])
    for name in _NEW:
        op.drop_index(name, "assets")
