"""One generation: its states, the only legal ways between them, and what can never change.

A generation is one attempt on one model, the unit that can cost money. Every change makes a new
value whose `sequence` is one higher, so that a store can compare and set, and a watcher see a gap.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from services.common.errors import AlreadyEnded, InvalidArgument
from services.generator.domain.facts import Cost, Failure, Identity, Output, Progress
from services.generator.domain.sentences import Said, said

MAX_REQUEST_ID = 200


class State(StrEnum):
    """Where a generation is in its life; the words are those of the contract."""

    PENDING = "PENDING"
    SUBMITTING = "SUBMITTING"
    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    STORING = "STORING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    UNKNOWN_OUTCOME = "UNKNOWN_OUTCOME"

    @property
    def terminal(self) -> bool:
        """Whether nothing more will come of it."""
        return self in TERMINAL


TERMINAL = frozenset({State.SUCCEEDED, State.FAILED, State.CANCELLED})

_ENDS = frozenset({State.FAILED, State.CANCELLED})
_UNDER_WAY = frozenset({State.QUEUED, State.RUNNING})
TRANSITIONS: Mapping[State, frozenset[State]] = {
    # An engine in this process takes work at once (QUEUED, RUNNING); only a call that crosses a
    # network, whose answer can be lost, goes through SUBMITTING.
    State.PENDING: frozenset({State.SUBMITTING, State.QUEUED, State.RUNNING}) | _ENDS,
    State.SUBMITTING: frozenset({State.QUEUED, State.RUNNING, State.STORING, State.UNKNOWN_OUTCOME})
    | _ENDS,
    State.QUEUED: frozenset({State.QUEUED, State.RUNNING, State.STORING}) | _ENDS,
    State.RUNNING: frozenset({State.RUNNING, State.STORING}) | _ENDS,
    State.STORING: frozenset({State.SUCCEEDED}) | _ENDS,
    State.UNKNOWN_OUTCOME: frozenset({State.QUEUED, State.RUNNING, State.STORING}) | _ENDS,
    State.SUCCEEDED: frozenset(),
    State.FAILED: frozenset(),
    State.CANCELLED: frozenset(),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """The present state of one attempt; changed by its methods alone."""

    id: str
    tenant: str
    request_id: str
    request_hash: str
    model: str
    identity: Identity
    create_time: datetime
    deadline: datetime
    state: State = State.PENDING
    sequence: int = 1
    submissions: int = 0
    job: str = ""
    provider_job_id: str = ""
    progress: int = 0
    progress_source: str = "none"
    preview: str = ""
    eta: datetime | None = None
    asset: str = ""
    placeholder: bool = False
    cost: Cost | None = None
    failure: Failure | None = None
    warnings: tuple[str, ...] = ()
    output: Output | None = None
    submit_time: datetime | None = None
    end_time: datetime | None = None

    def __post_init__(self) -> None:
        """Refuse values that contradict each other."""
        if not 1 <= len(self.request_id) <= MAX_REQUEST_ID:
            raise InvalidArgument("request_id", f"must have 1 to {MAX_REQUEST_ID} characters")
        if not 0 <= self.progress <= 100:
            raise InvalidArgument("progress", "must lie between 0 and 100")
        if (self.progress == 100) != (self.state is State.SUCCEEDED):
            raise InvalidArgument("progress", "is 100 when stored and only then")
        if self.submissions not in {0, 1}:
            raise InvalidArgument("submissions", "is 0 or 1")
        if self.state.terminal != (self.end_time is not None):
            raise InvalidArgument("end_time", "is set when it has ended and only then")
        if self.state is State.SUCCEEDED and not (self.asset and self.output):
            raise InvalidArgument("asset", "is needed for success")
        if (self.failure is None) and self.state in {State.FAILED, State.UNKNOWN_OUTCOME}:
            raise InvalidArgument("failure", "must say why")

    @property
    def name(self) -> str:
        """Resource name, `generations/{id}`."""
        return f"generations/{self.id}"

    @property
    def is_tombstone(self) -> bool:
        """Whether it was cancelled before it was ever created."""
        return not self.request_hash

    def submitting(self, at: datetime) -> "Generation":
        """Return it as the one call begins. Everything after this may have cost money."""
        return self._to(State.SUBMITTING, submissions=1, submit_time=at)

    def accepted(
        self, job: str, shown_id: str, *, at: datetime, queued: bool = False
    ) -> "Generation":
        """Return it with the reference that finds the work again; `shown_id` is the vendor's."""
        return self._to(
            State.QUEUED if queued else State.RUNNING,
            job=job,
            provider_job_id=shown_id,
            submissions=1,
            submit_time=self.submit_time or at,
            failure=None,
        )

    def progressed(self, progress: Progress) -> "Generation":
        """Return it further on. Progress never goes back and stays below 100 until stored."""
        waiting = progress.queued and self.state is State.QUEUED
        percent = max(self.progress, min(99, max(0, progress.percent)))
        return self._to(
            State.QUEUED if waiting else State.RUNNING,
            progress=percent,
            progress_source=progress.source,
            eta=progress.eta,
            preview=progress.preview or self.preview,
        )

    def storing(self, warnings: tuple[str, ...] = ()) -> "Generation":
        """Return it made, its bytes on their way into storage."""
        told = tuple(dict.fromkeys((*self.warnings, *warnings)))
        return self._to(State.STORING, progress=max(self.progress, 99), failure=None, warnings=told)

    def succeeded(
        self,
        asset: str,
        output: Output,
        cost: Cost | None,
        *,
        at: datetime,
        warnings: tuple[str, ...] = (),
    ) -> "Generation":
        """Return it stored under `asset`."""
        return self._to(
            State.SUCCEEDED,
            asset=asset,
            output=output,
            cost=cost,
            progress=100,
            end_time=at,
            eta=None,
            warnings=tuple(dict.fromkeys((*self.warnings, *warnings))),
        )

    def failed(self, failure: Failure, *, at: datetime, cost: Cost | None = None) -> "Generation":
        """Return it definitively failed."""
        return self._to(State.FAILED, failure=failure, end_time=at, cost=cost, eta=None)

    def cancelled(self, *, at: datetime, warning: str = "") -> "Generation":
        """Return it cancelled; `warning` says what is still billed."""
        return self._to(State.CANCELLED, end_time=at, eta=None, warnings=self._warned(warning))

    def unknown(self, failure: Failure) -> "Generation":
        """Return it with its outcome unknown: the answer to the paid call was lost."""
        return self._to(State.UNKNOWN_OUTCOME, failure=failure)

    def with_late_job(self, job: str, shown_id: str) -> "Generation":
        """Return an ended one that learned the vendor's id after all."""
        return self._amended(job=job, provider_job_id=shown_id)

    def with_late_result(self, asset: str, output: Output, cost: Cost | None) -> "Generation":
        """Return an ended one with the result that came too late; its state is unchanged."""
        late = said(Said.LATE_RESULT)
        return self._amended(asset=asset, output=output, cost=cost, warnings=self._warned(late))

    def with_late_cost(self, cost: Cost) -> "Generation":
        """Return an ended one with what its vendor takes although nothing came of it."""
        return self._amended(cost=cost)

    def billed(self, cost: Cost) -> "Generation":
        """Return an ended one with what the vendor's bill says that it costs."""
        if not self.state.terminal:
            raise AlreadyEnded(f"a generation in {self.state} has no final cost yet")
        return replace(self, sequence=self.sequence + 1, cost=cost)

    def created_after_cancel(self, twin: "Generation") -> "Generation":
        """Return this tombstone with the request that came too late; it stays cancelled."""
        if not self.is_tombstone:
            raise AlreadyEnded(metadata={"state": self.state})
        return replace(
            twin,
            id=self.id,
            state=State.CANCELLED,
            sequence=self.sequence + 1,
            create_time=self.create_time,
            end_time=self.end_time,
        )

    def _warned(self, warning: str) -> tuple[str, ...]:
        return (*self.warnings, warning) if warning else self.warnings

    def _amended(self, **changes: Any) -> "Generation":
        if self.state not in _ENDS:
            raise AlreadyEnded(f"a generation in {self.state} takes no late result")
        return replace(self, sequence=self.sequence + 1, **changes)

    def _to(self, state: State, **changes: Any) -> "Generation":
        if state not in TRANSITIONS[self.state]:
            message = f"a generation cannot go from {self.state} to {state}"
            raise AlreadyEnded(message, metadata={"state": self.state})
        if state not in _UNDER_WAY:
            changes["preview"] = ""  # it dies with the job
        return replace(self, state=state, sequence=self.sequence + 1, **changes)


def tombstone(identifier: str, tenant: str, request_id: str, *, at: datetime) -> Generation:
    """Return the mark that `request_id` is never to be sent, although nobody has asked yet."""
    return Generation(
        id=identifier,
        tenant=tenant,
        request_id=request_id,
        request_hash="",
        model="",
        identity=Identity(provider=""),
        create_time=at,
        deadline=at,
        state=State.CANCELLED,
        end_time=at,
    )
