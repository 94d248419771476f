"""Savings stop at what fits: on SQLite one too large had become a float, which nobody reads."""

import sqlalchemy as sa
from alembic import op

revision = "0042"
down_revision = "0039"
branch_labels = None
depends_on = None

DATA_ALONE = True
_MOST = 90_000_000_000_000_000
_assets = sa.table("assets", sa.column("saving_micros", sa.BigInteger))


def upgrade() -> None:
    most = sa.literal(_MOST, sa.BigInteger)
    too_much = _assets.c.saving_micros > most
    op.execute(_assets.update().where(too_much).values(saving_micros=most))


def downgrade() -> None:
    """Leave what was counted as it is: there is no more to it."""
