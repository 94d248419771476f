"""Why a model is left out of a decision. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from services.common.errors import InvalidArgument
from services.orchestrator.domain import licences
from services.orchestrator.domain.fitting import require_fit
from services.orchestrator.domain.models import Model
from services.orchestrator.domain.options import Routing
from services.orchestrator.domain.policy import TenantPolicy
from services.orchestrator.domain.request import VideoRequest
from services.orchestrator.domain.values import Quantified


@dataclass(frozen=True)
class Rejection:
    """Why a model is left out: a reason of `errors.v1.ErrorReason`, and a sentence."""

    code: str
    reason: str


def reject(
    model: Model, request: VideoRequest, wanted: Quantified, policy: TenantPolicy
) -> Rejection | None:
    """The first reason against a model, None when there is none."""
    if model.placeholder:
        return Rejection("FAILED_PRECONDITION", "placeholders are not allowed here")
    return next(_reasons(model, request, wanted, policy), None)


def _reasons(
    model: Model, request: VideoRequest, wanted: Quantified, policy: TenantPolicy
) -> Iterator[Rejection]:
    if not model.ready:
        yield Rejection(model.availability.reason, model.unavailable_reason or "not available")
    licence = licences.refusal(model, commercial=policy.commercial, territory=policy.territory)
    if licence:
        yield Rejection("LICENCE", licence)
    for whose, routing in wishes(request, policy):
        yield from _against(model, routing, whose)
    yield from _too_dear(model, request, wanted, policy)
    try:
        require_fit(model, request)
    except InvalidArgument as error:
        yield Rejection("INVALID_ARGUMENT", error.message)


def forbids(model: Model, request: VideoRequest, policy: TenantPolicy) -> Rejection | None:
    """What speaks against its clips, whether or not it could make one now."""
    refused = licences.refusal(model, commercial=policy.commercial, territory=policy.territory)
    if refused:
        return Rejection("LICENCE", refused)
    against = (_against(model, routing, whose) for whose, routing in wishes(request, policy))
    return next((rejection for each in against for rejection in each), None)


def wishes(request: VideoRequest, policy: TenantPolicy) -> tuple[tuple[str, Routing], ...]:
    """Everybody who has a say, with the words for it: the request first, as it says most."""
    return (
        ("the request", request.routing),
        ("your preferences", policy.personal),
        ("the tenant's preferences", policy.preferences),
    )


def _against(model: Model, routing: Routing, whose: str) -> Iterator[Rejection]:
    if model.names & set(routing.deny):
        yield Rejection("FAILED_PRECONDITION", f"denied by {whose}")
    if routing.allow and not model.names & set(routing.allow):
        yield Rejection("FAILED_PRECONDITION", f"not among `allow` of {whose}")
    if routing.local_only and not model.local:
        yield Rejection(
            "FAILED_PRECONDITION", f"does not run in this deployment, as {whose} demands"
        )
    if routing.min_quality is not None and model.quality.rank < routing.min_quality.rank:
        reason = f"makes {model.quality} quality at best, {whose} demands {routing.min_quality}"
        yield Rejection("FAILED_PRECONDITION", reason)


def _too_dear(
    model: Model, request: VideoRequest, wanted: Quantified, policy: TenantPolicy
) -> Iterator[Rejection]:
    price = model.clip_price(wanted.duration_seconds, wanted.resolution)
    parties = wishes(request, policy)
    if price is None:
        # Whoever names it wants it, price or no price: then it is not chosen silently.
        named = {name for _, routing in parties for name in (*routing.allow, *routing.order)}
        if not model.names & named:
            reason = "its price is not known, so that it is not chosen unless it is named"
            yield Rejection("NO_MODEL", reason)
    for whose, routing in parties:
        limit = routing.max_price_micros
        if not routing.allow_paid and price != 0:
            yield Rejection("BUDGET_EXCEEDED", f"costs money, which {whose} does not allow")
        if limit is not None and price is not None and price > limit:
            yield Rejection("BUDGET_EXCEEDED", f"dearer than `max_price` of {whose}")
