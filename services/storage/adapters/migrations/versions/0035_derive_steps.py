"""What is derived goes in two steps, by turns between tenants; what is not there says why."""

import sqlalchemy as sa
from alembic import op

revision = "0035"
down_revision = "0031"
branch_labels = None
depends_on = None

_WAITS = sa.text("state = 'stored' AND derive_time IS NULL")
_INDEX = "assets_underived"


def upgrade() -> None:
    step = sa.Column("derive_step", sa.String(8), nullable=False, server_default="quick")
    op.add_column("assets", step)
    roles = sa.Column("derive_roles", sa.Text, nullable=False, server_default="")
    op.add_column("assets", roles)
    op.add_column("assets", sa.Column("missing", sa.JSON))
    _index_by("derive_step", "tenant", "try_after", "id")


def downgrade() -> None:
    _index_by("try_after", "id")
    for name in ("missing", "derive_roles", "derive_step"):
        op.drop_column("assets", name)


def _index_by(*columns: str) -> None:
    op.drop_index(_INDEX, "assets")
    op.create_index(_INDEX, "assets", list(columns), postgresql_where=_WAITS, sqlite_where=_WAITS)
