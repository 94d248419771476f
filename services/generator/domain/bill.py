"""A vendor's bill held against what was sent to it. Pure: says what is so, changes nothing."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from services.common.errors import InvalidArgument
from services.generator.domain.anomaly import outlandish
from services.generator.domain.facts import Cost
from services.generator.domain.generation import Generation, State

# A charge is taken for an unanswered call's when it was made this soon after it, or a moment before
# by another clock.
_WITHIN = timedelta(minutes=5)
_CLOCKS = timedelta(minutes=1)
LONGEST_JOB = timedelta(days=1)


class Verdict(StrEnum):
    """What is to be said of a charge, or of a generation without one."""

    AGREES = "agrees"
    CORRECTED = "corrected"
    FOUND = "found"
    NEVER_ARRIVED = "never_arrived"
    UNBILLED = "unbilled"
    AMBIGUOUS = "ambiguous"
    DOUBLE = "double"
    UNEXPLAINED = "unexplained"
    EXCESSIVE = "excessive"

    @property
    def alarming(self) -> bool:
        """Whether money went somewhere that nobody here has sent it, or far too much of it."""
        return self in {Verdict.DOUBLE, Verdict.UNEXPLAINED, Verdict.EXCESSIVE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """What a vendor took for a job, micro-USD after refunds; `reference` is our own id if kept."""

    job: str
    micros: int
    time: datetime
    reference: str = ""

    def __post_init__(self) -> None:
        """Refuse what cannot be on a bill."""
        if not self.job:
            raise InvalidArgument(
                "bill.job_id", "is empty", allowed=("the vendor's id of the job",)
            )
        if self.micros < 0:
            raise InvalidArgument("bill.amount_micros", "must not be negative")
        if self.time.tzinfo is None:
            raise InvalidArgument("bill.time", "needs a time zone, such as 2026-11-21T12:00:00Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One verdict; a generation, a charge or both belong to it."""

    verdict: Verdict
    charge: Charge | None = None
    generation: Generation | None = None

    @property
    def micros(self) -> int:
        """What the bill takes, in micro-USD."""
        return self.charge.micros if self.charge else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """The time that a bill covers; `whole` says that no charge of it is missing.

    A charge may be dated when its job ended: what it is for was sent up to `LONGEST_JOB` before.
    """

    start: datetime
    end: datetime
    whole: bool = False


def reckon(
    charges: Iterable[Charge], sent: Sequence[Generation], period: Period
) -> tuple[Finding, ...]:
    """Hold every charge against the generations that were sent, and the other way round."""
    ordered = sorted(charges, key=lambda charge: charge.time)
    matched, loose = _by_id(ordered, sent)
    known = {finding.generation.id for finding in matched if finding.generation}
    nameless = [one for one in sent if not one.provider_job_id and one.id not in known]
    guessed = tuple(_by_time(loose, nameless))
    return (*matched, *guessed, *_without_charge(sent, (*matched, *guessed), period))


def _by_id(
    charges: Sequence[Charge], sent: Sequence[Generation]
) -> tuple[list[Finding], list[Charge]]:
    ours = {one.id: one for one in sent}
    theirs = {name: one for one in sent for name in _names(one.provider_job_id)}
    found, loose, seen = [], [], Counter[str]()
    for charge in charges:
        generation = ours.get(charge.reference) or theirs.get(charge.job)
        if generation is None:
            loose.append(charge)
            continue
        seen[generation.id] += 1
        verdict = Verdict.DOUBLE if seen[generation.id] > 1 else _compared(generation, charge)
        found.append(Finding(verdict=verdict, charge=charge, generation=generation))
    return found, loose


def _names(job: str) -> tuple[str, ...]:
    """What a bill may call a job: its id, or the last part of one that is a path."""
    return (job, job.rpartition("/")[2]) if job else ()


def _compared(generation: Generation, charge: Charge) -> Verdict:
    kept = generation.cost.micros if generation.cost else 0
    if outlandish(charge.micros, kept):
        return Verdict.EXCESSIVE
    if generation.state is State.UNKNOWN_OUTCOME:
        return Verdict.FOUND
    return Verdict.AGREES if kept == charge.micros else Verdict.CORRECTED


def _by_time(loose: Sequence[Charge], nameless: Sequence[Generation]) -> Iterator[Finding]:
    """Give a charge to the one call that it can belong to, if that call has no other."""
    near = {id(charge): [one for one in nameless if _fits(one, charge)] for charge in loose}
    wanted = Counter(one.id for found in near.values() for one in found)
    for charge in loose:
        candidates = near[id(charge)]
        if not candidates:
            yield Finding(verdict=Verdict.UNEXPLAINED, charge=charge)
        elif len(candidates) == 1 and wanted[candidates[0].id] == 1:
            verdict = _compared(candidates[0], charge)
            yield Finding(verdict=verdict, charge=charge, generation=candidates[0])
        else:
            yield Finding(verdict=Verdict.AMBIGUOUS, charge=charge)


def _fits(generation: Generation, charge: Charge) -> bool:
    sent = generation.submit_time
    return sent is not None and sent - _CLOCKS <= charge.time <= sent + _WITHIN


def _without_charge(
    sent: Sequence[Generation], findings: Sequence[Finding], period: Period
) -> Iterator[Finding]:
    """Speak of what is not on the bill: only a whole one, that had time to hear of it, tells."""
    named = {finding.generation.id for finding in findings if finding.generation}
    open_charges = [one.charge for one in findings if one.verdict is Verdict.AMBIGUOUS]
    for one in sent if period.whole else ():
        sent_at = one.submit_time
        early = sent_at is not None and period.start <= sent_at < period.end - _WITHIN
        maybe = any(charge and _fits(one, charge) for charge in open_charges)
        if one.id in named or not early or (maybe and not one.provider_job_id):
            continue
        if one.state is State.UNKNOWN_OUTCOME:
            yield Finding(verdict=Verdict.NEVER_ARRIVED, generation=one)
        elif one.state.terminal and one.cost and one.cost.micros:
            yield Finding(verdict=Verdict.UNBILLED, generation=one)


def billed(micros: int) -> Cost:
    """The cost that a bill tells."""
    return Cost(micros=micros, source="reported")


class BillSource(Protocol):
    """A vendor's own list of what it has charged to one account of ours."""

    @property
    def providers(self) -> Sequence[str]:
        """Whose work the account pays for."""

    async def charges(self, start: datetime, end: datetime) -> Sequence[Charge]:
        """Every charge dated from `start` until before `end`.

        Raises ProviderRefused for a key that may not read it, Unavailable.
        """
