"""Tables of edits of pictures, and of the versions of characters' sheets."""

import sqlalchemy as sa

from services.orchestrator.adapters.film_tables import metadata

_moment = sa.DateTime(timezone=True)

image_edits = sa.Table(
    "image_edits",
    metadata,
    sa.Column("id", sa.String(26), primary_key=True),
    sa.Column("tenant", sa.Text, nullable=False),
    # NULL where the caller gave none: any number of edits may have none.
    sa.Column("request_id", sa.Text),
    sa.Column("fingerprint", sa.String(64), nullable=False),
    sa.Column("create_time", _moment, nullable=False),
    # NULL until it has ended; the document says so too, and is not counted by.
    sa.Column("end_time", _moment),
    sa.Column("document", sa.LargeBinary, nullable=False),
    sa.UniqueConstraint("tenant", "request_id", name="image_edits_by_request"),
    sa.Index("image_edits_of_tenant", "tenant", "id"),
    sa.Index("image_edits_unfinished", "tenant", "end_time"),
)

character_versions = sa.Table(
    "character_versions",
    metadata,
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
