"""The catalogue with what was measured in place of what is published."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from services.orchestrator.domain.comparisons import ScoresPort, rated
from services.orchestrator.domain.models import Model
from services.orchestrator.domain.policy_ports import RecordsPort
from services.orchestrator.domain.ports import ModelsPort
from services.orchestrator.domain.records import TrackRecord, measured


@dataclass(frozen=True, kw_only=True)
class RatedModels:
    """`domain.ports.ModelsPort` over another one, with what the tenant thinks of each model."""

    catalogue: ModelsPort
    ratings: ScoresPort

    async def models(self, tenant: str) -> Sequence[Model]:
        """See `ModelsPort.models`."""
        rows, scores = await self.catalogue.models(tenant), await self.ratings.scores(tenant)
        return tuple(rated(row, scores.get(row.id)) for row in rows) if scores else rows


_Seen = tuple[Sequence[Model], Mapping[str, TrackRecord], Sequence[Model]]


@dataclass(kw_only=True)
class MeasuredModels:
    """`domain.ports.ModelsPort` over another one; joins anew only when either has changed."""

    catalogue: ModelsPort
    records: RecordsPort
    _joined: _Seen | None = field(default=None, init=False)

    async def models(self, tenant: str) -> Sequence[Model]:
        """See `ModelsPort.models`."""
        rows, records = await self.catalogue.models(tenant), self.records.records()
        if self._joined is None or self._joined[0] is not rows or self._joined[1] is not records:
            joined = tuple(measured(row, records.get(row.id)) for row in rows)
            self._joined = (rows, records, joined)
        return self._joined[2]
