"""Whether a provider is halted, asked anew for every send and kept in mind for listings."""

from services.generator.domain.halts import Halts


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
