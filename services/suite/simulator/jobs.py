"""A job of a simulated vendor: what was ordered, and how it stands at a moment."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from services.suite.simulator.faults import Fault

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from services.suite.simulator.media import Clip

QUEUED_SHARE = 0.2  # of a job's time is spent in the queue
EARLY_SHARE = 0.1  # after which a look at the input has found it wanting
ODD_WORD = "recalibrating"


class Phase(StrEnum):
    """How a job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Failure(StrEnum):
    """Why a job ended without a result."""

    INPUT = "input moderated"
    OUTPUT = "output moderated"
    INTERNAL = "internal"
    INVALID = "invalid"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a client asked for. `price_micros` is what the vendor charges, in micro-USD."""

    model: str
    prompt: str
    clip: Clip
    price_micros: int
    body: Any
    webhook: str = ""
    external_id: str = ""
    seconds: float | None = None  # of virtual working time, None for the usual
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Job:
    """An order that was accepted. `faults` says how often each of them is still to be shown."""

    id: str
    vendor: str
    order: Order
    created: datetime
    seconds: float
    faults: dict[Fault, int]
    links: int = 0
    cancelled: datetime | None = None
    deleted: bool = False
    extra: dict[str, Any] = field(default_factory=dict)

    def shows(self, fault: Fault) -> bool:
        """Tell whether the fault is shown this time, and count it."""
        left = self.faults.get(fault, 0)
        if left:
            self.faults[fault] = left - 1
        return left > 0

    def has(self, fault: Fault) -> bool:
        """Tell whether the job has the fault for good."""
        return fault in self.faults


@dataclass(frozen=True, slots=True)
class View:
    """How a job stands. `odd` asks for a status word that is in no document."""

    phase: Phase
    progress: float = 0.0
    failure: Failure | None = None
    odd: bool = False

    @property
    def over(self) -> bool:
        """Tell whether the job has ended."""
        return self.phase not in {Phase.QUEUED, Phase.RUNNING}


def view(job: Job, now: datetime) -> View:
    """Return how `job` stands at `now`."""
    if job.cancelled is not None:
        return View(Phase.CANCELLED)
    age = (now - job.created).total_seconds() / job.seconds
    if "invalid" in job.extra and age >= EARLY_SHARE:
        return View(Phase.FAILED, failure=Failure.INVALID)
    if job.has(Fault.MODERATED_BEFORE) and age >= EARLY_SHARE:
        return View(Phase.FAILED, failure=Failure.INPUT)
    if age < QUEUED_SHARE:
        return View(Phase.QUEUED)
    if age < 1 or job.has(Fault.NEVER_FINISHES) or job.has(Fault.STALLS_AT_99):
        top = 0.99 if job.has(Fault.STALLS_AT_99) else 0.95
        share = min(top, (age - QUEUED_SHARE) / (1 - QUEUED_SHARE))
        return View(Phase.RUNNING, round(share, 2), odd=job.has(Fault.UNKNOWN_STATUS))
    return _end(job, now)


def _failing(job: Job, now: datetime) -> bool:
    """Tell whether a job that failed first still does: until it was told, and as long again."""
    if not job.has(Fault.LATE_SUCCESS):
        return False
    told = job.extra.get("told")
    return told is None or (now - told).total_seconds() < job.seconds


def _end(job: Job, now: datetime) -> View:
    if job.has(Fault.MODERATED_AFTER):
        return View(Phase.FAILED, failure=Failure.OUTPUT)
    if job.has(Fault.FAILED) or _failing(job, now):
        return View(Phase.FAILED, failure=Failure.INTERNAL)
    return View(Phase.SUCCEEDED, 1.0)
