"""Late money: attempts that the flow has let go of, while their vendor may still charge."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from services.common.errors import NotFound, ServiceError
from services.common.telemetry import get_logger
from services.orchestrator.domain.money.ledger import Charge, Ledger
from services.orchestrator.domain.ports import GeneratorPort, JobStore
from services.orchestrator.usecases.spend import close

_log = get_logger(__name__)
# A vendor that charges later than this is found by its bill, not by asking.
PATIENCE = timedelta(hours=6)
PAGE = 100


@dataclass(kw_only=True)
class SettleLate:
    """Asks the generator what became of attempts that ended unsettled, a page at a time."""

    jobs: JobStore
    ledger: Ledger
    generator: GeneratorPort
    now: Callable[[], datetime]
    after: int = field(default=0, init=False)

    async def __call__(self) -> int:
        """One page; returns how many attempts were looked at."""
        page = await self.ledger.unsettled(self.now() - PATIENCE, self.after, PAGE)
        for found in page:
            try:
                await self._look(found.charge)
            except ServiceError as error:
                _log.warning("late_money_waits", attempt=found.charge.attempt, reason=error.reason)
        self.after = page[-1].position if len(page) == PAGE else 0
        return len(page)

    async def _look(self, charge: Charge) -> None:
        if not await self._let_go(charge):
            return
        # A cancel changes nothing of what has ended, and what was never sent stays unsent for ever.
        view = await self.generator.cancel(charge.payer.tenant, charge.attempt)
        if view is None:
            await self.ledger.release(charge)
        elif view.ended:
            charged = await close(self.ledger, charge, view)
            if charged:
                _log.info("late_money_settled", attempt=charge.attempt, micros=charged)

    async def _let_go(self, charge: Charge) -> bool:
        """Whether no flow follows the attempt any more."""
        try:
            job = await self.jobs.read(charge.payer.job)
        except NotFound:
            return True
        attempt = job.attempt(charge.attempt)
        return job.state.terminal or attempt is None or attempt.state.ended
