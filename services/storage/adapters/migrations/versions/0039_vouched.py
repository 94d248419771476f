"""What waits in a spool was seen as this release began: none before it has said so again."""

import time

import sqlalchemy as sa
from alembic import op

revision = "0039"
down_revision = "0037"
branch_labels = None
depends_on = None

DATA_ALONE = True
_SEEN = sa.text("UPDATE assets SET update_time = :now WHERE state = 'writing' AND spool <> ''")


def upgrade() -> None:
    op.get_bind().execute(_SEEN, {"now": time.time_ns() // 1000})


def downgrade() -> None:
    """Nothing was changed that an older release reads in another way."""
