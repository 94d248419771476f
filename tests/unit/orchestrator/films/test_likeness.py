"""What follows a sheet is held against it, made again within the budget, and the best is kept."""

import random
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.common.errors import InvalidArgument
from services.orchestrator.adapters.messages import load_texts
from services.orchestrator.adapters.sql_films import dump_plan, dump_status, load
from services.orchestrator.convert.films import film_message, plan_message
from services.orchestrator.domain.films.brief import FilmBrief
from services.orchestrator.domain.films.characters import CharacterSheet
from services.orchestrator.domain.films.film import FilmState
from services.orchestrator.domain.films.likeness import Likeness, LikenessWish, retry_seed
from services.orchestrator.domain.films.strategy import VisualApproach
from services.orchestrator.domain.films.tasks import Piece, TaskState
from services.orchestrator.domain.films.works import LookWork, PictureWork
from services.orchestrator.domain.models import Availability
from services.orchestrator.domain.money.scopes import Scope, ScopeKind
from services.orchestrator.domain.notices import Notice, Said
from services.orchestrator.domain.prices import Price
from tests.fakes.film_parts import MemoryFilms, ScriptedWorks, Shelf
from tests.fakes.journal import Crash, Journal
from tests.fakes.memory_ledger import MemoryLedger
from tests.unit.orchestrator.films.films import MODELS, EndingJobs, Studio, local, shots
from tests.unit.orchestrator.films.test_characters import creating, five, planning
from tests.unit.orchestrator.films.test_reuse import Shop

EMMA = CharacterSheet(name="Emma", reference="assets/emma")
STILL = 3_000
CLIP = 50_000
LOOKING = local("clip", "check")
SEEING = (
    *(replace(m, image=m.task in {"image", "video"}, seed=m.task == "image") for m in MODELS),
    local("media_check", "check", video_required=True),
)
ABLE = (*SEEING, LOOKING)
STILLS = {"image": "vendor_picture"}
TWICE = LikenessWish(retries=2)


def scored(scores):
    """A generator of which the tries of a shot look as alike as `scores` tell, in their order."""
    works = ScriptedWorks(cost=lambda name: STILL if name in asked(works) else 0)

    def alike(order):
        _, task, _, part = order.request_id.split("/")
        found = scores[task.partition(".")[0]]
        return found[int(part) // 2] if int(part) // 2 < len(found) else found[-1]

    works.alike = alike
    return works


def asked(works, kind=PictureWork):
    """Every order of this kind by its id."""
    return {name: order for name, order in works.begun.items() if isinstance(order.work, kind)}


async def accepted(source, models=ABLE, films=None, **brief):
    """A film as it is accepted, and what it is kept in."""
    kept = films or MemoryFilms()
    settled = FilmBrief(**({"characters": (EMMA,), "providers": STILLS, "music": "off"} | brief))
    film = await creating(planning(models=models, emma="d1"), kept)("acme", settled, source)
    return film, kept


async def made(scores, source=None, models=ABLE, *, limit=None, **parts):
    """The film as it ends, and its studio; `limit` is what the film may cost."""
    brief = parts.pop("brief", {})
    films = parts.pop("films", None)
    film, kept = await accepted(source or five(), models, films, **brief)
    if limit is not None:
        kept.films[film.id] = limited(film, limit)
    studio = Studio(kept, works=scored(scores), models=models, **parts)
    return await studio.make(f"{film.id}.1"), studio


def limited(film, micros):
    """The film with a limit of its own."""
    return replace(film, brief=replace(film.brief, budget_limit_micros=micros))


def score_of(task):
    """How alike what the task has made is to the sheet."""
    return task.pieces[0].likeness.score


def one(**facts):
    return replace(five(), shots=shots(1, characters=("Emma",), **facts))


async def test_five_shots_carry_the_sheet_and_each_has_its_score():
    film, studio = await made({f"s{n}": [0.7 + n / 50] for n in range(1, 6)})
    pictures, looks = asked(studio.works), asked(studio.works, LookWork)
    assert [order.work.reference.asset for order in pictures.values()] == ["assets/emma"] * 5
    assert [order.work.alike.asset for order in looks.values()] == ["assets/emma"] * 5
    stills = [film.task(f"s{n}.image") for n in range(1, 6)]
    scores = [score_of(task) for task in stills]
    assert scores == pytest.approx([0.72, 0.74, 0.76, 0.78, 0.8])
    told = {task.id: task.likeness for task in film_message(film).tasks if task.shot}
    assert round(told["s3.image"].score, 4) == 0.76
    assert (told["s3.image"].character, told["s3.image"].tries) == ("Emma", 1)
    assert not told["s3.animation"].character
    assert film.warnings == ()
    assert film.cost_micros == 5 * (STILL + CLIP)


async def test_below_the_threshold_it_is_made_again_with_another_seed_and_the_best_is_kept():
    film, studio = await made({"s1": [0.4, 0.8]}, one(seed=7))
    first, second = asked(studio.works).values()
    assert (first.work.seed, second.work.seed) == (7, retry_seed(film.id, "s1.image", 1, 1))
    assert second.request_id == f"{film.id}/s1.image/1.1/2"
    assert second.work.reference == first.work.reference
    task = film.task("s1.image")
    assert [each.piece.likeness.score for each in task.tries] == [0.4, 0.8]
    assert task.pieces == (task.tries[1].piece,)
    assert (task.cost_micros, task.state, film.warnings) == (2 * STILL, TaskState.SUCCEEDED, ())
    # The clip begins with the one that was kept.
    [job] = studio.jobs.jobs.values()
    assert job.request.image.asset == task.pieces[0].asset


async def test_when_no_try_is_alike_the_best_is_kept_and_a_warning_tells_its_score():
    film, _ = await made({"s1": [0.5, 0.3]}, one())
    task = film.task("s1.image")
    assert score_of(task) == 0.5
    assert task.state is TaskState.DEGRADED
    assert load_texts().say("en", film.warnings) == (
        "s1.image looks less like Emma than was asked: 0.50 of at least 0.70, the best of 2.",
    )
    assert film.state is FilmState.SUCCEEDED


@pytest.mark.parametrize(
    ("wish", "tries"),
    [
        (LikenessWish(least=0.0), 1),
        (LikenessWish(retries=0), 1),
        (LikenessWish(retries=3), 4),
        (LikenessWish(least=0.3), 1),
        (LikenessWish(least=0.9, retries=2), 3),
        (LikenessWish(), 2),
    ],
)
async def test_the_film_says_how_alike_and_how_often(wish, tries):
    film, studio = await made({"s1": [0.4]}, one(), brief={"consistency": wish})
    assert len(asked(studio.works)) == tries
    assert len(film.task("s1.image").tries) == tries


async def test_the_films_limit_stops_retries_before_they_take_what_others_need():
    plain, _ = await accepted(five())
    estimate = plain.estimate_micros
    poor = {f"s{n}": [0.2, 0.9] for n in range(1, 6)}
    for room, again in ((0, 0), (STILL - 1, 0), (STILL, 1), (3 * STILL, 3), (9 * STILL, 5)):
        film, studio = await made(poor, limit=estimate + room)
        assert len(asked(studio.works)) == 5 + again, room
        assert film.state is FilmState.SUCCEEDED
        assert film.cost_micros == estimate + again * STILL <= estimate + room
        said = [w for w in film.warnings if isinstance(w, Notice) and w.key is Said.UNLIKE_AND_POOR]
        assert len(said) == 5 - again


async def test_a_budget_of_the_tenant_that_does_not_hold_it_stops_it_too():
    ledger = MemoryLedger()
    ledger.limits["acme", Scope(ScopeKind.TENANT, "acme")] = 2 * STILL + CLIP - 1
    film, studio = await made({"s1": [0.2, 0.9]}, one(), ledger=ledger)
    # The clip waits for the still: the retry is bought and the clip does without.
    assert len(asked(studio.works)) == 2
    ledger = MemoryLedger()
    ledger.limits["acme", Scope(ScopeKind.TENANT, "acme")] = 2 * STILL - 1
    film, studio = await made({"s1": [0.2, 0.9]}, one(), ledger=ledger)
    assert len(asked(studio.works)) == 1
    assert score_of(film.task("s1.image")) == 0.2
    assert film.warnings[0].key is Said.UNLIKE_AND_POOR
    assert studio.ledger.sums("acme", Scope(ScopeKind.TENANT, "acme"))[1] <= 2 * STILL - 1


async def test_a_retry_that_fails_leaves_the_first_and_is_not_tried_a_third_time():
    film, kept = await accepted(one(), consistency=LikenessWish(retries=3))
    works = scored({"s1": [0.2]})
    works.script = lambda name: "fail" if name.endswith("/2") else "ok"
    made_ = await Studio(kept, works=works, models=ABLE).make(f"{film.id}.1")
    assert list(asked(works)) == [f"{film.id}/s1.image/1.1/0", f"{film.id}/s1.image/1.1/2"]
    assert score_of(made_.task("s1.image")) == 0.2
    assert made_.state is FilmState.SUCCEEDED


@pytest.mark.parametrize("broken", ["1", "2"])
async def test_a_look_or_a_retry_that_is_cancelled_leaves_the_still_that_was_paid_for(broken):
    film, kept = await accepted(one())
    works = scored({"s1": [0.5]})
    works.cancelled = {f"{film.id}/s1.image/1.1/{broken}"}
    studio = Studio(kept, works=works, models=ABLE)
    still = (await studio.make(f"{film.id}.1")).task("s1.image")
    assert [piece.asset for piece in still.pieces] == [still.tries[0].piece.asset]
    assert still.cost_micros == STILL * len(asked(works))
    assert len(studio.works.begun) == len(set(studio.works.begun))


@pytest.mark.parametrize("outcome", ["cancelled", "fail"])
async def test_a_second_clip_that_is_cancelled_leaves_the_first_that_was_paid_for(outcome):
    film, kept = await accepted(one(), providers={})
    jobs = EndingJobs(lambda job: outcome if job.request_id.endswith("/1") else "ok")
    studio = Studio(kept, works=scored({"s1": [0.5]}), models=ABLE, jobs=jobs)
    clip = (await studio.make(f"{film.id}.1")).task("s1.animation")
    assert [piece.placeholder for piece in clip.pieces] == [False]
    assert (clip.state, len(clip.tries)) == (TaskState.DEGRADED, 1)
    assert clip.job == clip.tries[0].job
    assert len(jobs.accepted) == 2


async def test_a_retry_that_is_interrupted_for_ever_leaves_the_still_that_was_paid_for():
    film, kept = await accepted(one())
    works = scored({"s1": [0.5]})
    works.cost = lambda name: 0 if "image" in name and name.endswith("/2") else STILL
    works.script = lambda name: "interrupted" if name.endswith("/2") else "ok"
    made = await Studio(kept, works=works, models=ABLE).make(f"{film.id}.1")
    still = made.task("s1.image")
    assert [piece.asset for piece in still.pieces] == [still.tries[0].piece.asset]
    assert still.state is TaskState.DEGRADED
    assert any("could not be bought" in told for told in load_texts().say("en", made.warnings))


@pytest.mark.parametrize(
    "models",
    [
        SEEING,
        (*SEEING, replace(LOOKING, availability=Availability.NOT_INSTALLED)),
        (*MODELS, LOOKING),
    ],
)
async def test_where_nobody_can_look_it_is_not_measured_and_says_why(models):
    able = tuple(replace(m, image=m.task in {"image", "video"}) for m in models)
    film, studio = await made({"s1": [0.1]}, one(), able)
    assert asked(studio.works, LookWork) == {}
    assert len(asked(studio.works)) == 1
    [told] = [task.likeness for task in film_message(film).tasks if task.id == "s1.image"]
    assert not told.HasField("score")
    assert told.not_measured == "no model that compares pictures is installed and ready"
    assert film.warnings == ()


async def test_a_look_that_fails_or_tells_nothing_is_not_measured():
    film, kept = await accepted(one())
    works = scored({"s1": [None]})
    done = await Studio(kept, works=works, models=ABLE).make(f"{film.id}.1")
    again, kept = await accepted(one())
    broken = scored({"s1": [0.1]})
    broken.script = lambda name: "fail" if name.endswith("/1") else "ok"
    other = await Studio(kept, works=broken, models=ABLE).make(f"{again.id}.1")
    for each in (done, other):
        likeness = each.task("s1.image").pieces[0].likeness
        assert likeness == Likeness(character="Emma", why=Notice(Said.NOT_COMPARED))
        assert each.state is FilmState.SUCCEEDED
        assert each.warnings == ()
    assert len(asked(works)) == len(asked(broken)) == 1


@pytest.mark.parametrize("broken", ["none", "look", "retry"])
async def test_looks_and_retries_count_in_what_the_film_cost_also_where_nothing_came_of_them(
    broken,
):
    film, kept = await accepted(one())
    works = scored({"s1": [0.2, 0.9]})
    works.cost = lambda name: STILL if ".image/" in name else 0
    failing = {"look": "s1.image/1.1/1", "retry": "s1.image/1.1/2"}.get(broken, "nothing")
    works.script = lambda name: "fail" if name.endswith(failing) else "ok"
    studio = Studio(kept, works=works, models=ABLE)
    made = await studio.make(f"{film.id}.1")
    orders = len(asked(works)) + len(asked(works, LookWork))
    assert orders == {"none": 4, "look": 2, "retry": 3}[broken]
    assert made.task("s1.image").cost_micros == orders * STILL
    assert studio.booked(film.id) == (orders * STILL + CLIP,) * 2


async def test_a_retry_that_cannot_be_measured_makes_the_first_no_more_alike():
    film, studio = await made({"s1": [0.4, None, 0.9]}, one(), brief={"consistency": TWICE})
    task = film.task("s1.image")
    assert len(asked(studio.works)) == 2
    assert (score_of(task), task.state) == (0.4, TaskState.DEGRADED)
    assert load_texts().say("en", film.warnings) == (
        "s1.image looks less like Emma than was asked: 0.40 of at least 0.70, the best of 2.",
    )


async def test_a_still_of_a_model_that_takes_no_picture_is_not_held_against_one():
    blind = tuple(replace(m, image=False) if m.task == "image" else m for m in ABLE)
    film, studio = await made({"s1": [0.1]}, one(), blind)
    assert asked(studio.works, LookWork) == {}
    assert film.task("s1.image").pieces[0].likeness is None


async def test_a_clip_without_a_still_is_held_against_the_sheet_and_drawn_again():
    film, studio = await made({"s1": [0.5, 0.75]}, one(), brief={"providers": {}})
    jobs = {job.request_id: job for job in studio.jobs.jobs.values()}
    base = f"films/{film.id}/s1.animation/1.1"
    assert list(jobs) == [base, f"{base}/1"]
    first, second = (job.request for job in jobs.values())
    assert (first.seed, second.seed) == (None, retry_seed(film.id, "s1.animation", 1, 1))
    assert second.budget_limit_micros == CLIP
    assert replace(second, seed=None, budget_limit_micros=None) == first
    task = film.task("s1.animation")
    assert [each.job for each in task.tries] == [job.id for job in jobs.values()]
    assert task.job == jobs[f"{base}/1"].id
    assert task.pieces[0].asset == f"assets/{task.job}"
    assert (task.cost_micros, film.cost_micros) == (2 * CLIP, 2 * CLIP)
    first_kept, _ = await made({"s1": [0.5, 0.4]}, one(), brief={"providers": {}})
    task = first_kept.task("s1.animation")
    assert task.job == task.tries[0].job


async def test_a_stand_in_is_not_held_against_anybody():
    jobs = EndingJobs(lambda job: "ok" if job.request.model == "storyboard" else "fail")
    film, studio = await made({"s1": [0.1]}, one(), brief={"providers": {}}, jobs=jobs)
    assert film.task("s1.animation").pieces[0].placeholder
    assert asked(studio.works, LookWork) == {}


class DyingFilms(MemoryFilms):
    """Films whose process may die before or after any change of them is put down."""

    chance = random.Random(0)

    async def change(self, film_id, mutate):
        self.die()
        changed = await super().change(film_id, mutate)
        self.die()
        return changed

    def die(self):
        if self.chance.random() < 0.08:
            raise Crash


@given(seed=st.integers(0, 10**6), clips=st.booleans())
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
async def test_whatever_dies_each_try_is_paid_for_once_and_the_same_one_is_kept(seed, clips):
    scores = {"s1": [0.2, 0.6], "s2": [0.5, 0.4], "s3": [0.9]}
    told = replace(five(), shots=shots(3, characters=("Emma",)))
    film, kept = await accepted(told, providers={} if clips else STILLS)
    dying = DyingFilms(*kept.films.values())
    dying.chance = random.Random(seed)
    studio = Studio(dying, works=scored(scores), models=ABLE)
    studio.films.films[film.id] = limited(film, film.estimate_micros + 2 * (CLIP + STILL))
    journal = Journal(chance=0.08, seed=seed)
    while True:
        journal.count = 0
        try:
            ended = await studio.make(f"{film.id}.1", journal)
            break
        except Crash:
            continue
    assert ended.state is FilmState.SUCCEEDED
    kind = "animation" if clips else "image"
    found = [ended.task(f"{shot}.{kind}") for shot in scores]
    assert [len(task.tries) for task in found] == [2, 2, 1]
    assert [score_of(task) for task in found] == [0.6, 0.5, 0.9]
    paid = 5 * CLIP if clips else 5 * STILL + 3 * CLIP
    assert ended.cost_micros == paid
    assert ended.cost_micros <= (ended.brief.budget_limit_micros or 0)
    assert studio.ledger.sums("acme", Scope(ScopeKind.FILM, film.id)) == (0, paid)
    assert len(studio.jobs.accepted) == (5 if clips else 3)
    assert load(dump_plan(ended), dump_status(ended)) == ended


async def test_a_clip_that_was_paid_for_is_kept_though_the_library_now_has_one():
    """The process dies between two tries, and its film asks the library first."""
    film, kept = await accepted(one(), providers={})
    mixed = replace(film.strategy, visual_approach=VisualApproach.HYBRID_STOCK_FIRST)
    kept.films[film.id] = replace(film, strategy=mixed)
    works, library = scored({"s1": [0.2, 0.9]}), Shelf()
    plain = works.alike

    def dying(_):
        works.alike = plain
        library.clips["picture 1"] = Piece(asset="assets/stock", sha256="5e", duration_seconds=9.0)
        raise Crash

    works.alike = dying
    studio, journal = Studio(kept, works=works, models=ABLE, library=library), Journal()
    with pytest.raises(Crash):
        await studio.make(f"{film.id}.1", journal)
    journal.count = 0
    ended = await studio.make(f"{film.id}.1", journal)
    task = ended.task("s1.animation")
    assert len(task.tries) == len(studio.jobs.accepted) == 2
    assert task.pieces == (task.tries[1].piece,)


async def test_what_a_clip_has_spared_is_booked_though_its_process_died_before_it_was_kept():
    film, kept = await accepted(one(), providers={})
    kept.films[film.id] = film.with_task(
        film.update_time, "s1.animation", lambda t: replace(t, usual_micros=3 * CLIP)
    )
    works = scored({"s1": [0.9]})
    plain = works.alike

    def dying(_):
        works.alike = plain
        raise Crash

    works.alike = dying
    studio, journal = Studio(kept, works=works, models=ABLE), Journal()
    with pytest.raises(Crash):
        await studio.make(f"{film.id}.1", journal)
    journal.count = 0
    ended = await studio.make(f"{film.id}.1", journal)
    assert len(studio.jobs.accepted) == 1
    assert ended.task("s1.animation").spared_micros == 2 * CLIP
    assert load(dump_plan(ended), dump_status(ended)) == ended


async def test_the_plan_tells_the_worst_case_apart_from_the_price():
    brief = FilmBrief(characters=(EMMA,), providers=STILLS, music="off")
    plan = await planning(models=ABLE, emma="d1")("acme", brief, five())
    price = 5 * (STILL + CLIP)
    assert (plan.estimate.max_micros, plan.estimate.worst_micros) == (price, price + 5 * STILL)
    told = plan_message(plan)
    assert told.worst_price.nanos == (price + 5 * STILL) * 1000
    twice = replace(brief, consistency=LikenessWish(retries=2))
    plan = await planning(models=ABLE, emma="d1")("acme", twice, five())
    assert plan.estimate.worst_micros == price + 10 * STILL
    clips = await planning(models=ABLE, emma="d1")("acme", replace(brief, providers={}), five())
    assert clips.estimate.worst_micros == 10 * CLIP
    for models, other in (
        (SEEING, brief),
        (ABLE, replace(brief, characters=())),
        (ABLE, replace(brief, consistency=LikenessWish(least=0.0))),
    ):
        plan = await planning(models=models, emma="d1")("acme", other, five())
        assert plan.estimate.worst_micros == plan.estimate.max_micros


async def test_the_worst_case_knows_no_discount_for_batches_and_no_price_that_nobody_knows():
    unknown = tuple(replace(m, price=Price()) if m.task == "image" else m for m in ABLE)
    brief = FilmBrief(characters=(EMMA,), providers=STILLS, music="off")
    plan = await planning(models=unknown, emma="d1")("acme", brief, five())
    assert plan.estimate.worst_micros is None


@pytest.mark.parametrize(
    ("wish", "field"),
    [
        ({"least": 1.1}, "consistency.least"),
        ({"least": -0.1}, "consistency.least"),
        ({"retries": 4}, "consistency.retries"),
        ({"retries": -1}, "consistency.retries"),
    ],
)
def test_a_rule_that_cannot_be_names_its_field(wish, field):
    with pytest.raises(InvalidArgument) as caught:
        LikenessWish(**wish)
    assert caught.value.violations[0].field == field


def test_a_retrys_seed_is_always_the_same_and_never_anothers():
    seeds = {
        retry_seed("f1", f"s{shot}.image", 1, number) for shot in range(40) for number in (1, 2)
    }
    assert len(seeds) == 80
    assert all(0 <= seed < 2**31 for seed in seeds)
    assert retry_seed("f1", "s1.image", 1, 1) == retry_seed("f1", "s1.image", 1, 1)


async def test_another_film_of_the_same_wishes_is_served_with_every_try():
    shop, films = Shop(), MemoryFilms()
    bought = []
    for _ in range(2):
        film, studio = await made(
            {"s1": [0.2, 0.9]}, one(), films=films, ledger=shop.ledger, artefacts=shop.artefacts
        )
        bought.append(len(asked(studio.works)))
        assert score_of(film.task("s1.image")) == 0.9
    assert film.id == "f2"
    assert bought == [2, 0]
    assert (film.task("s1.image").cost_micros, film.task("s1.image").saved_micros) == (0, 2 * STILL)
