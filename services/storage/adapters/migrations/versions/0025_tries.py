"""Tries of work that may fail, counted where a crash does not lose them; small indexes for chores.

The worker's questions read indexes of what they ask about alone, and not of every proof of a
deletion that was ever kept.
"""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0011"
branch_labels = None
depends_on = None

# Name: columns, and which rows are in it.
_NEW = {
    "assets_underived": (["try_after", "id"], "state = 'stored' AND derive_time IS NULL"),
    "assets_due": (["legal_hold", "expire_time"], "state = 'stored' AND expire_time IS NOT NULL"),
    "assets_age": (["state", "update_time"], "purge_time IS NULL"),
}
_OLD = {
    "assets_underived": ["derive_time", "id"],
    "assets_expiry": ["expire_time"],
    "assets_age": ["state", "update_time"],
}


def upgrade() -> None:
    for name, kind in (("tries", sa.Integer), ("try_after", sa.BigInteger)):
        op.add_column("assets", sa.Column(name, kind, nullable=False, server_default="0"))
    for name in _OLD:
        op.drop_index(name, "assets")
    for name, (columns, rows) in _NEW.items():
        where = sa.text(rows)
        op.create_index(name, "assets", columns, postgresql_where=where, sqlite_where=where)


def downgrade() -> None:
    for name in _NEW:
        op.drop_index(name, "assets")
    for name, columns in _OLD.items():
        op.create_index(name, "assets", columns)
    for name in ("try_after", "tries"):
        op.drop_column("assets", name)
