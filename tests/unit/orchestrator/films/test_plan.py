"""PlanFilm: batches, prices and what stands in the way; the figures of document 001."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from services.common.errors import (
    BudgetExceeded,
    InvalidArgument,
    NoCredentials,
    RequestConflict,
    Unavailable,
)
from services.generator.catalogue.loader import load_catalogue
from services.generator.convert.models import model_to_proto
from services.generator.domain.catalogue import Availability as Standings
from services.generator.domain.catalogue import Standing
from services.orchestrator.adapters.messages import load_texts
from services.orchestrator.adapters.models_client import _model
from services.orchestrator.convert.shot_list import shot_source
from services.orchestrator.domain.films.brief import FilmBrief
from services.orchestrator.domain.films.ports import Breakdown
from services.orchestrator.domain.films.resources import ResourceSnapshot
from services.orchestrator.domain.models import Availability
from services.orchestrator.domain.money.scopes import Scope, ScopeKind
from services.orchestrator.domain.routing import Router
from services.orchestrator.usecases.films.create import CreateFilm
from services.orchestrator.usecases.films.plan import FilmSource, PlanFilm
from tests.fakes.film_parts import (
    NOW,
    FixedMonitor,
    FixedScript,
    MemoryFilms,
    MemoryHistory,
)
from tests.fakes.memory_ledger import MemoryLedger
from tests.fakes.orchestrator_parts import FixedModels
from tests.unit.orchestrator.films.films import MODELS, local, shots

ROOT = Path(__file__).parents[4]
EXAMPLE = (ROOT / "examples/five_shots.json").read_text()


def catalogue(prices="seed-2025"):
    """Every row of the generator's catalogue, ready, as the orchestrator sees it."""
    ready = Standing(Standings.READY)
    rows = load_catalogue(prices)
    return tuple(_model(model_to_proto(row, ready)) for row in rows)


def planning(*models, script=None, scripts=None, monitor=None, history=None):
    """PlanFilm over these models."""
    catalogue_port: Any = FixedModels(*(models or MODELS))
    return PlanFilm(
        scripts=scripts or FixedScript(script or Breakdown(title="", shots=())),
        models=catalogue_port,
        router=Router(allow_placeholder=False),
        monitor=monitor or FixedMonitor(),
        history=history or MemoryHistory(),
    )


def example(count=5):
    """The example film, its shots repeated until there are so many."""
    five = json.loads(EXAMPLE)["shots"]
    many = [
        {**five[n % 5], "shot_id": f"s{n}", "sound": "", "background": False} for n in range(count)
    ]
    return shot_source(json.dumps(many))


@pytest.mark.parametrize(("preset", "count", "micros"), [
    ("budget", 5, 270_000),
    ("budget", 30, 1_620_000),
    ("budget", 100, 5_400_000),
    ("premium", 5, 4_665_000),
    ("premium", 30, 27_990_000),
    ("premium", 100, 93_300_000),
])  # fmt: skip
async def test_the_figures_of_the_document(preset, count, micros):
    plan = await planning(*catalogue())(
        "acme", FilmBrief(preset=preset, music="off"), example(count)
    )
    assert plan.estimate.max_micros == micros
    assert (plan.blockers, plan.warnings) == ((), ())


class Counting(Router):
    """A router that counts how often it decides."""

    decided = 0

    def decide(self, *arguments, **named):
        Counting.decided += 1
        return super().decide(*arguments, **named)


async def test_a_hundred_alike_shots_are_routed_once():
    """Planning a long film stays quick: the figure is in the benchmark `films`."""
    Counting.decided = 0
    plan = replace(planning(*catalogue()), router=Counting(allow_placeholder=False))
    long = FilmSource(shots=shots(100))
    made = await plan("acme", FilmBrief(preset="budget"), long)
    assert len(made.shots) == 100
    assert Counting.decided == 1


async def test_the_exact_sum_is_below_the_one_that_is_told():
    plan = await planning(*catalogue())("acme", FilmBrief(preset="budget", music="off"), example())
    characters = sum(len(shot["narration"]) for shot in json.loads(EXAMPLE)["shots"])
    speech = sum(-(-15_000 * len(s["narration"]) // 1000) for s in json.loads(EXAMPLE)["shots"])
    assert speech <= 15 * characters + 5
    assert plan.estimate.min_micros == 5 * 53_000 + speech


async def test_the_batches_are_those_of_document_003():
    plan = await planning()("acme", FilmBrief(music="off"), FilmSource(shots=shots(2)))
    assert plan.batches == (
        ("script",),
        ("s1.audio", "s2.audio", "s1.animation", "s2.animation"),
        ("captions",),
        ("composition",),
    )


async def test_a_picture_comes_before_its_clip():
    brief = FilmBrief(providers={"image": "vendor_picture"})
    plan = await planning()("acme", brief, FilmSource(shots=shots(1)))
    assert plan.batches == (
        ("script",),
        ("s1.audio", "s1.image", "music"),
        ("s1.animation", "captions"),
        ("composition",),
    )


async def test_a_shots_own_models_win():
    first, second = shots(2)
    source = FilmSource(shots=(replace(first, providers={"animation": "storyboard"}), second))
    brief = FilmBrief(providers={"animation": "vendor_video"})
    plan = await planning()("acme", brief, source)
    made_by = {item.task: item.model for item in plan.estimate.items}
    assert made_by["s1.animation"] == "storyboard"
    assert made_by["s2.animation"] == "vendor_video"


async def test_a_script_is_broken_into_shots_and_its_warnings_are_told():
    script = Breakdown(title="The sea", shots=shots(2), warnings=("a line was not understood",))
    plan = await planning(script=script)("acme", FilmBrief(), FilmSource(script="INT. ROOM - DAY"))
    assert (plan.brief.title, len(plan.shots)) == ("The sea", 2)
    assert plan.warnings == ("a line was not understood",)


@pytest.mark.parametrize("source", [FilmSource(), FilmSource(script="  "), FilmSource(script="x")])
async def test_nothing_to_see_is_refused(source):
    with pytest.raises(InvalidArgument, match="source"):
        await planning()("acme", FilmBrief(), source)


async def test_a_model_without_a_key_is_planned_with_its_price_and_told():
    locked = replace(
        MODELS[0], availability=Availability.NO_CREDENTIALS, missing=("VENDOR_API_KEY",)
    )
    brief = FilmBrief(providers={"animation": "vendor_video"}, music="off")
    plan = await planning(locked, *MODELS[1:])("acme", brief, FilmSource(shots=shots(2)))
    assert plan.estimate.max_micros == 100_000
    assert [type(blocker) for blocker in plan.blockers] == [NoCredentials]
    assert "VENDOR_API_KEY" in load_texts().say("en", plan.warnings)[0]
    assert "ufunguo" in load_texts().say("sw", plan.warnings)[0]


async def test_a_model_that_does_other_work_is_refused_by_name():
    brief = FilmBrief(providers={"audio": "vendor_video"})
    with pytest.raises(InvalidArgument, match="'vendor_video' does not make speech"):
        await planning()("acme", brief, FilmSource(shots=shots(1)))


async def test_words_that_take_longer_than_their_picture_are_told():
    (shot,) = shots(1)
    long = replace(shot, lines=(replace(shot.lines[0], text="word " * 40),))
    plan = await planning()("acme", FilmBrief(), FilmSource(shots=(long,)))
    late, long_one = load_texts().say("en", plan.warnings)
    assert "its words take about 14 s, its picture 2 s" in long_one
    assert late.startswith("The last words go on for about 12.5 s after the last picture")


@pytest.mark.parametrize(("letters", "told"), [(24, [("words_held", "0.7")]), (15, [])])
async def test_words_for_which_the_last_picture_stands_are_told(letters, told):
    """Each fits its own two seconds; but one waits for the other, and half a second is shared."""
    each = [replace(s, lines=(replace(s.lines[0], text="a" * letters),)) for s in shots(2)]
    plan = await planning()("acme", FilmBrief(), FilmSource(shots=tuple(each)))
    assert [(w.key, w.values["hold"]) for w in plan.warnings] == told


async def test_what_will_be_missing_costs_nothing():
    silent = [model for model in MODELS if model.task != "music"]
    plan = await planning(*silent)("acme", FilmBrief(), FilmSource(shots=shots(1)))
    assert plan.estimate.max_micros == 50_000


@pytest.mark.parametrize(("brief", "expected"), [
    ({}, ("parallel", 3)),
    ({"concurrency": 8}, ("parallel", 8)),
    ({"mode": "sequential", "concurrency": 8}, ("sequential", 1)),
    ({"mode": "adaptive", "concurrency": 5}, ("adaptive", 5)),
    ({"preset": "offline"}, ("sequential", 1)),
])  # fmt: skip
async def test_the_strategy_is_chosen_and_a_wish_wins(brief, expected):
    look = ResourceSnapshot(cpu_percent=5.0, memory_percent=5.0, cores=2, taken=NOW)
    plan = await planning(monitor=FixedMonitor(look))(
        "acme", FilmBrief(**brief), FilmSource(shots=shots(1))
    )
    assert (plan.strategy.strategy_type, plan.strategy.max_concurrency) == expected
    assert plan.strategy.reason


async def test_an_offline_film_names_nothing_of_a_vendor():
    plan = await planning()("acme", FilmBrief(preset="offline"), FilmSource(shots=shots(2)))
    made_here = {model.id for model in MODELS if model.local}
    assert {item.model for item in plan.estimate.items} <= made_here | {""}


def creating(films=None, ledger=None, **parts):
    """CreateFilm; limits that it sets are kept in the ledger."""
    ledger = ledger or MemoryLedger()

    class Books:
        async def set_limit(self, tenant, scope, limit_micros, request_id):
            ledger.limits[tenant, scope] = limit_micros

    books: Any = Books()
    return CreateFilm(
        plan=planning(**parts),
        films=films if films is not None else MemoryFilms(),
        ledger=ledger,
        books=books,
        now=lambda: NOW,
        new_id=iter(f"f{n}" for n in range(1, 99)).__next__,
    )


async def test_a_film_whose_budget_cannot_hold_is_refused_before_anything_is_written():
    films = MemoryFilms()
    create = creating(films)
    brief = FilmBrief(budget_limit_micros=140_000, music="off")
    with pytest.raises(BudgetExceeded, match=r"allows \$0\.14 .* \$0\.15 is needed"):
        await create("acme", brief, FilmSource(shots=shots(3)))
    assert films.films == {}


async def test_any_budget_of_the_tenant_that_cannot_hold_refuses_it():
    ledger = MemoryLedger()
    ledger.limits["acme", Scope(ScopeKind.PROJECT, "spring")] = 100_000
    brief = FilmBrief(project="spring", music="off")
    with pytest.raises(BudgetExceeded, match=r"project\.spring"):
        await creating(ledger=ledger)("acme", brief, FilmSource(shots=shots(3)))


async def test_a_films_own_budget_becomes_a_limit_of_the_ledger():
    ledger = MemoryLedger()
    film = await creating(ledger=ledger)(
        "acme", FilmBrief(budget_limit_micros=150_000), FilmSource(shots=shots(3))
    )
    assert ledger.limits == {("acme", Scope(ScopeKind.FILM, film.id)): 150_000}
    assert film.estimate_micros == 150_000


async def test_a_script_that_nobody_can_break_down_now_is_refused_and_can_be_sent_again():
    """There is no second try of less: who asked is told at once, and nothing is written."""

    class Away(FixedScript):
        async def break_down(self, tenant, script, *, rules_only=False):
            if self.away:
                raise Unavailable("the prompt service is away")
            return await super().break_down(tenant, script, rules_only=rules_only)

    films, ledger = MemoryFilms(), MemoryLedger()
    scripts = Away(Breakdown(title="A hill", shots=shots(2)))
    create = creating(films, ledger, scripts=scripts)
    asked = FilmBrief(budget_limit_micros=500_000), FilmSource(script="A hill at dawn.")
    scripts.away = True
    for _ in range(2):
        with pytest.raises(Unavailable):
            await create("acme", *asked, request_id="r1")
    assert (films.films, ledger.limits) == ({}, {})
    scripts.away = False
    film = await create("acme", *asked, request_id="r1")
    assert (film.brief.title, len(film.shots)) == ("A hill", 2)
    assert await create("acme", *asked, request_id="r1") == film


async def test_the_same_request_is_the_same_film_and_another_body_is_refused():
    films = MemoryFilms()
    create = creating(films)
    source = FilmSource(shots=shots(2))
    first = await create("acme", FilmBrief(), source, request_id="r1")
    assert await create("acme", FilmBrief(), source, request_id="r1") == first
    assert films.ordered == ["f1.1"]
    with pytest.raises(RequestConflict):
        await create("acme", FilmBrief(fps=25), source, request_id="r1")


async def test_a_film_that_wants_approval_is_not_begun():
    films = MemoryFilms()
    brief = FilmBrief(require_approval=True)
    film = await creating(films)("acme", brief, FilmSource(shots=shots(2)))
    assert (film.state, films.ordered) == ("awaiting_approval", [])


@pytest.mark.parametrize(("field", "value"), [
    ("preset", "luxury"),
    ("mode", "fast"),
    ("visual_approach", "none"),
    ("concurrency", 11),
    ("fps", 7),
    ("aspect_ratio", "17:9"),
    ("resolution", "721p"),
    ("transition", "star"),
    ("captions", "maybe"),
    ("budget_limit_micros", -1),
    ("language", "fr"),
    ("providers", {"smell": "x"}),
])  # fmt: skip
def test_a_brief_that_cannot_work_names_its_field(field, value):
    with pytest.raises(InvalidArgument) as refused:
        FilmBrief(**{field: value})
    assert refused.value.violations[0].field.startswith(field.removesuffix("_micros"))


@pytest.mark.parametrize(("bark", "kokoro"), [(30.0, 2.0), (30.0, None)])
async def test_of_voices_that_cost_the_same_the_fastest_that_is_installed_speaks(bark, kokoro):
    """What comes with the product is faster still; one that nobody has measured is tried."""
    own = local("espeak", "speech", languages=("en",), p50_seconds=0.1)
    installed = [
        replace(local(name, "speech", languages=("en",), p50_seconds=p50), provider="local")
        for name, p50 in (("bark", bark), ("kokoro", kokoro))
    ]
    models = (*(m for m in MODELS if m.task != "speech"), own, *installed)
    plan = await planning(*models)("acme", FilmBrief(music="off"), FilmSource(shots=shots(1)))
    assert [item.model for item in plan.estimate.items if item.type == "audio"] == ["kokoro"]


async def test_lines_are_spoken_by_a_voice_of_their_language_and_who_is_left_out_is_told():
    kokoro = local("kokoro", "speech", languages=("en", "fr"))
    models = (*(m for m in MODELS if m.task != "speech"), kokoro, local("zed_speech", "speech"))
    source = FilmSource(shots=shots(1))
    english = await planning(*models)("acme", FilmBrief(music="off"), source)
    swahili = await planning(*models)("acme", FilmBrief(music="off", language="sw"), source)
    voices = [
        [item.model for item in plan.estimate.items if item.type == "audio"]
        for plan in (english, swahili)
    ]
    assert voices == [["kokoro"], ["zed_speech"]]
    assert english.warnings == ()
    told = load_texts().say("sw", swahili.warnings)
    assert told == ('Sauti hizi hazizungumzi "sw": kokoro. zed_speech inasema maneno.',)
    named = FilmBrief(music="off", language="sw", providers={"audio": "kokoro"})
    with pytest.raises(InvalidArgument, match=r"kokoro does not speak 'sw'.*zed_speech"):
        await planning(*models)("acme", named, source)


async def test_placeholders_that_will_stand_in_for_a_named_model_are_told_before():
    locked = replace(
        MODELS[0], availability=Availability.NO_CREDENTIALS, missing=("VENDOR_API_KEY",)
    )
    planned = replace(planning(locked, *MODELS[1:]), router=Router(allow_placeholder=True))
    brief = FilmBrief(providers={"animation": "vendor_video"}, music="off")
    plan = await planned("acme", brief, FilmSource(shots=shots(3)))
    assert (plan.estimate.max_micros, plan.blockers) == (0, ())
    (told,) = load_texts().say("en", plan.warnings)
    assert told == "Placeholders will stand in for the clips of vendor_video: {}.".format(
        "vendor_video needs VENDOR_API_KEY"
    )
    drawn = FilmBrief(providers={"animation": "storyboard"}, music="off")
    assert (await planned("acme", drawn, FilmSource(shots=shots(1)))).warnings == ()
