"""The ledger's tables, and generations as rows.

What is searched for has a column; the remaining facts of a generation are one JSON value.
"""

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from typing_extensions import override

from services.generator.domain.facts import Cost, Failure, Identity, Output
from services.generator.domain.generation import Generation, State
from services.generator.domain.orders import order_from_json
from services.generator.domain.ports import Entry
from services.generator.domain.records import from_record, to_record


class Moment(sa.types.TypeDecorator[datetime]):
    """An aware UTC datetime; SQLite keeps it without its zone."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    @override
    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """Give SQLite's values their zone back."""
        return value if value is None or value.tzinfo else value.replace(tzinfo=UTC)


_Json = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
METADATA = sa.MetaData()
GENERATIONS = sa.Table(
    "generations",
    METADATA,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("tenant", sa.String(64), nullable=False),
    sa.Column("request_id", sa.String(200), nullable=False),
    sa.Column("request_hash", sa.String(64), nullable=False),
    sa.Column("state", sa.String(20), nullable=False),
    sa.Column("sequence", sa.BigInteger, nullable=False),
    sa.Column("owner", sa.String(128), nullable=False),
    sa.Column("model", sa.String(100), nullable=False),
    sa.Column("provider", sa.String(64), nullable=False),
    sa.Column("credential", sa.String(200), nullable=False),
    sa.Column("provider_job_id", sa.String(500), nullable=False),
    sa.Column("submissions", sa.Integer, nullable=False),
    sa.Column("cost_micros", sa.BigInteger),
    sa.Column("create_time", Moment, nullable=False),
    sa.Column("submit_time", Moment),
    sa.Column("end_time", Moment),
    sa.Column("deadline", Moment, nullable=False),
    sa.Column("facts", _Json, nullable=False),
    sa.Column("ordered", _Json),
)
OWNERS = sa.Table(
    "owners",
    METADATA,
    sa.Column("id", sa.String(128), primary_key=True),
    sa.Column("heartbeat", Moment, nullable=False),
)
HALTS = sa.Table(
    "halts",
    METADATA,
    sa.Column("provider", sa.String(64), primary_key=True),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("time", Moment, nullable=False),
)
CALLBACKS = sa.Table(
    "callbacks",
    METADATA,
    sa.Column("generation", sa.String(64), primary_key=True),
    sa.Column("message", sa.String(200), primary_key=True),
    sa.Column("job", sa.String(500), nullable=False),
    sa.Column("receive_time", Moment, nullable=False),
    sa.Column("told", sa.Boolean, nullable=False),
)
_SAME_NAMES = (
    "id", "tenant", "request_id", "request_hash", "sequence", "model", "submissions",
    "provider_job_id", "create_time", "submit_time", "end_time", "deadline",
)  # fmt: skip
COLUMNS = (*_SAME_NAMES, "state", "provider", "credential", "cost_micros", "facts")
"""What `columns_of` returns."""
_FACTS = ("job", "progress", "progress_source", "preview", "asset", "placeholder")


def columns_of(generation: Generation) -> dict[str, Any]:
    """Return the generation's columns, the owner and what was ordered aside."""
    columns = {name: getattr(generation, name) for name in _SAME_NAMES}
    identity, cost = generation.identity, generation.cost
    return {
        **columns,
        "state": generation.state.value,
        "provider": identity.provider,
        "credential": identity.credential,
        "cost_micros": cost.micros if cost else None,
        "facts": {name: value for name, value in _facts(generation).items() if value},
    }


def _facts(generation: Generation) -> dict[str, Any]:
    facts: dict[str, Any] = {name: getattr(generation, name) for name in _FACTS}
    facts["endpoint"] = generation.identity.endpoint
    facts["vendor_model"] = generation.identity.vendor_model
    facts["eta"] = generation.eta.isoformat() if generation.eta else None
    facts["warnings"] = list(generation.warnings)
    facts["cost_source"] = generation.cost.source if generation.cost else None
    for name in ("failure", "output"):
        value = getattr(generation, name)
        facts[name] = to_record(value) if value else None
    return facts


def generation_of(row: Any) -> Generation:
    """Return the generation that a row keeps."""
    facts = row.facts
    failure, output, eta = facts.get("failure"), facts.get("output"), facts.get("eta")
    same = {name: getattr(row, name) for name in _SAME_NAMES}
    known = {name: facts[name] for name in _FACTS if name in facts}
    return Generation(
        **same,
        **known,
        state=State(row.state),
        identity=Identity(
            provider=row.provider,
            endpoint=facts.get("endpoint", ""),
            vendor_model=facts.get("vendor_model", ""),
            credential=row.credential,
        ),
        eta=datetime.fromisoformat(eta) if eta else None,
        cost=None
        if row.cost_micros is None
        else Cost(micros=row.cost_micros, source=facts.get("cost_source", "")),
        failure=from_record(Failure, failure) if failure else None,
        output=from_record(Output, output) if output else None,
        warnings=tuple(facts.get("warnings", ())),
    )


def entry_of(row: Any) -> Entry:
    """Return the generation and what was ordered."""
    return Entry(generation_of(row), order_from_json(row.ordered))
