"""What tenants and keys want of models that make no clips; the router holds clips to it. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from services.orchestrator.domain.films.estimate import unit_price_micros
from services.orchestrator.domain.licences import refusal, refused
from services.orchestrator.domain.models import Availability, Model
from services.orchestrator.domain.options import Routing
from services.orchestrator.domain.policy import TenantPolicy

_CLIPS = "video"
_TYPICAL_SECONDS, _TYPICAL_CHARACTERS = 5.0, 100


def held_to(policy: TenantPolicy, models: Sequence[Model]) -> tuple[Model, ...]:
    """The models with what the policy forbids no longer ready; clips are left as they are.

    `deny`, `local_only` and `allow_paid` hold for all work; `allow` for work that it names a model
    of, because a list of clip models alone says nothing of voices and pictures.
    """
    return tuple(_held(policy, model, models) for model in models)


def _held(policy: TenantPolicy, model: Model, models: Sequence[Model]) -> Model:
    if model.task == _CLIPS or not model.ready:
        return model
    why = refusal(model, commercial=policy.commercial, territory=policy.territory)
    if why:
        instead = [other for other in models if other.task == model.task]
        told = refused(model, why, instead).message.removeprefix(f"{model.id}: ")
        return replace(model, availability=Availability.LICENCE_REFUSED, unavailable_reason=told)
    unwanted = next(_against(policy, model, models), "")
    if unwanted:
        return replace(model, availability=Availability.NOT_WANTED, unavailable_reason=unwanted)
    return model


def _against(policy: TenantPolicy, model: Model, models: Sequence[Model]) -> Iterator[str]:
    for whose, routing in (
        ("your preferences", policy.personal),
        ("the tenant's preferences", policy.preferences),
    ):
        if model.names & set(routing.deny):
            yield f"denied by {whose}"
        if routing.local_only and not model.local:
            yield f"does not run in this deployment, as {whose} demand"
        if not model.names & set(routing.allow) and _names_some(routing, model.task, models):
            yield f"not among `allow` of {whose}"
        if not routing.allow_paid and _paid(model):
            yield f"costs money, which {whose} do not allow"


def _names_some(routing: Routing, task: str, models: Sequence[Model]) -> bool:
    named = set(routing.allow)
    return any(model.names & named for model in models if model.task == task)


def _paid(model: Model) -> bool:
    """Whether it costs money; what a vendor asks and nobody knows counts as some."""
    price = unit_price_micros(
        model.price, seconds=_TYPICAL_SECONDS, characters=_TYPICAL_CHARACTERS, resolution=""
    )
    return not model.local if price is None else price > 0
