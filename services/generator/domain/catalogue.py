"""The catalogue: every model by id and alias, what it is worth now, and what stands in for it."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from services.common.errors import InvalidArgument, ModelRetired
from services.generator.domain.models import Lifecycle, Model
from services.generator.domain.tasks import Operation


class Availability(StrEnum):
    """Whether a model can be used at this moment."""

    READY = "READY"
    NO_CREDENTIALS = "NO_CREDENTIALS"
    NO_DEVICE = "NO_DEVICE"
    NOT_INSTALLED = "NOT_INSTALLED"
    CIRCUIT_OPEN = "CIRCUIT_OPEN"
    RETIRED = "RETIRED"
    UNREACHABLE = "UNREACHABLE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What availability depends on besides the model itself.

    `configured` holds the names (never the values) of the environment variables that are set;
    `open_circuits` holds ids of models and of providers that are failing just now, `unreachable`
    the providers that the network does not lead to, `halted` those that an operator has to look at.
    `served` holds the ids of models that GPU workers serve now, None where there are no workers to
    ask; `device_present` then says that a worker comes when there is work. `here` says how the
    models stand that this machine has looked for itself.
    """

    now: datetime
    configured: frozenset[str] = frozenset()
    device_present: bool = False
    served: frozenset[str] | None = None
    here: "Mapping[str, Standing]" = field(default_factory=dict)
    open_circuits: frozenset[str] = field(default_factory=frozenset)
    unreachable: frozenset[str] = field(default_factory=frozenset)
    halted: frozenset[str] = field(default_factory=frozenset)


@dataclass(frozen=True, slots=True)
class Standing:
    """How available a model is, why, and which environment variables are missing when some are."""

    availability: Availability
    reason: str = ""
    missing: tuple[str, ...] = ()


_STANDS_IN = {
    Availability.RETIRED,
    Availability.NO_CREDENTIALS,
    Availability.NO_DEVICE,
    Availability.NOT_INSTALLED,
}


class Catalogue:
    """All models that the generator knows. Immutable."""

    def __init__(self, models: Iterable[Model]) -> None:
        """Index the models. Raises ValueError on a double id or alias, or an unknown successor."""
        self._models: dict[str, Model] = {}
        self._names: dict[str, str] = {}
        for model in models:
            self._models[model.id] = model
            for name in (model.id, *model.aliases):
                if name in self._names:
                    message = f"{name} names both {self._names[name]} and {model.id}"
                    raise ValueError(message)
                self._names[name] = model.id
        for model in self._models.values():
            for successor in model.successors:
                if successor not in self._models:
                    message = f"{model.id} names an unknown successor: {successor}"
                    raise ValueError(message)

    def __iter__(self) -> Iterator[Model]:
        """Yield every model, retired ones too, ordered by id."""
        return iter(sorted(self._models.values(), key=lambda model: model.id))

    def __len__(self) -> int:
        """Return the number of models."""
        return len(self._models)

    def get(self, id_or_alias: str) -> Model:
        """Return the row itself, retired or not; InvalidArgument names the known ids."""
        known = self._names.get(id_or_alias)
        if known is None:
            message = f"{id_or_alias!r} is not in the catalogue"
            raise InvalidArgument("model", message, allowed=sorted(self._models))
        return self._models[known]

    def living(self, now: datetime, operation: Operation | None = None) -> list[Model]:
        """Return the models that are not retired at `now`; groups are left out."""
        return [
            model
            for model in self
            if model.lifecycle_at(now) is not Lifecycle.RETIRED
            and not model.group
            and operation in {None, model.operation}
        ]

    def standing(self, model: Model, surroundings: Surroundings) -> Standing:
        """Return whether `model` can be used now, and the reason when not."""
        if model.lifecycle_at(surroundings.now) is Lifecycle.RETIRED:
            return Standing(Availability.RETIRED, _retired(model))
        if model.group:
            return self._group_standing(model, surroundings)
        return _own_standing(model, surroundings)

    def resolve(self, id_or_alias: str, surroundings: Surroundings) -> Model:
        """Return the model that serves `id_or_alias` now.

        A model that is retired, a group, or not set up here yields to its first successor that is
        ready. Raises InvalidArgument for an unknown name and ModelRetired, naming the successors,
        for a retired one without a ready successor. A living model that is merely not set up is
        returned as it is: `standing` says what is missing.
        """
        model = self.get(id_or_alias)
        standing = self.standing(model, surroundings)
        if standing.availability in _STANDS_IN or model.group:
            ready = self._ready_successor(model, surroundings, frozenset({model.id}))
            if ready is not None:
                return ready
        if standing.availability is Availability.RETIRED:
            metadata = {
                "model": model.id,
                "retire_time": "" if model.retire_time is None else model.retire_time.isoformat(),
                "successors": ",".join(model.successors),
            }
            raise ModelRetired(standing.reason, metadata=metadata)
        return model

    def _group_standing(self, model: Model, surroundings: Surroundings) -> Standing:
        members = [self.standing(self._models[name], surroundings) for name in model.successors]
        ready = [standing for standing in members if standing.availability is Availability.READY]
        return (ready or members or [Standing(Availability.NO_DEVICE, "has no members")])[0]

    def _ready_successor(
        self, model: Model, surroundings: Surroundings, seen: frozenset[str]
    ) -> Model | None:
        for name in model.successors:
            if name in seen:
                continue
            successor = self._models[name]
            standing = self.standing(successor, surroundings)
            if standing.availability is Availability.READY and not successor.group:
                return successor
            found = self._ready_successor(successor, surroundings, seen | {name})
            if found is not None:
                return found
        return None


def _own_standing(model: Model, surroundings: Surroundings) -> Standing:
    groups = model.credentials
    if groups and not any(surroundings.configured.issuperset(group) for group in groups):
        wanted = " or ".join(" and ".join(group) for group in groups)
        missing = tuple(name for name in groups[0] if name not in surroundings.configured)
        reason = f"{model.id} needs {wanted} to be set"
        return Standing(Availability.NO_CREDENTIALS, reason, missing)
    here = surroundings.here.get(model.id)
    if here is not None and here.availability is not Availability.READY:
        return here
    if here is None and model.needs_device and (reason := _without_device(model, surroundings)):
        return Standing(Availability.NO_DEVICE, reason)
    return _standing_of_provider(model, surroundings)


def _standing_of_provider(model: Model, surroundings: Surroundings) -> Standing:
    if model.provider in surroundings.unreachable:
        reason = f"{model.provider} cannot be reached over the network; it is looked for again"
        return Standing(Availability.UNREACHABLE, reason)
    if model.provider in surroundings.halted:
        reason = f"{model.provider} is halted until an operator resumes it: see its bill"
        return Standing(Availability.CIRCUIT_OPEN, reason)
    if surroundings.open_circuits & {model.id, model.provider}:
        return Standing(Availability.CIRCUIT_OPEN, f"{model.provider} is failing; it is rested")
    return Standing(Availability.READY)


def _without_device(model: Model, surroundings: Surroundings) -> str:
    """Return why nobody here has a device for the model, "" when somebody has."""
    if surroundings.device_present:
        return ""
    if surroundings.served is None:
        return f"{model.id} needs a GPU and none is present"
    served = model.id in surroundings.served
    return "" if served else f"no GPU worker is there that serves {model.id}"


def _retired(model: Model) -> str:
    when = f" on {model.retire_time:%Y-%m-%d}" if model.retire_time else ""
    instead = ", ".join(model.successors) or "none"
    return f"{model.id} was retired{when}; successors: {instead}"
