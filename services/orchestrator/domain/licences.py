"""The licence gate: whether a model may be used for this purpose, in this place."""

from collections.abc import Sequence

from services.common.errors import InvalidArgument, LicenceRefused
from services.common.territories import names_of
from services.orchestrator.domain.models import Model


def check_territory(name: str, code: str) -> None:
    """Raise InvalidArgument for what is not two capital letters; "" is not said."""
    if code and not (len(code) == 2 and code.isascii() and code.isalpha() and code.isupper()):
        allowed = ('two capital letters of ISO 3166-1, such as "KE"',)
        raise InvalidArgument(name, f"{code!r} is no country", allowed=allowed)


def refusal(model: Model, *, commercial: bool, territory: str) -> str:
    """Why the licence forbids the use; "" when it does not.

    `territory` is an ISO 3166-1 code; where nobody has said it, a licence that excludes some
    countries is not relied on.
    """
    if commercial and model.commercial_use == "no":
        return f"its licence ({model.licence}) forbids commercial use"
    excluded = model.excluded_territories
    if not excluded:
        return ""
    names = ", ".join(excluded)
    if not territory:
        return f"its licence excludes {names}, and where this deployment serves is not set"
    if names_of(territory) & set(excluded):
        return f"its licence ({model.licence}) excludes {names}"
    return ""


def refused(model: Model, reason: str, models: Sequence[Model]) -> LicenceRefused:
    """The error for a named model, with models to take instead."""
    instead = [m.id for m in models if m.ready and not m.placeholder and m.commercial_use == "yes"]
    facts = {
        "model": model.id,
        "licence": model.licence,
        "alternatives": ",".join(sorted(instead)[:5]),
    }
    take = ", ".join(sorted(instead)[:5]) or "none is ready"
    return LicenceRefused(f"{model.id}: {reason}; take instead: {take}", metadata=facts)
