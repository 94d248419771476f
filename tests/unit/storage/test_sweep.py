"""One sweep does all that is due, however much that is."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.common.errors import Unavailable
from services.storage.usecases.sweep import Sweep

NOW = datetime(2026, 8, 12, tzinfo=UTC)


class Nothing:
    """A room with nothing left behind in it."""

    async def sweep(self, _older_than: timedelta) -> int:
        return 0

    def __init__(self, *, away: bool = False) -> None:
        self.away = away

    async def head(self, _key: str) -> None:
        if self.away:
            raise Unavailable

    async def delete(self, *_names: str) -> None:
        """Hide what is done elsewhere."""


@dataclass
class Record:
    """As much of an asset as a sweep looks at."""

    id: str
    tenant: str = "acme"
    key: str = "acme/1"
    name: str = "assets/1"
    state: str = "stored"


@dataclass
class Records:
    """Records by what is due of them; whatever is done with one takes it away."""

    due: dict[str, list[Record]]
    asked: list[int] = field(default_factory=list)

    def _first(self, kind: str, limit: int) -> list[Record]:
        self.asked.append(limit)
        return self.due[kind][:limit]

    async def give_up_stale(self, _moment: datetime) -> None:
        """They are given up already."""

    async def given_up(self, limit: int) -> list[Record]:
        return self._first("left", limit)

    async def not_purged(self, _moment: datetime, limit: int) -> list[Record]:
        return self._first("deleted", limit)

    async def expired(self, _moment: datetime, limit: int) -> list[Record]:
        return self._first("expired", limit)

    async def forget(self, record: Record) -> None:
        self.due["left"].remove(record)

    async def mark_purged(self, record: Record, _moment: datetime) -> None:
        self.due["deleted"].remove(record)

    async def get(self, _tenant: str, identifier: str) -> Record:
        return next(record for record in self.due["expired"] if record.id == identifier)

    async def delete(self, _tenant: str, _name: str) -> None:
        del self.due["expired"][0]


@pytest.mark.parametrize("count", [0, 1, 3, 9, 10])
async def test_everything_that_is_due_is_done_at_once(
    monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    monkeypatch.setattr("services.storage.usecases.sweep.BATCH", 3)
    kinds = ("left", "deleted", "expired")
    records = Records({kind: [Record(f"{n}") for n in range(count)] for kind in kinds})
    nothing: Any = Nothing()
    room: Any = records
    sweep = Sweep(assets=room, blobs=nothing, staging=nothing, library=room, now=lambda: NOW)
    report = await sweep.once()
    assert (report.given_up, report.purged, report.expired) == (count, count, count)
    assert set(records.asked) == {3}, "never more than a batch in memory"


async def test_what_cannot_be_cleared_now_is_not_tried_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("services.storage.usecases.sweep.BATCH", 3)
    records: Any = Records({"left": [Record("1")] * 3, "deleted": [], "expired": []})
    away: Any = Nothing(away=True)
    sweep = Sweep(assets=records, blobs=away, staging=away, library=records, now=lambda: NOW)
    assert (await sweep.once()).given_up == 0
    assert len(records.due["left"]) == 3
