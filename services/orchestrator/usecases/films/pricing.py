"""What a film's tasks would cost on the models that would make them, and what stands in the way."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from services.common.errors import InvalidArgument, ServiceError
from services.orchestrator.domain.cache.entries import Entry
from services.orchestrator.domain.films.asking import shot_request
from services.orchestrator.domain.films.billing import together
from services.orchestrator.domain.films.brief import FilmBrief
from services.orchestrator.domain.films.choosing import ModelChoice
from services.orchestrator.domain.films.cues import effects_of
from services.orchestrator.domain.films.estimate import Item, unit_price_micros
from services.orchestrator.domain.films.graph import TaskType
from services.orchestrator.domain.films.likeness import LOOKING
from services.orchestrator.domain.films.shots import Shot
from services.orchestrator.domain.films.tasks import FilmTask
from services.orchestrator.domain.fitting import unavailable
from services.orchestrator.domain.models import Model, find, in_batch
from services.orchestrator.domain.notices import Because, Notice, Said
from services.orchestrator.domain.values import Decision
from services.orchestrator.usecases.accept import as_asked
from services.orchestrator.usecases.films.foresee import There

# What is bought besides clips; captions and the cut are made here.
_BOUGHT = frozenset(
    {TaskType.IMAGE, TaskType.AUDIO, TaskType.MUSIC, TaskType.SOUND, TaskType.UPSCALE}
)


class Pricing:
    """Prices and times of a film's tasks on the models that would make them."""

    def __init__(
        self,
        brief: FilmBrief,
        models: Sequence[Model],
        tasks: Sequence[FilmTask],
        decide: Callable[..., Decision],
        there: There,
    ) -> None:
        """Start without blockers; what is there already costs nothing.

        Of its tasks so many are ordered together as are alike.
        """
        self._brief = brief
        self._cached = there
        self._models = models
        self._tasks = tasks
        self._decide = decide
        self._choice = ModelChoice(models, offline=brief.rules.offline, language=brief.language)
        self._clips: dict[tuple[str, float, bool, bool], Item] = {}
        self._clip_seconds: float | None = None
        self._fresh = 0
        self.blockers: list[ServiceError] = []
        self.missing: list[Notice] = []

    def told(self, items: Sequence[Item]) -> tuple[Notice, ...]:
        """Voices that are left out, what will be less than asked for, what stands in the way."""
        speaking = {item.model for item in items if item.type is TaskType.AUDIO}
        blocked = (Notice(Said.BLOCKED, {"why": Because.of(error)}) for error in self.blockers)
        return (*self._choice.left_out(speaking), *self.missing, *blocked)

    def items(self, task: FilmTask, shots: Sequence[Shot]) -> tuple[Item, ...]:
        """What the task would buy."""
        shot = next((s for s in shots if s.shot_id == task.shot), None)
        if task.type is TaskType.ANIMATION and shot is not None:
            if found := self._cached.get((task.id, 0)):
                return (_found(task, found),)
            self._fresh += 1
            return (self._clip(task, shot),)
        if task.type not in _BOUGHT:
            return ()
        model = self._model(task)
        if model is None and not task.model:
            return ()  # it will be missing, which costs nothing
        return tuple(
            _found(task, self._cached[task.id, part])
            if (task.id, part) in self._cached
            else self._item(task, model, seconds, characters)
            for part, (seconds, characters) in enumerate(_parts(task, shot, shots))
        )

    def retakes_micros(self, items: Sequence[Item], shots: Sequence[Shot]) -> int | None:
        """What it would cost to make all again that may turn out unlike its sheet.

        None where a price is not known. Where nobody can look, nothing is made again. Retries are
        ordered alone: no discount for batches applies to them.
        """
        rule, looking = self._brief.cast.rule, find(self._models, LOOKING)
        if not rule.most or looking is None or not looking.ready:
            return 0
        pictured = {shot.shot_id for shot in shots if self._brief.cast.pictured(shot)}
        follow = {task.id for task in self._tasks if task.shot in pictured and self._follows(task)}
        each = [_anew(item) for item in items if item.task in follow]
        return None if None in each else rule.most * sum(price or 0 for price in each)

    def _follows(self, task: FilmTask) -> bool:
        """Whether what the task makes for a shot with a sheet is held against its picture."""
        if task.type is TaskType.IMAGE:
            model = self._model(task)
            return model is not None and model.image
        return task.type is TaskType.ANIMATION and task.shot in self._brief.cast.begun

    def p50_seconds(self, width: int) -> float | None:
        """Typical time of the clips that would be made, so many at once; None: nobody knows."""
        each = self._clip_seconds
        if not self._fresh and self._cached:
            return 0.0
        return None if each is None else each * -(-self._fresh // width)

    def _clip(self, task: FilmTask, shot: Shot) -> Item:
        shows = self._brief.cast.first_frame(shot) is not None
        key = (task.model, shot.duration_seconds, shows, shot.thrifty)
        if key not in self._clips:
            self._clips[key] = self._routed(task, shot)
        return replace(self._clips[key], task=task.id, usual_micros=task.usual_micros)

    def _routed(self, task: FilmTask, shot: Shot) -> Item:
        request = shot_request(self._brief, shot, model=task.model)
        models = in_batch(self._models, together(self._tasks, task))
        try:
            decision = self._decide(request, as_asked(request), models)
        except InvalidArgument:
            raise
        except ServiceError as error:
            self._block(error)
            model = self._choice.named(task.model, "video") if task.model else None
            return self._item(task, model, shot.duration_seconds, 0)
        first = decision.chosen[0]
        self._clip_seconds = first.p50_seconds
        if first.placeholder and task.model:
            self._stood_in_for(self._choice.named(task.model, "video"))
        return Item(
            task=task.id,
            type=task.type,
            model=first.model,
            price_micros=first.price_micros,
            discount_micros=first.discount_micros,
        )

    def _stood_in_for(self, model: Model) -> None:
        """Tell once that a placeholder will stand in for this model, unless that is one itself."""
        if not model.placeholder:
            why = Because.of(unavailable(model))
            notice = Notice(Said.PLACEHOLDER_AHEAD, {"model": model.id, "why": why})
            self.missing += [notice] if notice not in self.missing else []

    def _model(self, task: FilmTask) -> Model | None:
        try:
            return self._choice.for_task(task)
        except InvalidArgument:
            raise
        except ServiceError as error:
            if task.critical or task.model:
                self._block(error)
            elif task.type is TaskType.UPSCALE and not self.missing:
                self.missing.append(Notice(Said.PLAINLY_LARGER, {"why": Because.of(error)}))
            return self._choice.named(task.model, "") if task.model else None

    def _item(self, task: FilmTask, model: Model | None, seconds: float, characters: int) -> Item:
        if model is None:
            return Item(task=task.id, type=task.type, model="", price_micros=None)
        price = model.price.together(together(self._tasks, task))
        listed, paid = (
            unit_price_micros(
                each,
                seconds=seconds,
                characters=characters,
                resolution="" if task.type is TaskType.IMAGE else self._brief.resolution,
            )
            for each in (model.price, price)
        )
        off = 0 if listed is None or paid is None else listed - paid
        return Item(
            task=task.id, type=task.type, model=model.id, price_micros=paid, discount_micros=off
        )

    def _block(self, error: ServiceError) -> None:
        if error.message not in {known.message for known in self.blockers}:
            self.blockers.append(error)


def _anew(item: Item) -> int | None:
    """The price of an item that is made once more."""
    price = item.saved_micros
    if price is None and item.price_micros is not None:
        price = item.price_micros + item.discount_micros
    return replace(item, price_micros=price).told_micros


def _found(task: FilmTask, entry: Entry) -> Item:
    return Item(
        task=task.id,
        type=task.type,
        model=entry.model,
        price_micros=0,
        saved_micros=entry.cost_micros,
    )


def _parts(task: FilmTask, shot: Shot | None, shots: Sequence[Shot]) -> list[tuple[float, int]]:
    """Seconds and characters of each thing that a task buys."""
    if shot is None:
        return [(sum(each.duration_seconds for each in shots), 0)]
    if task.type is TaskType.SOUND:
        return [(effect.seconds, 0) for effect in effects_of(shot)]
    if task.type is TaskType.AUDIO:
        return [(shot.duration_seconds, len(line.text)) for line in shot.lines]
    return [(shot.duration_seconds, 0)]
