"""What a film cost is looked up in the ledger by the film.

Nothing is written to the ledger while PostgreSQL builds the index. Where that is large, an operator
builds it before, `CONCURRENTLY` (docs/operations.md): it is then found and left as it is.
"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the index."""
    op.create_index(
        "ledger_entries_of_film",
        "ledger_entries",
        ["tenant", "film"],
        sqlite_where=sa.text("film <> ''"),
        postgresql_where=sa.text("film <> ''"),
        if_not_exists=True,
    )


def downgrade() -> None:
    """Drop the index; for development."""
    op.drop_index("ledger_entries_of_film", "ledger_entries")
