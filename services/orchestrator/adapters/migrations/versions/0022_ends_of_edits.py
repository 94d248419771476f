"""When each edit ended, where the table of edits was made before that was a column of its own.

Revision 0012 has made the column since; a database that had run it before is without.
"""

import json
from datetime import datetime

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0020"
branch_labels = None
depends_on = None
_edits = sa.table(
    "image_edits",
    sa.column("id", sa.String(26)),
    sa.column("end_time", sa.DateTime(timezone=True)),
    sa.column("document", sa.LargeBinary),
)


def upgrade() -> None:
    """Add the column and its index, and fill it from the edits' documents."""
    present = sa.inspect(op.get_bind()).get_columns("image_edits")
    if "end_time" not in {column["name"] for column in present}:
        op.add_column("image_edits", sa.Column("end_time", sa.DateTime(timezone=True)))
        _fill()
    op.create_index(
        "image_edits_unfinished", "image_edits", ["tenant", "end_time"], if_not_exists=True
    )


def _fill() -> None:
    connection = op.get_bind()
    for row in connection.execute(sa.select(_edits.c.id, _edits.c.document)).all():
        ended = json.loads(row.document).get("end_time")
        if ended:
            mine = sa.update(_edits).where(_edits.c.id == row.id)
            connection.execute(mine.values(end_time=datetime.fromisoformat(ended)))


def downgrade() -> None:
    """Do nothing: the column belongs to the table as 0012 makes it."""
