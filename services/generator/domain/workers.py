"""GPU workers as the generator hears of them: what they say, and how long that is believed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from services.generator.domain.gpu_work import Queue, Tier, queue_of
from services.generator.domain.models import Model
from services.generator.domain.orders import Priority
from services.generator.domain.records import from_record


class WorkerState(StrEnum):
    """Whether a worker can work; the words are those of Cog."""

    STARTING = "STARTING"
    READY = "READY"
    BUSY = "BUSY"
    SETUP_FAILED = "SETUP_FAILED"
    UNHEALTHY = "UNHEALTHY"
    DRAINING = "DRAINING"

    @property
    def able(self) -> bool:
        """Whether it does work now."""
        return self in {WorkerState.READY, WorkerState.BUSY}


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerReport:
    """What a worker says of itself. Memory in bytes; `work` is the generation that it is at."""

    name: str
    state: WorkerState
    tier: Tier
    engines: tuple[str, ...] = ()
    device: str = ""
    memory_total: int = 0
    memory_used: int = 0
    loaded: tuple[str, ...] = ()
    work: str = ""
    cold_start_seconds: float = 0.0
    reason: str = ""

    def takes(self, queue: Queue) -> bool:
        """Whether it takes work from a queue of this engine and tier, as far as it can work."""
        return queue.engine in self.engines and queue.tier in tuple(Tier)[: _rank(self.tier) + 1]


def report_from_record(record: Mapping[str, Any]) -> WorkerReport:
    """Rebuild a report from what `to_record` made of it."""
    return from_record(WorkerReport, record)


class Fleet:
    """The workers that were heard of lately. Who is silent for `believed` seconds is gone."""

    def __init__(self, now: Callable[[], datetime], *, believed: float = 10.0) -> None:
        self._now = now
        self._believed = timedelta(seconds=believed)
        self._heard: dict[str, tuple[datetime, WorkerReport]] = {}

    def hear(self, report: WorkerReport) -> None:
        """Take in what a worker says."""
        self._heard[report.name] = (self._now(), report)

    def leave(self, name: str) -> None:
        """Forget a worker that says good-bye."""
        self._heard.pop(name, None)

    @property
    def workers(self) -> tuple[WorkerReport, ...]:
        """Every worker that is there, by name."""
        oldest = self._now() - self._believed
        self._heard = {n: told for n, told in self._heard.items() if told[0] >= oldest}
        return tuple(self._heard[name][1] for name in sorted(self._heard))

    def serves(self, model: Model) -> bool:
        """Whether somebody is there who does work on this model."""
        queue = queue_of(model, Priority.INTERACTIVE)
        return any(worker.state.able and worker.takes(queue) for worker in self.workers)


def _rank(tier: Tier) -> int:
    return tuple(Tier).index(tier)
