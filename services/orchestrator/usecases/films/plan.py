"""PlanFilm: the graph, its price and its time, before any money. Nothing is written or bought."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from services.common.errors import InvalidArgument, ServiceError
from services.orchestrator.domain.films.asking import shot_request
from services.orchestrator.domain.films.brief import FilmBrief
from services.orchestrator.domain.films.choosing import ModelChoice
from services.orchestrator.domain.films.estimate import Estimate, Item, unit_price_micros
from services.orchestrator.domain.films.graph import TaskType
from services.orchestrator.domain.films.layout import Layout
from services.orchestrator.domain.films.ports import HistoryStore, ScriptPort
from services.orchestrator.domain.films.resources import ResourceMonitor, tier_of
from services.orchestrator.domain.films.shots import Shot, require_distinct
from services.orchestrator.domain.films.strategy import (
    Content,
    Strategy,
    StrategyType,
    SystemProfile,
    VisualApproach,
    select_strategy,
)
from services.orchestrator.domain.films.tasks import FilmTask
from services.orchestrator.domain.films.timeline import speaking_seconds
from services.orchestrator.domain.models import Model
from services.orchestrator.domain.policy_ports import PoliciesPort
from services.orchestrator.domain.ports import ModelsPort
from services.orchestrator.domain.routing import Router
from services.orchestrator.domain.values import Decision
from services.orchestrator.usecases.accept import as_asked
from services.orchestrator.usecases.policies import FixedPolicies


@dataclass(frozen=True, kw_only=True)
class FilmSource:
    """What a film is made from: shots, or a script to be broken into shots."""

    shots: tuple[Shot, ...] = ()
    script: str = ""
    title: str = ""


@dataclass(frozen=True, kw_only=True)
class FilmPlan:
    """What would be made. `blockers` are errors that CreateFilm would raise, the first one."""

    brief: FilmBrief
    shots: tuple[Shot, ...]
    tasks: tuple[FilmTask, ...]
    batches: tuple[tuple[str, ...], ...]
    estimate: Estimate
    strategy: Strategy
    p50_seconds: float | None
    warnings: tuple[str, ...] = ()
    blockers: tuple[ServiceError, ...] = ()


@dataclass(frozen=True, kw_only=True)
class PlanFilm:
    """The dry run."""

    scripts: ScriptPort
    models: ModelsPort
    router: Router
    monitor: ResourceMonitor
    history: HistoryStore
    policies: PoliciesPort = field(default_factory=FixedPolicies)

    async def __call__(self, tenant: str, brief: FilmBrief, source: FilmSource) -> FilmPlan:
        """Raises InvalidArgument for what cannot be a film, Unavailable while a part is away."""
        shots, title, warnings = await self._shots(tenant, brief, source)
        require_distinct(shots)
        layout = Layout(brief, shots)
        models = await self.models.models(tenant)
        policy = await self.policies.of(tenant, "")
        pricing = Pricing(brief, models, partial(self.router.decide, policy=policy))
        tasks = layout.tasks()
        items = tuple(item for task in tasks for item in pricing.items(task, shots))
        strategy = await self._strategy(brief, shots, models)
        batches = layout.graph.get_optimal_execution_batches()
        return FilmPlan(
            brief=replace(brief, title=brief.title or title),
            shots=shots,
            tasks=tasks,
            batches=tuple(tuple(node.task_id for node in batch) for batch in batches),
            estimate=Estimate(items=items),
            strategy=strategy,
            p50_seconds=pricing.p50_seconds(len(shots), strategy.max_concurrency),
            warnings=(*warnings, *_too_long(shots), *(str(b) for b in pricing.blockers)),
            blockers=tuple(pricing.blockers),
        )

    async def _shots(
        self, tenant: str, brief: FilmBrief, source: FilmSource
    ) -> tuple[tuple[Shot, ...], str, tuple[str, ...]]:
        if source.shots:
            return source.shots, source.title, ()
        if not source.script.strip():
            raise InvalidArgument("source", "is empty", allowed=("shots_json", "script"))
        found = await self.scripts.break_down(tenant, source.script, brief.language)
        if not found.shots:
            raise InvalidArgument("source.script", "has no scene", allowed=("what is to be seen",))
        return found.shots, found.title, found.warnings

    async def _strategy(
        self, brief: FilmBrief, shots: Sequence[Shot], models: Sequence[Model]
    ) -> Strategy:
        snapshot = await self.monitor.current_snapshot()
        content = Content(
            duration_seconds=sum(shot.duration_seconds for shot in shots),
            fast_pacing=brief.rules.fast,
            dense=brief.rules.dense,
        )
        gpu = snapshot.gpu_percent is not None
        profile = SystemProfile(
            tier=tier_of(snapshot, 24.0 if gpu else 0.0),
            gpu=gpu,
            offline_only=brief.rules.offline,
            enable_ai_images=any(m.ready and m.task == "video" for m in models),
        )
        wish = VisualApproach(brief.visual_approach) if brief.visual_approach else None
        chosen = select_strategy(
            content,
            profile,
            concurrency=brief.width,
            approach=wish,
            experience=await self.history.experience(),
        )
        return _as_wished(chosen, brief)


def _as_wished(chosen: Strategy, brief: FilmBrief) -> Strategy:
    """The caller's mode wins; and who asks for a width is not held to one at a time by a rule.

    The rule spares machines that draw themselves; vendors' machines need no sparing.
    """
    mode = brief.mode or ("parallel" if chosen.strategy_type == "sequential" else "")
    if not mode or (brief.rules.offline and not brief.mode):
        return chosen
    kind = StrategyType(mode)
    width = 1 if kind is StrategyType.SEQUENTIAL else brief.width
    reason = "as asked" if brief.mode else "one at a time by the rule, but the work is elsewhere"
    return replace(chosen, strategy_type=kind, max_concurrency=width, reason=reason)


class Pricing:
    """Prices and times of a film's tasks on the models that would make them."""

    def __init__(
        self, brief: FilmBrief, models: Sequence[Model], decide: Callable[..., Decision]
    ) -> None:
        """Start without blockers."""
        self._brief = brief
        self._models = models
        self._decide = decide
        self._choice = ModelChoice(models, offline=brief.rules.offline)
        self._clips: dict[tuple[str, float], tuple[Model | None, int | None]] = {}
        self._clip_seconds: float | None = None
        self.blockers: list[ServiceError] = []

    def items(self, task: FilmTask, shots: Sequence[Shot]) -> tuple[Item, ...]:
        """What the task would buy."""
        shot = next((s for s in shots if s.shot_id == task.shot), None)
        if task.type is TaskType.ANIMATION and shot is not None:
            model, price = self._clip(task, shot)
            return (_item(task, model, price),)
        if task.type not in {TaskType.IMAGE, TaskType.AUDIO, TaskType.MUSIC, TaskType.SOUND}:
            return ()
        model = self._model(task)
        if model is None and not task.model:
            return ()  # it will be missing, which costs nothing
        texts = [line.text for line in shot.lines] if shot and task.type is TaskType.AUDIO else [""]
        seconds = shot.duration_seconds if shot else sum(s.duration_seconds for s in shots)
        return tuple(_item(task, model, self._price(model, seconds, len(t))) for t in texts)

    def p50_seconds(self, shots: int, width: int) -> float | None:
        """Typical time of the clips, so many at once; None where nobody knows."""
        each = self._clip_seconds
        return None if each is None else each * -(-shots // width)

    def _clip(self, task: FilmTask, shot: Shot) -> tuple[Model | None, int | None]:
        key = (task.model, shot.duration_seconds)
        if key not in self._clips:
            self._clips[key] = self._routed(task.model, shot)
        return self._clips[key]

    def _routed(self, name: str, shot: Shot) -> tuple[Model | None, int | None]:
        request = shot_request(self._brief, shot, model=name)
        try:
            decision = self._decide(request, as_asked(request), self._models)
        except InvalidArgument:
            raise
        except ServiceError as error:
            self._block(error)
            model = self._choice.named(name, "video") if name else None
            return model, self._price(model, shot.duration_seconds, 0)
        first = decision.chosen[0]
        self._clip_seconds = first.p50_seconds
        model = next((m for m in self._models if m.id == first.model), None)
        return model, first.price_micros

    def _model(self, task: FilmTask) -> Model | None:
        try:
            return self._choice.for_task(task)
        except InvalidArgument:
            raise
        except ServiceError as error:
            if task.critical or task.model:
                self._block(error)
            return self._choice.named(task.model, "") if task.model else None

    def _price(self, model: Model | None, seconds: float, characters: int) -> int | None:
        if model is None:
            return None
        resolution = self._brief.resolution
        return unit_price_micros(
            model.price, seconds=seconds, characters=characters, resolution=resolution
        )

    def _block(self, error: ServiceError) -> None:
        if error.message not in {known.message for known in self.blockers}:
            self.blockers.append(error)


def _item(task: FilmTask, model: Model | None, price: int | None) -> Item:
    return Item(task=task.id, type=task.type, model=model.id if model else "", price_micros=price)


def _too_long(shots: Sequence[Shot]) -> tuple[str, ...]:
    return tuple(
        f"{shot.shot_id}: its words take about {speaking_seconds(shot):.0f} s, its picture "
        f"{shot.duration_seconds:g} s; they go on under the next shot"
        for shot in shots
        if speaking_seconds(shot) > shot.duration_seconds + 0.5
    )
