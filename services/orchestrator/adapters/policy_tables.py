"""Tables of routing: what tenants and keys prefer, and how models have done."""

import sqlalchemy as sa

from services.orchestrator.adapters.tables import metadata

_moment = sa.DateTime(timezone=True)

# `api_key` "" is the tenant's own policy, else the preferences of one key.
policies = sa.Table(
    "policies",
    metadata,
    sa.Column("tenant", sa.Text, primary_key=True),
    sa.Column("api_key", sa.Text, primary_key=True),
    sa.Column("document", sa.LargeBinary, nullable=False),
    sa.Column("update_time", _moment, nullable=False),
)

# The newest samples of each model, bounded, as one document.
model_records = sa.Table(
    "model_records",
    metadata,
    sa.Column("model", sa.Text, primary_key=True),
    sa.Column("samples", sa.LargeBinary, nullable=False),
    sa.Column("update_time", _moment, nullable=False),
)
