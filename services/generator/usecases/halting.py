"""Whether a provider is halted: asked anew for every send, kept in mind for listings."""

from datetime import datetime

from services.common.background import rounds
from services.common.telemetry import get_logger
from services.generator.domain.halts import Halts

_log = get_logger(__name__)


class Halting:
    """`providers` are those that were halted when it was asked last."""

    def __init__(self, halts: Halts) -> None:
        self._halts = halts
        self.providers: frozenset[str] = frozenset()

    async def reason(self, provider: str) -> str:
        """Return why nothing is sent to a provider, "" when all is well."""
        found = await self._halts.halted()
        self.providers = frozenset(found)
        return found.get(provider, "")

    async def halt(self, provider: str, reason: str, *, at: datetime) -> None:
        """Send nothing more to a provider until an operator resumes it."""
        await self._halts.halt(provider, reason, at=at)
        self.providers |= {provider}
        _log.error("provider_halted", provider=provider, reason=reason)

    async def keep(self, every: float) -> None:
        """Ask every so many seconds until cancelled: an operator halts and resumes elsewhere."""
        await rounds(lambda: self.reason(""), every, failed="halts_not_read")
