"""Decides whether an order can be taken, before anything is written, sent or paid."""

from collections.abc import Callable
from dataclasses import dataclass

from services.common.errors import (
    BudgetExceeded,
    FailedPrecondition,
    ModelRetired,
    NoCredentials,
    NoDevice,
    ServiceError,
    Unavailable,
)
from services.generator.domain.catalogue import Availability, Catalogue, Standing, Surroundings
from services.generator.domain.facts import Cost
from services.generator.domain.limits import Checked, validate_request
from services.generator.domain.models import Lifecycle, Model
from services.generator.domain.orders import Order
from services.generator.domain.pricing import estimate_micros
from services.generator.domain.terms import Terms
from services.generator.domain.vendor_keys import NO_KEYS, OwnKeys


@dataclass(frozen=True, slots=True)
class Admitted:
    """An order that can be carried out: by which model, and the task as that model takes it."""

    model: Model
    checked: Checked
    estimate: Cost | None


class Admission:
    """Holds orders against the catalogue and what is configured here."""

    def __init__(
        self,
        catalogue: Catalogue,
        surroundings: Callable[[OwnKeys], Surroundings],
        terms: Terms | None = None,
    ) -> None:
        """`terms` are what local models are used for here; None leaves that to the caller."""
        self.catalogue = catalogue
        self.surroundings = surroundings
        self._terms = terms

    def admit(self, order: Order, own: OwnKeys = NO_KEYS) -> Admitted:
        """Return how the order will be carried out for a tenant with these keys of its own.

        Raises InvalidArgument (naming the field), ModelRetired, NoCredentials (naming the missing
        environment variables), NoDevice, LicenceRefused for weights that may not be used so,
        Unavailable while the vendor is rested, BudgetExceeded, or FailedPrecondition when
        `max_price` cannot be promised because the price is unknown.
        """
        surroundings = self.surroundings(own)
        model = self.catalogue.resolve(order.model, surroundings)
        # What is wrong with the request is told before what is missing here: it never goes away.
        checked = validate_request(model, order.task, order.fit, order.exact)
        standing = self.catalogue.standing(model, surroundings)
        if standing.availability is not Availability.READY:
            raise refusal(model, standing, surroundings)
        self._check_licence(model, surroundings)
        estimate = estimate_cost(model, checked, order.together)
        _check_price(model, order.max_price_micros, estimate)
        return Admitted(model, checked, estimate)

    def _check_licence(self, model: Model, surroundings: Surroundings) -> None:
        """Hold weights that run here against what they are used for. Raises LicenceRefused."""
        if self._terms is None or model.lifecycle is not Lifecycle.SELF_HOSTED:
            return
        reason = self._terms.against(model)
        if reason:
            living = self.catalogue.living(surroundings.now, model.operation)
            ready = [one for one in living if self._ready(one, surroundings)]
            raise self._terms.refusal(model, reason, ready)

    def _ready(self, model: Model, surroundings: Surroundings) -> bool:
        standing = self.catalogue.standing(model, surroundings)
        return standing.availability is Availability.READY


def estimate_cost(model: Model, checked: Checked, together: int = 1) -> Cost | None:
    """Return what the catalogue says it will cost, None when nobody knows."""
    micros = estimate_micros(model, checked.task, together)
    if micros is None:
        return None
    return Cost(micros=micros, source="catalogue" if micros else "free")


def missing_credentials(model: Model, surroundings: Surroundings) -> tuple[str, ...]:
    """Return the environment variables that are not set, of the group that lacks the fewest."""
    lacking = [
        tuple(name for name in group if name not in surroundings.configured)
        for group in model.credentials
    ]
    return min(lacking, key=len, default=())


def refusal(model: Model, standing: Standing, surroundings: Surroundings) -> ServiceError:
    """Return the error that says why a model cannot be used now."""
    facts = {"model": model.id, "provider": model.provider}
    match standing.availability:
        case Availability.RETIRED:
            facts["successors"] = ",".join(model.successors)
            return ModelRetired(standing.reason, metadata=facts)
        case Availability.NO_CREDENTIALS:
            facts["missing"] = ",".join(missing_credentials(model, surroundings))
            return NoCredentials(standing.reason, metadata=facts)
        case Availability.NO_DEVICE | Availability.NOT_INSTALLED:
            facts["missing"] = ",".join(standing.missing)
            return NoDevice(standing.reason, metadata=facts)
        case Availability.UNREACHABLE:
            facts["delivered"] = "no"
            return Unavailable(standing.reason, metadata=facts)
        case _:
            return Unavailable(standing.reason, metadata=facts)


def _check_price(model: Model, most: int | None, estimate: Cost | None) -> None:
    if most is None:
        return
    if estimate is None:
        message = f"the price of {model.id} is unknown, so max_price cannot be promised"
        raise FailedPrecondition(message, metadata={"model": model.id})
    if estimate.micros > most:
        message = f"{model.id} costs {_usd(estimate.micros)}, max_price is {_usd(most)}"
        raise BudgetExceeded(
            message,
            metadata={
                "budget": "max_price",
                "limit": str(most),
                "needed": str(estimate.micros),
            },
        )


def _usd(micros: int) -> str:
    return f"USD {micros // 1_000_000}.{micros % 1_000_000:06d}"
