"""Which models are tried, in which order, and why the others are not. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.common.errors import InvalidArgument, NoModel
from services.orchestrator.domain import licences
from services.orchestrator.domain.compiling import too_long
from services.orchestrator.domain.fitting import (
    no_operator,
    require_fit,
    require_operation,
    unavailable,
)
from services.orchestrator.domain.gates import reject, wishes
from services.orchestrator.domain.models import Model, find, is_offline
from services.orchestrator.domain.options import Objective
from services.orchestrator.domain.policy import TenantPolicy
from services.orchestrator.domain.ranking import order, why
from services.orchestrator.domain.request import VideoRequest
from services.orchestrator.domain.values import Candidate, Decision, Quantified

OPEN_POLICY = TenantPolicy()


@dataclass(frozen=True, kw_only=True)
class Router:
    """Decides for one deployment; `allow_placeholder` holds where nobody else says."""

    allow_placeholder: bool

    def decide(
        self,
        request: VideoRequest,
        wanted: Quantified,
        models: Sequence[Model],
        policy: TenantPolicy = OPEN_POLICY,
    ) -> Decision:
        """The ordered list of models.

        Raises InvalidArgument for an unknown model or a parameter that it cannot take, and
        FailedPrecondition (ModelRetired, NoCredentials, NoDevice, LicenceRefused, NoModel) or
        Unavailable when nothing may serve.
        """
        videos = [m for m in models if m.task == "video"]
        if request.routed:
            return self._route(request, wanted, videos, policy)
        return self._named(request, wanted, videos, policy)

    def admit(
        self,
        request: VideoRequest,
        wanted: Quantified,
        models: Sequence[Model],
        policy: TenantPolicy = OPEN_POLICY,
    ) -> Decision | None:
        """What `decide` says; None, which is cheaper, where the placeholder can always stand in.

        None, too, where nothing can serve now and that may pass: such a job is accepted, looked at
        again when its turn comes, and ends with the friendly answer if nothing has changed.
        """
        if request.routed and self._placeholder(request, models, policy) is not None:
            return None
        try:
            return self.decide(request, wanted, models, policy)
        except NoModel as error:
            if error.metadata.get("passes") == "yes":
                return None
            raise

    def _placeholder(
        self, request: VideoRequest, models: Sequence[Model], policy: TenantPolicy
    ) -> Model | None:
        if request.operation is not None:
            return None  # what it draws is no work on a clip that is there
        said = [r.allow_placeholder for _, r in wishes(request, policy)]
        allowed = next((s for s in said if s is not None), self.allow_placeholder)
        sketches = (m for m in models if m.task == "video" and m.placeholder and m.ready)
        return next(sketches, None) if allowed else None

    def _named(
        self,
        request: VideoRequest,
        wanted: Quantified,
        models: Sequence[Model],
        policy: TenantPolicy,
    ) -> Decision:
        named = find(models, request.model)
        if named is None:
            allowed = ["auto", *sorted(m.id for m in models)]
            raise InvalidArgument("model", f"{request.model!r} is not known", allowed=allowed)
        model = (find(models, named.resolves_to) if named.resolves_to else None) or named
        licence = licences.refusal(model, commercial=policy.commercial, territory=policy.territory)
        if licence:
            raise licences.refused(model, licence, models)
        require_operation(model, request, models)
        most = _most(request, policy)
        if model.ready:
            require_fit(model, request)
            note = (
                "asked for"
                if model is named
                else f"successor of {named.id}, which is {named.lifecycle}"
            )
            chosen = (_candidate(model, wanted, note),)
            return Decision(chosen=chosen, objective="explicit", max_price_micros=most)
        standing_in = self._placeholder(request, models, policy)
        if standing_in is None:
            raise unavailable(model if model.id == named.id else named)
        rejected = _candidate(model, wanted, model.unavailable_reason, model.availability.reason)
        note = f"stands in for {named.id}: {model.unavailable_reason}"
        return Decision(
            chosen=(_candidate(standing_in, wanted, note),),
            rejected=(rejected,),
            objective="explicit",
            max_price_micros=most,
        )

    def _route(
        self,
        request: VideoRequest,
        wanted: Quantified,
        models: Sequence[Model],
        policy: TenantPolicy,
    ) -> Decision:
        standing_in = self._placeholder(request, models, policy)
        fit: list[Model] = []
        rejected: list[Candidate] = []
        for model in sorted(models, key=lambda m: m.id):
            reason = reject(model, request, wanted, policy)
            if reason is None:
                fit.append(model)
            elif model is not standing_in:
                rejected.append(_candidate(model, wanted, reason.reason, reason.code))
        objective = _objective(request, policy)
        preferred = [name for _, routing in wishes(request, policy) for name in routing.order]
        fit.sort(key=order(objective, wanted, preferred))
        fit.sort(key=lambda m: too_long(m, request.prompt))
        chosen = [_candidate(m, wanted, _why(m, request, objective)) for m in fit]
        if standing_in is not None:
            note = "draws an animatic when nothing else can serve"
            chosen.append(_candidate(standing_in, wanted, note))
        if not chosen:
            raise _no_model(request, rejected, models)
        return Decision(
            chosen=tuple(chosen),
            rejected=tuple(rejected),
            objective=objective,
            max_price_micros=_most(request, policy),
        )


def _why(model: Model, request: VideoRequest, objective: Objective) -> str:
    shortened = too_long(model, request.prompt)
    return why(model, objective) + (", after those who take all of the words" if shortened else "")


def _objective(request: VideoRequest, policy: TenantPolicy) -> Objective:
    said = (routing.objective for _, routing in wishes(request, policy))
    return next((objective for objective in said if objective is not None), Objective.CHAIN)


def _most(request: VideoRequest, policy: TenantPolicy) -> int | None:
    limits = [routing.max_price_micros for _, routing in wishes(request, policy)]
    return min((limit for limit in limits if limit is not None), default=None)


def _no_model(
    request: VideoRequest, rejected: Sequence[Candidate], models: Sequence[Model]
) -> NoModel:
    """The error with every reason; `passes` says whether another moment or limit would help."""
    names = ", ".join(f"{c.model} ({c.code})" for c in rejected)
    passes = any(c.code in {"UNAVAILABLE", "BUDGET_EXCEEDED"} for c in rejected)
    message = f"no model is able and allowed to serve this request; left out: {names}"
    if request.operation is not None:
        message = no_operator(request.operation, rejected, models)
    facts = {"rejected": names} | ({"passes": "yes"} if passes else {})
    facts |= {"offline": "yes"} if is_offline(models) else {}
    return NoModel(message, metadata=facts)


def _candidate(model: Model, wanted: Quantified, reason: str, code: str = "") -> Candidate:
    return Candidate(
        model=model.id,
        provider=model.provider,
        reason=reason,
        code=code,
        price_micros=model.clip_price(wanted.duration_seconds, wanted.resolution),
        p50_seconds=model.p50_seconds,
        p90_seconds=model.p90_seconds,
        placeholder=model.placeholder,
        success_rate=model.success_rate,
        recent_ends=model.recent_ends,
        discount_micros=model.clip_discount(wanted.duration_seconds, wanted.resolution),
    )
