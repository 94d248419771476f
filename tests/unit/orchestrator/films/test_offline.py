"""A film that may not leave this deployment: rules alone read and look at its words."""

from dataclasses import replace

import pytest

from services.common.errors import FailedPrecondition, Moderated
from services.orchestrator.domain.films.brief import FilmBrief
from services.orchestrator.domain.films.film import Film
from services.orchestrator.domain.films.ports import Breakdown
from services.orchestrator.domain.notices import Said
from services.orchestrator.domain.policy import ModerationPolicy, TenantPolicy
from services.orchestrator.usecases.films.plan import FilmSource
from services.orchestrator.usecases.policies import FixedPolicies
from services.orchestrator.usecases.screening import ScreenWords
from tests.unit.orchestrator.films.films import Studio, film, shots
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
