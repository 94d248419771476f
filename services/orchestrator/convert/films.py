"""Films as the contract shows them."""

from reelmesh.orchestrator.v1 import film_service_pb2 as pb
from services.orchestrator.adapters.messages import load_texts
from services.orchestrator.adapters.wire import to_duration, to_error, to_money, to_timestamp
from services.orchestrator.domain.films.characters import CharacterSheet
from services.orchestrator.domain.films.cuts import Cut
from services.orchestrator.domain.films.film import Film
from services.orchestrator.domain.films.strategy import Strategy
from services.orchestrator.domain.films.tasks import FilmTask, Piece, TaskState
from services.orchestrator.domain.money.ledger import Totals
from services.orchestrator.usecases.films.plan import FilmPlan


def film_message(film: Film) -> pb.Film:
    """The film with all that explains it; URLs are signed by who shows it."""
    newest, language = film.cuts[-1] if film.cuts else None, film.brief.language
    return pb.Film(
        name=film.name,
        tenant_name=film.tenant,
        creative_id=film.creative_id,
        state=pb.Film.State.Value(f"STATE_{film.state.name}"),
        progress_percent=film.progress_percent,
        tasks=[task_message(task, language) for task in film.tasks],
        asset=newest.asset if newest else "",
        version=film.version,
        cost=to_money(film.cost_micros),
        savings=to_money(sum(task.saved_micros + task.spared_micros for task in film.tasks)),
        background_savings=to_money(sum(task.spared_micros for task in film.tasks)),
        warnings=load_texts().say(language, film.warnings),
        error=to_error(film.error),
        sequence=film.sequence,
        create_time=to_timestamp(film.create_time),
        end_time=to_timestamp(film.end_time),
        title=film.brief.title,
        preview=film.preview,
        cuts=map(_cut, film.cuts),
        estimate=to_money(film.estimate_micros),
        budget_limit=to_money(film.brief.budget_limit_micros),
        strategy=_strategy(film.strategy),
        shots=[shot.shot_id for shot in film.shots],
        eta=to_timestamp(film.eta),
        template=film.brief.wording.template,
        template_text=film.brief.wording.text if film.brief.wording.template else "",
        style_preset=film.brief.wording.preset,
        start_time=to_timestamp(film.start_time or film.brief.start_time),
        latest_start_time=to_timestamp(film.brief.latest_start_time),
        preset=film.brief.rules.name,
        characters=map(_sheet, film.brief.cast.sheets),
        consistency=pb.Consistency(
            least=film.brief.cast.rule.least, retries=film.brief.cast.rule.retries
        ),
    )


def tell_totals(message: pb.Film, totals: Totals) -> None:
    """Put what the ledger says of the film into its message."""
    message.cost.CopyFrom(to_money(totals.cost_micros))
    message.savings.CopyFrom(to_money(totals.savings_micros))


def _sheet(sheet: CharacterSheet) -> pb.CharacterSheet:
    return pb.CharacterSheet(
        name=sheet.name, description=sheet.description, reference=sheet.reference
    )


def task_message(task: FilmTask, language: str = "en") -> pb.FilmTask:
    """A node of the graph, explained in this language."""
    first = task.pieces[0] if task.pieces else None
    return pb.FilmTask(
        id=task.id,
        type=task.type,
        state=task.state,
        priority=task.priority,
        dependencies=task.dependencies,
        asset=first.asset if first else "",
        error=to_error(task.error),
        shot=task.shot,
        progress_percent=task.percent,
        model=(first.model if first else "") or task.model,
        cost=to_money(task.cost_micros),
        job=f"videoJobs/{task.job}" if task.job else "",
        sha256=first.sha256 if first else "",
        version=task.version,
        warning=" ".join(load_texts().say(language, [task.warning])),
        placeholder=any(piece.placeholder for piece in task.pieces),
        start_time=to_timestamp(task.start_time),
        end_time=to_timestamp(task.end_time),
        credit="; ".join(piece.credit for piece in task.pieces if piece.credit),
        assets=[piece.asset for piece in task.pieces],
        savings=to_money(task.saved_micros),
        likeness=_likeness(task, first, language),
        usual_price=to_money(task.usual_micros),
    )


def _likeness(task: FilmTask, piece: Piece | None, language: str) -> pb.Likeness | None:
    if piece is None or piece.likeness is None:
        return None
    found = piece.likeness
    return pb.Likeness(
        character=found.character,
        score=found.score,
        not_measured=" ".join(load_texts().say(language, [found.why])),
        tries=len(task.tries),
    )


def plan_message(plan: FilmPlan) -> pb.PlanFilmResponse:
    """What would be made, batch by batch, and what it would cost."""
    estimate = plan.estimate
    tasks = []
    for task in plan.tasks:
        message = task_message(task)
        bought = [item for item in estimate.items if item.task == task.id]
        message.state = TaskState.WAITING
        message.progress_percent = 0
        message.model = bought[0].model if bought else task.model
        known = [item.told_micros for item in bought if item.told_micros is not None]
        message.cost.CopyFrom(to_money(sum(known)))
        message.savings.CopyFrom(to_money(sum(item.saved_micros or 0 for item in bought)))
        if not any(item.spared_micros for item in bought):
            message.ClearField("usual_price")
        tasks.append(message)
    return pb.PlanFilmResponse(
        tasks=tasks,
        batches=[pb.Batch(tasks=batch) for batch in plan.batches],
        min_price=to_money(estimate.min_micros),
        max_price=to_money(estimate.max_micros),
        p50_latency=to_duration(plan.p50_seconds),
        warnings=load_texts().say(plan.brief.language, plan.warnings),
        strategy=_strategy(plan.strategy),
        title=plan.brief.title,
        preset=plan.brief.rules.name,
        discount=to_money(estimate.discount_micros),
        worst_price=to_money(estimate.worst_micros),
        background_savings=to_money(estimate.spared_micros),
    )


def _strategy(strategy: Strategy) -> pb.FilmStrategy:
    return pb.FilmStrategy(
        type=strategy.strategy_type,
        visual_approach=strategy.visual_approach,
        max_concurrency=strategy.max_concurrency,
        reason=strategy.reason,
    )


def _cut(cut: Cut) -> pb.FilmCut:
    return pb.FilmCut(
        version=cut.version,
        asset=cut.asset,
        sha256=cut.sha256,
        duration=to_duration(cut.duration_seconds),
        create_time=to_timestamp(cut.create_time),
        quality=cut.quality,
        findings=cut.findings,
        prompt_match=cut.prompt_match,
        not_measured=cut.not_measured,
        shots=cut.shots,
        restored=cut.restored,
    )
