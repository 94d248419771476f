"""A job and its legal changes. A job ends exactly once; nothing leaves a terminal state."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Self

from services.common.errors import AlreadyEnded, Internal
from services.orchestrator.domain.request import LANGUAGES, VideoRequest
from services.orchestrator.domain.values import (
    Attempt,
    Decision,
    Failure,
    Fallback,
    Keys,
    Quantified,
)


class JobState(StrEnum):
    """Life of a job."""

    QUEUED = "queued"
    RUNNING = "running"
    CANCELLING = "cancelling"
    SUCCEEDED = "succeeded"
    PARTIAL = "partial"
    FAILED = "failed"
    FALLBACK = "fallback"
    CANCELLED = "cancelled"

    @property
    def terminal(self) -> bool:
        """Whether nothing can follow."""
        return not _NEXT[self]


_ENDS = frozenset(
    {JobState.SUCCEEDED, JobState.PARTIAL, JobState.FAILED, JobState.FALLBACK, JobState.CANCELLED}
)
# A job that is being cancelled may still succeed: what was stored before the stop is kept and told.
_NEXT: Mapping[JobState, frozenset[JobState]] = {
    JobState.QUEUED: frozenset(
        _ENDS - {JobState.SUCCEEDED, JobState.PARTIAL} | {JobState.RUNNING, JobState.CANCELLING}
    ),
    JobState.RUNNING: _ENDS | {JobState.CANCELLING},
    JobState.CANCELLING: _ENDS,
    **dict.fromkeys(_ENDS, frozenset[JobState]()),
}


class Stage(StrEnum):
    """What a job is doing."""

    QUEUED = "queued"
    QUANTIFYING = "quantifying"
    ROUTING = "routing"
    GENERATING = "generating"
    STORING = "storing"
    DONE = "done"


@dataclass(frozen=True, kw_only=True)
class Job:
    """One accepted request and all that became of it. A change makes a new value, one on.

    `user` is the id of the caller's API key, `film` the film that the job is a shot of, `together`
    how many are ordered at once with it, `place` its place in the queue (see `fairness.Shares`),
    `batch` whether it came with others, so that nobody waits for it alone. `compiled` is what
    models are sent that could not take the quantified prompt as it stands, by the name that is
    asked for; put down before it is sent, so that a crash in between sends the same.
    """

    id: str
    tenant: str
    request: VideoRequest
    create_time: datetime
    update_time: datetime
    request_id: str = ""
    user: str = ""
    film: str = ""
    together: int = 1
    place: int = 0
    batch: bool = False
    state: JobState = JobState.QUEUED
    stage: Stage = Stage.QUEUED
    sequence: int = 1
    progress_percent: int = 0
    progress_source: str = "none"
    eta: datetime | None = None
    quantified: Quantified | None = None
    decision: Decision | None = None
    keys: Keys | None = None
    compiled: Mapping[str, Quantified] = field(default_factory=dict)
    attempts: tuple[Attempt, ...] = ()
    fallback: Fallback | None = None
    warnings: tuple[str, ...] = ()
    error: Failure | None = None
    start_time: datetime | None = None
    end_time: datetime | None = None

    @property
    def name(self) -> str:
        """The resource name."""
        return f"videoJobs/{self.id}"

    @property
    def creative_id(self) -> str:
        """The caller's creative, or the job's own id where the caller has none."""
        return self.request.creative_id or self.id

    @property
    def cost_micros(self) -> int:
        """Sum of what was charged, in micro-USD."""
        return sum(attempt.cost_micros for attempt in self.attempts)

    @property
    def max_price_micros(self) -> int | None:
        """The most that one variation may cost, as the caller and the tenant have set it."""
        if self.decision is not None and self.decision.max_price_micros is not None:
            return self.decision.max_price_micros
        return self.request.routing.max_price_micros

    @property
    def resolved_model(self) -> str:
        """The model that served last, or will be tried first."""
        if self.attempts:
            return self.attempts[-1].model
        return self.decision.chosen[0].model if self.decision and self.decision.chosen else ""

    @property
    def speaks(self) -> str:
        """The language that people are told things in: the request's, else that of the words."""
        understood = self.quantified.language if self.quantified else ""
        return self.request.language or (understood if understood in LANGUAGES else "en")

    def sent(self, attempt: Attempt) -> Quantified | None:
        """What an attempt sends, None before the words are understood."""
        return self.compiled.get(attempt.asked, self.quantified)

    def attempt(self, attempt_id: str) -> Attempt | None:
        """The attempt with this id."""
        return next((a for a in self.attempts if a.id == attempt_id), None)

    def clip(self, iteration: int) -> Attempt | None:
        """The attempt that made this variation; a fresh clip takes the place of a cached one."""
        made = [a for a in self.attempts if a.iteration == iteration and a.clip is not None]
        return min(made, key=lambda a: a.reused is not None, default=None)

    def last_attempt(self, iteration: int) -> Attempt | None:
        """The newest attempt for this variation."""
        return next((a for a in reversed(self.attempts) if a.iteration == iteration), None)

    def _next(self, now: datetime, **changes: Any) -> Self:
        moment = max(now, self.update_time)
        return replace(self, sequence=self.sequence + 1, update_time=moment, **changes)

    def _enter(self, state: JobState) -> JobState:
        if state not in _NEXT[self.state]:
            if self.state.terminal:
                raise self._over()
            msg = f"{self.name} cannot go from {self.state} to {state}"
            raise Internal(msg)
        return state

    def _over(self) -> AlreadyEnded:
        facts = {"state": self.state}
        return AlreadyEnded(f"{self.name} has ended: {self.state}", metadata=facts)

    def started(self, now: datetime) -> Self:
        """A worker has begun."""
        changes = {"stage": Stage.QUANTIFYING, "progress_percent": max(self.progress_percent, 1)}
        return self._next(now, **self._begun(now), **changes)

    def _begun(self, now: datetime) -> dict[str, Any]:
        state = self._enter(JobState.RUNNING)
        return {"state": state, "start_time": now, "progress_source": "steps"}

    def planned(
        self, now: datetime, quantified: Quantified, decision: Decision, warnings: tuple[str, ...]
    ) -> Self:
        """The words are understood and the models are chosen; that may be a job's beginning."""
        begun = self._begun(now) if self.state is JobState.QUEUED else {}
        return self._next(
            now,
            **begun,
            stage=Stage.GENERATING,
            quantified=quantified,
            decision=decision,
            warnings=self.warnings + warnings,
            progress_percent=max(self.progress_percent, 5),
        )

    def attempting(self, now: datetime, attempt: Attempt) -> Self:
        """One more try begins."""
        if self.attempt(attempt.id) is not None or self.state is not JobState.RUNNING:
            msg = f"attempt {attempt.id} cannot begin while {self.name} is {self.state}"
            raise Internal(msg)
        return self._next(now, attempts=(*self.attempts, attempt), stage=Stage.GENERATING)

    def advanced(
        self, now: datetime, attempt: Attempt, *, stage: Stage, source: str, eta: datetime | None
    ) -> Self:
        """An attempt moved on, or ended. Progress never goes back and stays below 100."""
        if self.state.terminal:
            raise self._over()
        attempts = tuple(attempt if a.id == attempt.id else a for a in self.attempts)
        changes = {"stage": stage, "progress_source": source, "eta": eta}
        return self._next(now, attempts=attempts, **changes)._counted()

    def served(self, now: datetime, attempts: Sequence[Attempt]) -> Self:
        """Cached clips serve, in attempts of their own that cost nothing; may be the beginning."""
        begun = self._begun(now) if self.state is JobState.QUEUED else {}
        return self._next(now, **begun, attempts=(*self.attempts, *attempts))._counted()

    def _counted(self) -> Self:
        """Progress is what the attempts add up to: it never falls and ends below 100."""
        best = dict[int, int]()
        for each in self.attempts:
            best[each.iteration] = max(best.get(each.iteration, 0), each.progress_percent)
        percent = 5 + (sum(best.values()) * 94) // (100 * self.request.variations)
        return replace(self, progress_percent=max(self.progress_percent, min(percent, 99)))

    def cancelling(self, now: datetime) -> Self:
        """The caller asked to stop."""
        return self._next(now, state=self._enter(JobState.CANCELLING))

    def ended(
        self,
        now: datetime,
        state: JobState,
        *,
        error: Failure | None = None,
        fallback: Fallback | None = None,
        warnings: tuple[str, ...] = (),
    ) -> Self:
        """The one end. 100 percent only when every variation is stored."""
        complete = state is JobState.SUCCEEDED
        return self._next(
            now,
            state=self._enter(state),
            stage=Stage.DONE,
            end_time=now,
            eta=None,
            error=error,
            fallback=fallback,
            warnings=self.warnings + warnings,
            progress_percent=100 if complete else min(self.progress_percent, 99),
        )
