"""What is on offer here and now, and how busy it is."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from services.common.errors import InvalidArgument, ModelRetired
from services.generator.domain.catalogue import Availability, Standing, Surroundings
from services.generator.domain.generation import Generation, State
from services.generator.domain.models import Model
from services.generator.domain.tasks import Operation
from services.generator.domain.vendor_keys import NO_KEYS, OwnKeys
from services.generator.domain.workers import WorkerReport
from services.generator.usecases.admission import Admission, missing_credentials

_WAITING = frozenset({State.PENDING, State.QUEUED})


@dataclass(frozen=True, slots=True)
class Offer:
    """A model as it stands here: what it resolves to ("" for itself), what it lacks."""

    model: Model
    standing: Standing
    resolves_to: str = ""
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Work on one engine or credential; `limit` 0 means unknown."""

    provider: str
    credential: str = ""
    running: int = 0
    waiting: int = 0
    limit: int = 0
    circuit_open: bool = False


class Listing:
    """Answers from the catalogue and from what is being driven in this process.

    `workers` are the GPU workers that were heard of lately.
    """

    def __init__(
        self,
        admission: Admission,
        driven: Callable[[], Iterable[Generation]],
        limits: Mapping[str, int],
        workers: Callable[[], Sequence[WorkerReport]] = tuple,
    ) -> None:
        self._admission = admission
        self._driven = driven
        self._limits = limits
        self.workers = workers

    def offers(self, task: str = "", own: OwnKeys = NO_KEYS) -> list[Offer]:
        """Return every model by id, or those of one task, as a tenant with these keys sees it.

        Raises InvalidArgument.
        """
        if task and task not in set(Operation):
            raise InvalidArgument("task", f"{task!r} is unknown", allowed=list(Operation))
        surroundings = self._admission.surroundings(own)
        return [
            self._offer(model, surroundings)
            for model in self._admission.catalogue
            if task in {"", model.operation}
        ]

    def loads(self) -> list[Load]:
        """Return one row per engine or credential that works or has a limit."""
        open_circuits = self._admission.surroundings(NO_KEYS).open_circuits
        waiting: Counter[tuple[str, str]] = Counter()
        running: Counter[tuple[str, str]] = Counter()
        for generation in self._driven():
            if generation.state is State.FAILED:
                continue  # it is only looked at once more
            key = (generation.identity.provider, generation.identity.credential)
            (waiting if generation.state in _WAITING else running)[key] += 1
        known = {(provider, "") for provider in self._limits} | waiting.keys() | running.keys()
        return [
            Load(
                provider=provider,
                credential=credential,
                running=running[provider, credential],
                waiting=waiting[provider, credential],
                limit=self._limits.get(provider, 0),
                circuit_open=provider in open_circuits,
            )
            for provider, credential in sorted(known)
        ]

    def _offer(self, model: Model, surroundings: Surroundings) -> Offer:
        catalogue = self._admission.catalogue
        standing = catalogue.standing(model, surroundings)
        try:
            resolved = catalogue.resolve(model.id, surroundings).id
        except ModelRetired:
            resolved = model.id
        lacking = standing.availability is Availability.NO_CREDENTIALS
        return Offer(
            model,
            standing,
            resolves_to="" if resolved == model.id else resolved,
            missing=missing_credentials(model, surroundings) if lacking else standing.missing,
        )
