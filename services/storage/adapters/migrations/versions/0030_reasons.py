"""Why an asset is in its state, and since when that is known: what a file in a spool waits for."""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    text = sa.Column("state_reason", sa.Text, nullable=False, server_default="")
    since = sa.Column("reason_time", sa.BigInteger, nullable=False, server_default="0")
    for column in (text, since):
        op.add_column("assets", column)


def downgrade() -> None:
    for name in ("reason_time", "state_reason"):
        op.drop_column("assets", name)
