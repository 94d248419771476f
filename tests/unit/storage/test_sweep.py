"""One sweep does all that is due, however much that is."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.common.errors import FailedPrecondition, Unavailable
from services.storage.usecases.sweep import Sweep
from tests.fakes.logs import logged

NOW = datetime(2026, 8, 12, tzinfo=UTC)


class Nothing:
    """A room with nothing left behind in it."""

    def __init__(self, *, away: bool = False, refuses: tuple[str, ...] = ()) -> None:
        self.away = away
        self.refuses = refuses
        self.asked = 0

    async def sweep(self, _older_than: timedelta) -> int:
        if "uploads" in self.refuses:
            raise FailedPrecondition("the object store refuses: AccessDenied")
        return 0

    async def head(self, _key: str) -> None:
        self.asked += 1
        if self.away:
            raise Unavailable

    async def delete(self, key: str) -> None:
        if key in self.refuses:
            raise FailedPrecondition("the object store refuses: AccessDenied")


@dataclass
class Record:
    """As much of an asset as a sweep looks at."""

    id: str
    tenant: str = "acme"
    key: str = "acme/1"
    name: str = "assets/1"
    state: str = "stored"
    spool: str = ""
    kept: bool = False


@dataclass
class Records:
    """Records by what is due of them; whatever is done with one takes it away."""

    due: dict[str, list[Record]]
    asked: list[int] = field(default_factory=list)
    held: tuple[str, ...] = ()

    def _first(self, kind: str, limit: int, but: Iterable[str]) -> list[Record]:
        self.asked.append(limit)
        return [record for record in self.due[kind] if record.id not in but][:limit]

    async def give_up_waiting(self, _moment: datetime) -> int:
        return 0

    async def miss(self, _moment: datetime) -> int:
        return 0

    async def give_up_stale(self, _moment: datetime) -> None:
        """They are given up already."""

    async def given_up(self, limit: int, but: Iterable[str]) -> list[Record]:
        return self._first("left", limit, but)

    async def not_purged(
        self, _moment: datetime, _stale: datetime, limit: int, but: Iterable[str]
    ) -> list[Record]:
        return self._first("deleted", limit, but)

    async def expired(self, _moment: datetime, limit: int, but: Iterable[str]) -> list[Record]:
        return self._first("expired", limit, but)

    async def leftovers(self, _moment: datetime, limit: int, but: Iterable[str]) -> list[Record]:
        return self._first("moved", limit, but) if "moved" in self.due else []

    async def forget_leftover(self, record: Record) -> None:
        self.due["moved"].remove(record)

    async def forget(self, record: Record) -> None:
        self.due["left"].remove(record)

    async def mark_purged(self, record: Record, _moment: datetime) -> None:
        self.due["deleted"].remove(record)

    async def get(self, _tenant: str, identifier: str) -> Record:
        return next(record for record in self.due["expired"] if record.id == identifier)

    async def delete(self, _tenant: str, name: str) -> None:
        if name in self.held:
            raise FailedPrecondition("the asset is under legal hold")
        self.due["expired"] = [each for each in self.due["expired"] if each.name != name]


def record(number: int) -> Record:
    return Record(f"{number}", key=f"acme/{number}", name=f"assets/{number}")


@pytest.mark.parametrize("count", [0, 1, 3, 9, 10])
async def test_everything_that_is_due_is_done_at_once(
    monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    monkeypatch.setattr("services.storage.usecases.sweep.BATCH", 3)
    kinds = ("left", "deleted", "expired")
    records = Records({kind: [record(n) for n in range(count)] for kind in kinds})
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
    assert away.asked == 1, "nobody waits for it once more for every record"


async def test_what_is_refused_is_told_and_does_not_stop_what_comes_after_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("services.storage.usecases.sweep.BATCH", 3)
    kinds = ("left", "deleted", "expired")
    stuck = ("assets/0", "assets/1", "assets/2", "assets/4")
    records: Any = Records({kind: [record(n) for n in range(9)] for kind in kinds}, held=stuck)
    room: Any = Nothing(refuses=("uploads", *(f"acme/{name[7:]}" for name in stuck)))
    staging: Any = Nothing()
    sweep = Sweep(assets=records, blobs=room, staging=staging, library=records, now=lambda: NOW)
    with logged() as told:
        report = await sweep.once()
    assert (report.given_up, report.purged, report.expired) == (9, 5, 5)
    left = [line["asset"] for line in told if line.get("chore") == "expired"]
    assert tuple(left) == stuck
    assert [line["chore"] for line in told if line["event"] == "chore_failed"] == ["uploads"]


async def test_refusals_without_end_end_the_chore(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.storage.usecases.sweep.BATCH", 3)
    monkeypatch.setattr("services.storage.usecases.sweep.MOST_REFUSED", 5)
    records: Any = Records({"left": [], "deleted": [record(n) for n in range(9)], "expired": []})
    room: Any = Nothing(refuses=tuple(f"acme/{n}" for n in range(9)))
    sweep = Sweep(assets=records, blobs=room, staging=room, library=records, now=lambda: NOW)
    with logged() as told:
        assert (await sweep.once()).purged == 0
    assert [line["chore"] for line in told] == ["purged"] * 6
