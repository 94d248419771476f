"""Which preset "auto" stands for, by what a film is made from and by what can be reached."""

from dataclasses import replace

import pytest

from services.common.errors import InvalidArgument
from services.orchestrator.domain.films.brief import FilmBrief
from services.orchestrator.domain.films.picking import is_technical, pick_preset
from services.orchestrator.domain.films.ports import Breakdown
from services.orchestrator.domain.films.resources import ResourceSnapshot
from services.orchestrator.domain.films.shots import Line, Shot
from services.orchestrator.domain.models import Availability
from services.orchestrator.usecases.films.plan import FilmSource
from tests.fakes.film_parts import NOW, FixedMonitor
from tests.unit.orchestrator.films.films import MODELS, VENDOR
from tests.unit.orchestrator.films.test_plan import planning

AWAY = tuple(
    m if m.local or m.placeholder else replace(m, availability=Availability.UNREACHABLE)
    for m in MODELS
)
HERE = tuple(m for m in MODELS if m.local or m.placeholder)
STORY = Shot(shot_id="s1", prompt="Emma climbs into an attic", lines=(Line(text="It is cold."),))
REPORT = Shot(
    shot_id="s1",
    prompt="A reporter stands before the parliament",
    lines=(Line(text="Good evening. Our correspondent has the headlines."),),
)
HABARI = Shot(shot_id="s1", prompt="Mtangazaji: habari", lines=(Line(text="Taarifa ya leo"),))
DRAWN = Shot(shot_id="s1", prompt="A fox runs", styles=("anime",))


def shots(*found):
    return tuple(replace(shot, shot_id=f"s{n}") for n, shot in enumerate(found))


@pytest.mark.parametrize(("found", "title", "preset"), [
    ((STORY, STORY), "", "basic"),
    ((REPORT,), "", "news"),
    ((replace(STORY, styles=("news report",)),), "", "news"),
    ((replace(STORY, prompt="Emma reads the news in a studio"),), "", "basic"),
    ((HABARI,), "", "news"),
    ((DRAWN,), "", "cartoon"),
    ((DRAWN, STORY, STORY), "", "basic"),
    ((DRAWN, DRAWN, STORY), "", "cartoon"),
    ((STORY,), "A cartoon for Mia", "cartoon"),
    ((replace(REPORT, styles=("cartoon",)),), "", "cartoon"),
    ((replace(STORY, prompt="Katuni ya sungura"),), "", "cartoon"),
])  # fmt: skip
def test_what_a_film_is_made_from_picks_its_preset(found, title, preset):
    assert pick_preset(shots(*found), title, MODELS).preset == preset


@pytest.mark.parametrize(("models", "preset"), [
    (MODELS, "news"),
    (HERE, "news"),
    (AWAY, "offline"),
    ((*AWAY, replace(VENDOR, id="other")), "news"),
])  # fmt: skip
def test_a_network_that_is_away_picks_offline_and_no_vendor_at_all_does_not(models, preset):
    assert pick_preset((REPORT,), "", models).preset == preset


@pytest.mark.parametrize(("script", "preset", "style"), [
    (REPORT, "news", "news report"),
    (DRAWN, "cartoon", "cartoon"),
    (STORY, "basic", ""),
])  # fmt: skip
async def test_a_plan_is_made_by_the_preset_that_was_picked_and_says_why(script, preset, style):
    source = FilmSource(script="A script")
    plan = await planning(script=Breakdown(title="", shots=(script,)))(
        "acme", FilmBrief(preset="Auto"), source
    )
    assert (plan.brief.preset, plan.brief.rules.style) == (preset, style)
    assert f"preset {preset}: " in plan.strategy.reason


async def test_offline_is_picked_with_its_graph_and_nothing_outside_is_planned():
    plan = await planning(*AWAY)("acme", FilmBrief(preset="auto"), FilmSource(shots=(STORY,)))
    assert plan.brief.rules.offline
    assert {task.type for task in plan.tasks} >= {"retrieval", "audio", "music"}
    local = {m.id for m in HERE}
    assert {item.model for item in plan.estimate.items} <= local | {""}
    assert plan.estimate.max_micros == 0


async def test_a_preset_that_was_asked_for_is_left_as_it_is():
    plan = await planning()("acme", FilmBrief(preset="cartoon"), FilmSource(shots=(REPORT,)))
    assert plan.brief.preset == "cartoon"
    assert "preset" not in plan.strategy.reason
    with pytest.raises(InvalidArgument, match="auto, basic"):
        FilmBrief(preset="western")


LESSON = Shot(
    shot_id="s1",
    prompt="A cutaway of a jet engine",
    lines=(Line(text="Behind the turbine the gas is slower."),),
)


@pytest.mark.parametrize(("found", "title", "expected"), [
    ((LESSON,), "", True),
    ((STORY, replace(STORY, styles=("technical drawing",))), "", True),
    ((replace(STORY, prompt="Mchoro wa mtambo", lines=(Line(text="Mfumo wake"),)),), "", True),
    ((replace(LESSON, lines=()),), "", False),
    ((replace(LESSON, lines=()),), "How a reactor works", True),
    ((STORY, REPORT, DRAWN), "The engine of love", False),
])  # fmt: skip
def test_a_technical_topic_is_known_by_three_of_its_words(found, title, expected):
    assert is_technical(shots(*found), title) is expected


async def test_a_technical_film_is_drawn_first_and_then_looked_for():
    for shot, approach in ((LESSON, "hybrid_ai_first"), (STORY, "hybrid_stock_first")):
        plan = await planning()("acme", FilmBrief(), FilmSource(shots=(shot,)))
        assert plan.strategy.visual_approach == approach


async def test_a_large_machine_makes_a_demanding_film_with_as_much_at_once_as_it_bears():
    look = ResourceSnapshot(
        cpu_percent=65.0,
        memory_percent=5.0,
        cores=16,
        gpu_percent=1.0,
        gpu_memory_percent=1.0,
        gpu_gib=24,
        taken=NOW,
    )
    long = shots(*[replace(LESSON, duration_seconds=60.0)] * 6)
    for brief, width in ((FilmBrief(), 6), (FilmBrief(concurrency=4), 4)):
        plan = await planning(monitor=FixedMonitor(look))("acme", brief, FilmSource(shots=long))
        assert (plan.strategy.strategy_type, plan.strategy.max_concurrency) == ("adaptive", width)
