"""Edits of pictures, and every version of a character's sheet; those that are there are first."""

import hashlib
from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None
_moment = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Create the tables, and keep the sheets that there are as first versions."""
    _create_edits()
    versions = op.create_table(
        "character_versions",
        sa.Column("tenant", sa.Text, primary_key=True),
        sa.Column("id", sa.String(26), primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("reference", sa.Text, nullable=False),
        sa.Column("sha256", sa.Text, nullable=False),
        sa.Column("edit", sa.Text, nullable=False),
        sa.Column("create_time", _moment, nullable=False),
    )
    kept = ("tenant", "name", "description", "reference", "sha256")
    sheets = sa.table("character_sheets", *map(sa.column, kept))
    rows = op.get_bind().execute(sa.select(*(sheets.c[name] for name in kept))).mappings().all()
    told = {"version": 1, "edit": "", "create_time": datetime.now(UTC)}
    first = [{**row, **told, "id": _id(row["name"])} for row in rows]
    if first:
        op.bulk_insert(versions, first)


def _create_edits() -> None:
    op.create_table(
        "image_edits",
        sa.Column("id", sa.String(26), primary_key=True),
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("request_id", sa.Text),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("create_time", _moment, nullable=False),
        sa.Column("end_time", _moment),
        sa.Column("document", sa.LargeBinary, nullable=False),
        sa.UniqueConstraint("tenant", "request_id", name="image_edits_by_request"),
    )
    op.create_index("image_edits_of_tenant", "image_edits", ["tenant", "id"])
    op.create_index("image_edits_unfinished", "image_edits", ["tenant", "end_time"])


def _id(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:26]


def downgrade() -> None:
    """Drop the tables; for development."""
    op.drop_table("character_versions")
    op.drop_table("image_edits")
