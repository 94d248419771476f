"""The licence gate of local models: what the weights on our own machines may be used for."""

from collections.abc import Iterable
from dataclasses import dataclass

from services.common.errors import LicenceRefused
from services.common.territories import names_of
from services.generator.domain.models import Commercial, Model

_MOST = 5


@dataclass(frozen=True, slots=True)
class Terms:
    """What this deployment does with what it makes: whether it is sold, and in which country.

    `territory` is an ISO 3166-1 code; where nobody has said it, a licence that excludes some
    countries is not relied on.
    """

    commercial: bool = True
    territory: str = ""

    def against(self, model: Model) -> str:
        """Return why the licence of a model forbids this use, "" when it does not."""
        licence = model.licence
        if self.commercial and licence.commercial_use is Commercial.FORBIDDEN:
            return f"its licence ({licence.name}) forbids commercial use"
        excluded = licence.excluded_territories
        if not excluded:
            return ""
        names = ", ".join(excluded)
        if not self.territory:
            return f"its licence excludes {names}, and where this deployment serves is not set"
        if names_of(self.territory) & set(excluded):
            return f"its licence ({licence.name}) excludes {names}"
        return ""

    def refusal(self, model: Model, reason: str, others: Iterable[Model]) -> LicenceRefused:
        """Return the error, naming those of `others` that do the same and may be used."""
        instead = [
            other.id
            for other in others
            if other.operation is model.operation
            and other.licence.commercial_use is Commercial.ALLOWED
            and not other.placeholder
            and not self.against(other)
        ]
        facts = {
            "model": model.id,
            "licence": model.licence.name,
            "alternatives": ",".join(instead[:_MOST]),
        }
        take = ", ".join(instead[:_MOST]) or "none is ready"
        return LicenceRefused(f"{model.id}: {reason}; take instead: {take}", metadata=facts)
