"""A film that may not leave this deployment: rules alone read and look at its words."""

from dataclasses import replace

import pytest

from services.common.errors import FailedPrecondition, Moderated
from services.orchestrator.adapters.sql_films import dump_plan, dump_status, load
from services.orchestrator.domain.films.asking import shot_request
from services.orchestrator.domain.films.brief import FilmBrief
from services.orchestrator.domain.films.film import Film, FilmState
from services.orchestrator.domain.films.ports import Breakdown
from services.orchestrator.domain.notices import Said
from services.orchestrator.domain.policy import ModerationPolicy, TenantPolicy
from services.orchestrator.usecases.films.plan import FilmSource
from services.orchestrator.usecases.policies import FixedPolicies
from services.orchestrator.usecases.screening import ScreenWords
from tests.fakes.film_parts import MemoryFilms
from tests.unit.orchestrator.films.films import Studio, film, local, shots
from tests.unit.orchestrator.films.test_characters import creating
from tests.unit.orchestrator.films.test_picking import AWAY
from tests.unit.orchestrator.films.test_plan import planning
from tests.unit.orchestrator.test_moderation import Endpoint
from tests.unit.orchestrator.test_screening import GRAPHIC, RULES

STORY = FilmSource(script="INT. ROOM - DAY")
OFFLINE = FilmBrief(preset="offline")


async def test_words_that_stay_here_are_looked_at_by_rules_alone_and_that_is_told():
    endpoint = Endpoint("violence")
    screening = ScreenWords(screen=replace(RULES, endpoint=endpoint))
    told = await screening.film("acme", OFFLINE, shots(3))
    assert [notice.key for notice in told] == [Said.MODERATION_NOT_ASKED]
    assert endpoint.asked == []
    flagged = replace(shots(1)[0], prompt=GRAPHIC)
    with pytest.raises(Moderated):
        await screening.film("acme", OFFLINE, [flagged])


async def test_who_demands_the_endpoints_word_gets_no_film_that_it_may_not_be_shown():
    strict = TenantPolicy(moderation=ModerationPolicy(refuse_when_away=True))
    endpoint = Endpoint()
    seen = ScreenWords(screen=replace(RULES, endpoint=endpoint), policies=FixedPolicies(strict))
    with pytest.raises(FailedPrecondition, match="policy demands the moderation endpoint"):
        await seen.film("acme", OFFLINE, shots(1))
    assert endpoint.asked == []


UNREACHED = (*AWAY, local("gpu_video", "video"))


@pytest.mark.parametrize("strict", [False, True])
async def test_auto_that_becomes_offline_is_looked_at_and_read_as_any_other_film(strict):
    endpoint = Endpoint()
    policy = TenantPolicy(moderation=ModerationPolicy(refuse_when_away=strict))
    seen = ScreenWords(screen=replace(RULES, endpoint=endpoint), policies=FixedPolicies(policy))
    plan = planning(*UNREACHED, script=Breakdown(title="", shots=shots(1)))
    create = replace(creating(plan, MemoryFilms()), screening=seen)
    made = await create("acme", FilmBrief(preset="auto", music="off"), STORY)
    assert (made.brief.preset, made.brief.rules.offline) == ("offline", True)
    assert {made.shots[0].prompt, made.shots[0].lines[0].text} <= set(endpoint.asked)
    assert plan.scripts.rules_only == [False]
    assert Said.MODERATION_NOT_ASKED not in {getattr(told, "key", "") for told in made.warnings}
    kept = load(dump_plan(made), dump_status(made))
    studio = Studio.of(replace(kept, state=FilmState.SUCCEEDED))
    command = replace(studio.command(), price=_free, screening=seen)
    await command.regenerate("acme", made.name, 1, feedback="at night", request_id="r1")
    assert studio.scripts.rules_only == [False]
    assert any("at night" in asked for asked in endpoint.asked)


def test_a_clip_of_auto_that_became_offline_is_neither_secret_nor_charged():
    asked = [
        shot_request(FilmBrief(preset="offline", picked=picked), shots(1)[0]).routing
        for picked in (False, True)
    ]
    assert [routing.local_only for routing in asked] == [True, False]
    assert [routing.allow_paid for routing in asked] == [True, False]


async def _free(_film: Film, _shot: str) -> None:
    """No budget is in the way."""


@pytest.mark.parametrize("preset", ["offline", "basic"])
async def test_feedback_and_scripts_of_an_offline_film_are_read_by_rules_alone(preset):
    studio = Studio.of(film(1, preset=preset))
    await studio.make()
    command = replace(studio.command(), price=_free)
    await command.regenerate("acme", "films/f1", 1, feedback="at night", request_id="r1")
    plan = planning(script=Breakdown(title="", shots=shots(1)))
    await plan("acme", film().brief if preset == "basic" else FilmBrief(preset=preset), STORY)
    read = (*studio.scripts.rules_only, *plan.scripts.rules_only)
    assert read == (preset == "offline", preset == "offline")
