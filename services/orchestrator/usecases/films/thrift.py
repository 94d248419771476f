"""Shots in the background are made by what costs least: settled when a film is planned."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from services.common.errors import InvalidArgument, ServiceError
from services.orchestrator.domain.films.asking import shot_request
from services.orchestrator.domain.films.brief import FilmBrief
from services.orchestrator.domain.films.graph import TaskType
from services.orchestrator.domain.films.shots import Shot
from services.orchestrator.domain.films.tasks import FilmTask
from services.orchestrator.domain.models import Model, find
from services.orchestrator.domain.values import Candidate, Decision
from services.orchestrator.usecases.accept import as_asked


@dataclass(frozen=True, kw_only=True)
class Thrift:
    """Settles, while a film is planned, what makes the clips of its shots in the background."""

    brief: FilmBrief
    models: Sequence[Model]
    decide: Callable[..., Decision]

    def __call__(self, tasks: Sequence[FilmTask], shots: Sequence[Shot]) -> tuple[FilmTask, ...]:
        """The tasks; those of such clips with the price that the film's own model would take.

        Where nothing is cheaper than that model, it is named for them as for all others. Raises
        InvalidArgument for a model that cannot make the clip.
        """
        thrifty = {shot.shot_id: shot for shot in shots if shot.thrifty}
        known: dict[float, tuple[str, int | None]] = {}
        settled = []
        for task in tasks:
            shot = thrifty.get(task.shot) if task.type is TaskType.ANIMATION else None
            if shot is not None:
                length = shot.duration_seconds
                if length not in known:
                    known[length] = self._settled(shot)
                model, usual = known[length]
                task = replace(task, model=model, usual_micros=usual)  # noqa: PLW2901 - the same task
            settled.append(task)
        return tuple(settled)

    def _settled(self, shot: Shot) -> tuple[str, int | None]:
        """The model named for it, "" for what costs least, and what the film's own would take."""
        named = self.brief.model_for("animation", {})
        own = self._first(replace(shot, background=False), named)
        least = self._first(shot, "")
        if least is None:
            return named, None
        if own is None:
            return "", self._listed(named, shot)
        return ("", own.price_micros) if _less(least, own) else (named, None)

    def _first(self, shot: Shot, model: str) -> Candidate | None:
        """What would make it; None where nothing but a placeholder can."""
        request = shot_request(self.brief, shot, model=model)
        try:
            first = self.decide(request, as_asked(request), self.models).chosen[0]
        except InvalidArgument:
            raise
        except ServiceError:
            return None  # who prices the film tells why
        return None if first.placeholder else first

    def _listed(self, named: str, shot: Shot) -> int | None:
        model = find(self.models, named) if named else None
        length, size = shot.duration_seconds, self.brief.asked_resolution
        return model.clip_price(length, size) if model else None


def _less(one: Candidate, other: Candidate) -> bool:
    known = one.price_micros is not None and other.price_micros is not None
    return known and (one.price_micros or 0) < (other.price_micros or 0)
