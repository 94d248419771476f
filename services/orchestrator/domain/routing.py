"""Which models are tried, in which order, and why the others are not. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from services.common.errors import InvalidArgument, NoModel
from services.orchestrator.domain.fitting import require_fit, unavailable
from services.orchestrator.domain.models import Model, find
from services.orchestrator.domain.options import Objective
from services.orchestrator.domain.request import VideoRequest
from services.orchestrator.domain.values import Candidate, Decision, Quantified

# The default chain, as providers in order of trial where an objective sees no difference.
CHAIN = ("huggingface", "runpod", "replicate", "local")
_UNKNOWN = float("inf")


@dataclass(frozen=True)
class Rejection:
    """Why a model is left out: a reason of `errors.v1.ErrorReason`, and a sentence."""

    code: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Router:
    """Decides for one deployment; `allow_placeholder` holds where a request does not say."""

    allow_placeholder: bool

    def decide(
        self, request: VideoRequest, wanted: Quantified, models: Sequence[Model]
    ) -> Decision:
        """The ordered list of models.

        Raises InvalidArgument for an unknown model or a parameter that it cannot take, and
        FailedPrecondition (ModelRetired, NoCredentials, NoDevice, NoModel) when nothing may serve.
        """
        videos = [m for m in models if m.task == "video"]
        standing_in = self._placeholder(request, videos)
        if request.routed:
            return self._route(request, wanted, videos, standing_in)
        return self._named(request, wanted, videos, standing_in)

    def admit(
        self, request: VideoRequest, wanted: Quantified, models: Sequence[Model]
    ) -> Decision | None:
        """What `decide` says; None, which is cheaper, where the placeholder can always stand in."""
        if request.routed and self._placeholder(request, models) is not None:
            return None
        return self.decide(request, wanted, models)

    def _placeholder(self, request: VideoRequest, models: Sequence[Model]) -> Model | None:
        asked = request.routing.allow_placeholder
        allowed = self.allow_placeholder if asked is None else asked
        return next((m for m in models if m.placeholder and m.ready), None) if allowed else None

    def _named(
        self,
        request: VideoRequest,
        wanted: Quantified,
        models: Sequence[Model],
        standing_in: Model | None,
    ) -> Decision:
        named = find(models, request.model)
        if named is None:
            allowed = ["auto", *sorted(m.id for m in models)]
            raise InvalidArgument("model", f"{request.model!r} is not known", allowed=allowed)
        model = (find(models, named.resolves_to) if named.resolves_to else None) or named
        if model.ready:
            require_fit(model, request, wanted)
            note = (
                "asked for"
                if model is named
                else f"successor of {named.id}, which is {named.lifecycle}"
            )
            return Decision(chosen=(_candidate(model, wanted, note),), objective="explicit")
        if standing_in is None:
            raise unavailable(model if model.id == named.id else named)
        rejected = _candidate(model, wanted, model.unavailable_reason, model.availability.reason)
        note = f"stands in for {named.id}: {model.unavailable_reason}"
        return Decision(
            chosen=(_candidate(standing_in, wanted, note),),
            rejected=(rejected,),
            objective="explicit",
        )

    def _route(
        self,
        request: VideoRequest,
        wanted: Quantified,
        models: Sequence[Model],
        standing_in: Model | None,
    ) -> Decision:
        fit: list[Model] = []
        rejected: list[Candidate] = []
        for model in sorted(models, key=lambda m: m.id):
            reason = self._reject(model, request, wanted)
            if reason is None and not model.placeholder:
                fit.append(model)
            elif reason is not None and model is not standing_in:
                rejected.append(_candidate(model, wanted, reason.reason, reason.code))
        fit.sort(key=_order(request.routing.objective, wanted))
        chosen = [_candidate(m, wanted, _why(m, request.routing.objective)) for m in fit]
        if standing_in is not None:
            chosen.append(
                _candidate(standing_in, wanted, "draws an animatic when nothing else can serve")
            )
        if not chosen:
            names = ", ".join(f"{c.model} ({c.code})" for c in rejected)
            message = f"no model is able and allowed to serve this request; left out: {names}"
            raise NoModel(message, metadata={"rejected": names})
        return Decision(
            chosen=tuple(chosen), rejected=tuple(rejected), objective=request.routing.objective
        )

    def _reject(self, model: Model, request: VideoRequest, wanted: Quantified) -> Rejection | None:
        if model.placeholder:
            return Rejection("FAILED_PRECONDITION", "placeholders are not allowed here")
        return _policy(model, request, wanted) or _misfit(model, request, wanted)


def _policy(model: Model, request: VideoRequest, wanted: Quantified) -> Rejection | None:
    routing = request.routing
    names = {model.id, model.provider, *model.aliases}
    price = model.price.of_clip(wanted.duration_seconds, wanted.resolution)
    limit = routing.max_price_micros
    rules: tuple[tuple[bool, str, str], ...] = (
        (not model.ready, model.availability.reason, model.unavailable_reason or "not available"),
        (bool(names & set(routing.deny)), "FAILED_PRECONDITION", "denied by the request"),
        (
            bool(routing.allow) and not names & set(routing.allow),
            "FAILED_PRECONDITION",
            "not among `allow`",
        ),
        (
            routing.local_only and not model.local,
            "FAILED_PRECONDITION",
            "does not run in this deployment",
        ),
        (price is None, "NO_MODEL", "its price is not known, so it is not chosen silently"),
        (
            not routing.allow_paid and bool(price),
            "BUDGET_EXCEEDED",
            "costs money, which is not allowed",
        ),
        (
            limit is not None and (price or 0) > limit,
            "BUDGET_EXCEEDED",
            "dearer than `max_price`",
        ),
    )
    return next((Rejection(code, reason) for broken, code, reason in rules if broken), None)


def _misfit(model: Model, request: VideoRequest, wanted: Quantified) -> Rejection | None:
    try:
        require_fit(model, request, wanted)
    except InvalidArgument as error:
        return Rejection("INVALID_ARGUMENT", error.message)
    return None


def _order(
    objective: Objective, wanted: Quantified
) -> Callable[[Model], tuple[float, float, int, str]]:
    def key(model: Model) -> tuple[float, float, int, str]:
        price = model.price.of_clip(wanted.duration_seconds, wanted.resolution)
        cost = _UNKNOWN if price is None else float(price)
        wait = model.p50_seconds if model.p50_seconds is not None else _UNKNOWN
        rank = CHAIN.index(model.provider) if model.provider in CHAIN else len(CHAIN)
        match objective:
            case Objective.COST:
                return (cost, wait, rank, model.id)
            case Objective.LATENCY:
                return (wait, cost, rank, model.id)
            case Objective.QUALITY:
                # Until quality is measured, a dearer model is taken to be the better one.
                return (-cost, wait, rank, model.id)

    return key


def _why(model: Model, objective: Objective) -> str:
    kind = {"cost": "cheapest", "latency": "fastest", "quality": "best"}[objective]
    return f"can serve; ordered by {objective} ({kind} first)"


def _candidate(model: Model, wanted: Quantified, reason: str, code: str = "") -> Candidate:
    return Candidate(
        model=model.id,
        provider=model.provider,
        reason=reason,
        code=code,
        price_micros=model.price.of_clip(wanted.duration_seconds, wanted.resolution),
        p50_seconds=model.p50_seconds,
        p90_seconds=model.p90_seconds,
        placeholder=model.placeholder,
    )
