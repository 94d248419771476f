"""Which installed models this machine can run, before anybody asks for one; nothing is loaded."""

from collections.abc import Mapping

from services.common.errors import InvalidArgument, NoDevice, ServiceError
from services.generator.domain.catalogue import Availability, Standing
from services.generator.domain.models import Model
from services.generator.domain.planning import Room, plans
from services.generator.domain.vram import Device
from services.generator.engines.local.asks import least_shape
from services.generator.engines.local.families import recognise
from services.generator.engines.local.installed import variable_of
from services.generator.engines.local.precision import dtype_for
from services.generator.engines.local.probe import Source, folder_of, probe


def survey(
    models: tuple[Model, ...], sources: Mapping[str, Source], device: Device, budget: int
) -> dict[str, Standing]:
    """Return how each model stands on a device with `budget` bytes for models."""
    return {model.id: _standing(model, sources.get(model.id), device, budget) for model in models}


def _standing(model: Model, source: Source | None, device: Device, budget: int) -> Standing:
    name = variable_of(model)
    if source is None:
        reason = f"{model.id} is not installed: set {name} to its checkpoint"
        return Standing(Availability.NOT_INSTALLED, reason, (name,))
    try:
        _fit(model, source, device, budget)
    except NoDevice as error:
        return Standing(Availability.NO_DEVICE, f"{model.id}: {error.message}")
    except (ServiceError, OSError, KeyError, ValueError) as error:
        told = error.message if isinstance(error, ServiceError) else str(error)
        return Standing(Availability.NOT_INSTALLED, f"{name}: {told}", (name,))
    return Standing(Availability.READY)


def _fit(model: Model, source: Source, device: Device, budget: int) -> None:
    """Raise what keeps the smallest that the model offers from being made here."""
    facts = probe(folder_of(source))
    family = recognise(facts)
    if family.operation is not model.operation:
        message = f"holds a model that makes {family.operation}, not {model.operation}"
        raise InvalidArgument(variable_of(model), message)
    room = Room(
        device=device,
        budget=budget,
        dtype=dtype_for(device, family.name),
        moves=device.kind != "cpu",
    )
    next(plans(room, lambda shape: family.footprint(facts, shape), family.snap(least_shape(model))))
