"""PlanFilm: the graph, its price and its time, before any money. Nothing is written or bought."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from services.common.errors import InvalidArgument, ServiceError
from services.orchestrator.domain.cache.policy import Choice
from services.orchestrator.domain.films.brief import FilmBrief
from services.orchestrator.domain.films.characters import CharacterSheet
from services.orchestrator.domain.films.ending import MOST_HOLD_SECONDS, guessed_ending
from services.orchestrator.domain.films.estimate import Estimate, Item
from services.orchestrator.domain.films.graph import TaskType
from services.orchestrator.domain.films.layout import Layout
from services.orchestrator.domain.films.picking import Picked, is_technical, pick_preset
from services.orchestrator.domain.films.ports import HistoryStore, ScriptPort
from services.orchestrator.domain.films.presets import AUTO
from services.orchestrator.domain.films.resources import (
    ResourceMonitor,
    recommended_concurrency,
    tier_of,
)
from services.orchestrator.domain.films.shots import Shot, require_distinct
from services.orchestrator.domain.films.strategy import (
    Content,
    Strategy,
    StrategyType,
    SystemProfile,
    VisualApproach,
    select_strategy,
    select_visual_approach,
)
from services.orchestrator.domain.films.tasks import FilmTask
from services.orchestrator.domain.films.timeline import speaking_seconds
from services.orchestrator.domain.models import Model
from services.orchestrator.domain.notices import Notice, Said, Warned
from services.orchestrator.domain.policy_ports import PoliciesPort
from services.orchestrator.domain.ports import ModelsPort
from services.orchestrator.domain.routing import Router
from services.orchestrator.usecases.films.casting import CastFilm, Showing
from services.orchestrator.usecases.films.foresee import ForeseeFilm, Sketch
from services.orchestrator.usecases.films.pricing import Pricing
from services.orchestrator.usecases.films.thrift import Thrift
from services.orchestrator.usecases.films.wording import WordFilm
from services.orchestrator.usecases.policies import FixedPolicies

# How long words are spoken is guessed: what may be less than a syllable is not told.
_LATE_SECONDS = 0.2


@dataclass(frozen=True, kw_only=True)
class FilmSource:
    """What a film is made from: shots, or a script to be broken into shots."""

    shots: tuple[Shot, ...] = ()
    script: str = ""
    title: str = ""
    characters: tuple[CharacterSheet, ...] = ()


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
    warnings: tuple[Warned, ...] = ()
    blockers: tuple[ServiceError, ...] = ()


@dataclass(frozen=True)
class _Setting:
    """What a film is about and made with; `bears` are the tasks at once that the machine bears."""

    content: Content
    profile: SystemProfile
    approach: VisualApproach
    bears: int


@dataclass(frozen=True, kw_only=True)
class PlanFilm:
    """The dry run."""

    scripts: ScriptPort
    models: ModelsPort
    router: Router
    monitor: ResourceMonitor
    history: HistoryStore
    policies: PoliciesPort = field(default_factory=FixedPolicies)
    word: WordFilm = field(default_factory=WordFilm)
    casting: CastFilm = field(default_factory=CastFilm)
    foresee: ForeseeFilm | None = None

    async def __call__(
        self, tenant: str, brief: FilmBrief, source: FilmSource, user: str = ""
    ) -> FilmPlan:
        """The plan by the wishes of the tenant and of its key `user`, which clips are held to.

        Raises InvalidArgument for what cannot be a film, NotFound, Unavailable.
        """
        brief = await self.casting.given(tenant, brief, source.characters)
        shots, title, warnings = await self._shots(tenant, brief, source)
        require_distinct(shots)
        brief = await self.casting.cast(tenant, brief, shots)
        policy = await self.policies.of(tenant, user)
        brief = await self.word(tenant, brief, policy.packs)
        models = await self.models.models(tenant)
        picked = pick_preset(shots, brief.title or title, models)
        auto = brief.preset.lower() == AUTO
        brief = replace(brief, preset=picked.preset, picked=True) if auto else brief
        setting = await self._setting(brief, shots, models, brief.title or title)
        stock = setting.approach is VisualApproach.STOCK_ONLY
        layout = Layout(brief, shots, stock=stock)
        decide = partial(self.router.decide, policy=policy)
        tasks = Thrift(brief=brief, models=models, decide=decide)(layout.tasks(), shots)
        showing = Showing(brief=brief, tasks=tasks, models=models, decide=decide)
        brief, told = showing(shots)
        choice = Choice(models, policy)
        sketch = Sketch(tenant=tenant, brief=brief, shots=shots, tasks=tasks, choice=choice)
        there = await self.foresee(sketch) if self.foresee else {}
        pricing = Pricing(brief, models, tasks, decide, there)
        items = tuple(item for task in tasks for item in pricing.items(task, shots))
        strategy = await self._strategy(brief, setting, items, models)
        batches = layout.graph.get_optimal_execution_batches()
        return FilmPlan(
            brief=replace(brief, title=brief.title or title),
            shots=shots,
            tasks=tasks,
            batches=tuple(tuple(node.task_id for node in batch) for batch in batches),
            estimate=Estimate(items, pricing.retakes_micros(items, shots)),
            strategy=_picked(strategy, picked) if auto else strategy,
            p50_seconds=pricing.p50_seconds(strategy.max_concurrency),
            warnings=(*warnings, *_too_long(shots, brief), *told, *pricing.told(items)),
            blockers=tuple(pricing.blockers),
        )

    async def _shots(
        self, tenant: str, brief: FilmBrief, source: FilmSource
    ) -> tuple[tuple[Shot, ...], str, tuple[str, ...]]:
        if source.shots:
            return source.shots, source.title, ()
        if not source.script.strip():
            raise InvalidArgument("source", "is empty", allowed=("shots_json", "script"))
        found = await self.scripts.break_down(tenant, source.script, rules_only=brief.words_stay)
        if not found.shots:
            raise InvalidArgument("source.script", "has no scene", allowed=("what is to be seen",))
        return found.shots, found.title, found.warnings

    async def _setting(
        self, brief: FilmBrief, shots: Sequence[Shot], models: Sequence[Model], title: str
    ) -> _Setting:
        snapshot = await self.monitor.current_snapshot()
        content = Content(
            duration_seconds=sum(shot.duration_seconds for shot in shots),
            fast_pacing=brief.rules.fast,
            dense=brief.rules.dense,
            technical=is_technical(shots, title),
        )
        tier = tier_of(snapshot)
        profile = SystemProfile(
            tier=tier,
            gpu=snapshot.gpu_gib is not None,
            offline_only=brief.rules.offline,
            enable_ai_images=any(m.ready and m.task == "video" for m in models),
        )
        wish = VisualApproach(brief.visual_approach) if brief.visual_approach else None
        bears = recommended_concurrency(snapshot, complexity=content.complexity, tier=tier)
        return _Setting(content, profile, select_visual_approach(content, profile, wish), bears)

    async def _strategy(
        self, brief: FilmBrief, setting: _Setting, clips: Sequence[Item], models: Sequence[Model]
    ) -> Strategy:
        elsewhere = not brief.rules.offline and made_elsewhere(clips, models)
        chosen = select_strategy(
            setting.content,
            replace(setting.profile, clips_elsewhere=elsewhere),
            concurrency=brief.width,
            approach=setting.approach,
            experience=await self.history.experience(),
            recommended=None if brief.concurrency else setting.bears,
        )
        return _as_wished(chosen, brief)


def _picked(strategy: Strategy, picked: Picked) -> Strategy:
    """The strategy with why the preset is the one that it is."""
    reason = f"{strategy.reason}; preset {picked.preset}: {picked.because}"
    return replace(strategy, reason=reason)


def _as_wished(chosen: Strategy, brief: FilmBrief) -> Strategy:
    """The caller's mode wins; and who says how many at once, online, is not given one at a time."""
    one = chosen.strategy_type is StrategyType.SEQUENTIAL and not brief.rules.offline
    mode = brief.mode or ("parallel" if one and brief.concurrency > 1 else "")
    if not mode:
        return chosen
    kind = StrategyType(mode)
    width = 1 if kind is StrategyType.SEQUENTIAL else brief.width
    return replace(chosen, strategy_type=kind, max_concurrency=width, reason="as asked")


def made_elsewhere(items: Sequence[Item], models: Sequence[Model]) -> bool:
    """Whether vendors make all clips of a film, or have made them: this machine draws none."""
    clips = [item for item in items if item.type is TaskType.ANIMATION]
    here = {model.id for model in models if model.local}
    return bool(clips) and all(
        item.saved_micros is not None or item.model not in here for item in clips
    )


def _too_long(shots: Sequence[Shot], brief: FilmBrief) -> tuple[Notice, ...]:
    told = []
    end = guessed_ending(shots, brief.transition or brief.rules.transition)
    if end.late_seconds:
        late = end.hold_seconds + end.late_seconds
        facts = {"late": f"{late:.1f}", "most": f"{MOST_HOLD_SECONDS:g}"}
        told.append(Notice(Said.WORDS_OUTLAST_FILM, facts))
    elif end.hold_seconds > _LATE_SECONDS:
        told.append(Notice(Said.WORDS_HELD, {"hold": f"{end.hold_seconds:.1f}"}))
    for shot in shots:
        spoken, seen = speaking_seconds(shot), shot.duration_seconds
        if spoken > seen + 0.5:
            facts = {"shot": shot.shot_id, "spoken": f"{spoken:.0f}", "seconds": f"{seen:g}"}
            told.append(Notice(Said.WORDS_OUTLAST_PICTURE, facts))
    return tuple(told)
