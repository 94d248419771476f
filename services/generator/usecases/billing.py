"""The daily look at a vendor's bill: costs are corrected, lost answers found, leaks stopped."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.common.errors import ServiceError
from services.generator.domain.bill import (
    LONGEST_JOB,
    Charge,
    Finding,
    Period,
    Verdict,
    billed,
    reckon,
)
from services.generator.domain.generation import Generation
from services.generator.domain.halts import Halts
from services.generator.domain.ports import Clock, Ledger
from services.generator.usecases.reconciliation import Reconciliation


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """What a request of ours costs by the bill, micro-USD: for whoever keeps the tenants' money."""

    tenant: str
    request_id: str
    micros: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reckoning:
    """What came of a bill: findings, the costs to correct, why the vendor is halted ("" if not)."""

    findings: tuple[Finding, ...]
    corrections: tuple[Correction, ...]
    halted: str = ""

    def counts(self) -> Mapping[Verdict, int]:
        """How many findings say what."""
        return Counter(finding.verdict for finding in self.findings)


class Billing:
    """Holds bills against the ledger. Doing it twice changes nothing more."""

    def __init__(self, ledger: Ledger, halts: Halts, *, now: Clock) -> None:
        self._ledger = ledger
        self._halts = halts
        self._now = now
        self._office = Reconciliation(ledger, now=now)

    async def reckon(
        self, providers: Sequence[str], charges: Sequence[Charge], period: Period
    ) -> Reckoning:
        """Settle what the bill explains, and halt the providers when it charges what we never sent.

        `providers` are those that the one account on the bill serves.
        """
        sent = [
            one
            for provider in providers
            for one in await self._ledger.sent(provider, period.start - LONGEST_JOB, period.end)
        ]
        findings = reckon(charges, sent, period)
        corrections = [one for each in findings if (one := await self._settled(each)) is not None]
        reason = _alarm(findings)
        if reason:
            for provider in providers:
                await self._halts.halt(provider, reason, at=self._now())
        return Reckoning(findings=findings, corrections=tuple(corrections), halted=reason)

    async def _settled(self, finding: Finding) -> Correction | None:
        generation = finding.generation
        if generation is None or finding.verdict.alarming:
            return None  # what cannot be true is charged to nobody
        try:
            await self._settle(finding, generation)
        except ServiceError:  # it went on meanwhile: the next bill speaks of it again
            return None
        if not generation.state.terminal:
            return None  # it settles when it ends
        return Correction(
            tenant=generation.tenant, request_id=generation.request_id, micros=finding.micros
        )

    async def _settle(self, finding: Finding, generation: Generation) -> None:
        match finding.verdict:
            case Verdict.FOUND if finding.charge:
                await self._office.found(generation.id, finding.charge.job)
            case Verdict.NEVER_ARRIVED:
                await self._office.never_arrived(generation.id)
            case Verdict.CORRECTED | Verdict.UNBILLED if generation.state.terminal:
                await self._ledger.save(generation.billed(billed(finding.micros)))


def _alarm(findings: Sequence[Finding]) -> str:
    """Return why the credential must not be used any more, "" when all is well."""
    alarming = [finding for finding in findings if finding.verdict.alarming]
    if not alarming:
        return ""
    dear = [finding for finding in alarming if finding.verdict is Verdict.EXCESSIVE]
    strange = [finding for finding in alarming if finding.verdict is not Verdict.EXCESSIVE]
    told = (
        _told(strange, "charges that nobody here has asked for"),
        _told(dear, "charges far above the price"),
    )
    return "; ".join(filter(None, told))


def _told(findings: Sequence[Finding], what: str) -> str:
    jobs = ", ".join(finding.charge.job for finding in findings[:3] if finding.charge)
    more = " and more" if len(findings) > 3 else ""
    return f"{len(findings)} {what}: {jobs}{more}" if findings else ""
