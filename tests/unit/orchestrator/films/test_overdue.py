"""An order without an end: the film goes on without what it does not need, and ends."""

import asyncio
from dataclasses import replace
from datetime import timedelta

from services.orchestrator.domain.films.film import FilmState
from services.orchestrator.domain.films.tasks import TaskState
from services.orchestrator.domain.money.scopes import Scope, ScopeKind
from services.orchestrator.domain.prices import Price
from services.orchestrator.domain.values import Failure
from tests.fakes.film_parts import ScriptedWorks
from tests.unit.orchestrator.films.films import MODELS, Studio, film
from tests.unit.orchestrator.films.test_film_flow import told

SHORT = timedelta(seconds=0.2)
PRICE = 2_000
PAID = tuple(
    replace(model, price=Price(kind="per_clip", amount_micros=PRICE))
    if model.task == "music"
    else model
    for model in MODELS
)


def endless(part):
    """A generator that never ends the orders of a part."""
    return ScriptedWorks(lambda order: "hang" if f"{part}/1.1/" in order else "ok")


async def test_a_film_goes_on_without_music_that_never_ends():
    works = endless("music")
    made = await Studio.of(film(), works=works, models=PAID, deadline=SHORT).make()
    assert (made.state, made.task("music").state) == (FilmState.SUCCEEDED, TaskState.DEGRADED)
    assert told(made) == ("music is missing: f1/music/1.1/0 did not end within 0:00:00.200000",)
    assert works.cancelled == {"f1/music/1.1/0"}
    assert [order for order in works.begun if "music" in order] == ["f1/music/1.1/0"]


async def test_what_is_held_for_an_order_that_never_ends_stays_held_until_it_is_known():
    studio = Studio.of(film(), works=endless("music"), models=PAID, deadline=SHORT)
    made = await studio.make()
    assert studio.ledger.sums("acme", Scope(ScopeKind.FILM, "f1"))[0] == PRICE
    assert made.task("music").order == "", "nobody follows it, so that late money is asked for"


async def test_speech_that_never_ends_is_spoken_here_at_once():
    studio = Studio.of(
        film(1, providers={"audio": "vendor_speech"}), works=endless("audio"), deadline=SHORT
    )
    made = await studio.make()
    assert made.state is FilmState.SUCCEEDED
    assert studio.works.begun["f1/s1.audio/1.2/0"].model == "here_speech"
    assert made.task("s1.audio").state is TaskState.DEGRADED


async def test_speech_that_never_ends_here_either_fails_the_film_and_says_so():
    works = ScriptedWorks(lambda order: "hang" if "audio" in order else "ok")
    made = await Studio.of(film(1), works=works, deadline=SHORT).make()
    assert (made.state, made.error.reason) == (FilmState.FAILED, "DEADLINE_EXCEEDED")
    assert not made.error.retryable


class Unanswered(ScriptedWorks):
    """A generator whose call for some orders was not answered, until an operator settles it."""

    async def watch(self, tenant, name, after):
        request_id = name.removeprefix("generations/")
        if self.script(request_id) == "unknown":
            yield self._view(request_id, "unknown_outcome")
            await asyncio.sleep(5 * SHORT.total_seconds())
        async for view in super().watch(tenant, name, after):
            yield view


async def test_what_the_film_can_do_without_is_not_waited_for_in_full_where_nobody_answered():
    works = Unanswered(lambda order: "unknown" if "music" in order else "ok")
    made = await Studio.of(film(1), works=works, unanswered=SHORT).make()
    assert (made.state, made.task("music").pieces) == (FilmState.SUCCEEDED, ())
    assert "was not answered, and not settled within 0:00:00.200000" in told(made)[0]


async def test_what_the_film_needs_is_waited_for_until_it_is_settled():
    works = Unanswered(lambda order: "unknown" if "audio" in order else "ok")
    made = await Studio.of(film(1), works=works, unanswered=SHORT).make()
    assert (made.state, made.task("s1.audio").attempt) == (FilmState.SUCCEEDED, 1)
    assert made.warnings == ()


async def test_what_fails_twice_names_the_vendors_own_reason():
    class Refused(ScriptedWorks):
        def _view(self, request_id, state):
            fault = Failure(reason="MODERATED", message="not these words")
            seen = super()._view(request_id, state)
            return replace(seen, error=fault) if seen.error else seen

    works = Refused(lambda order: "fail" if "audio" in order or "music" in order else "ok")
    made = await Studio.of(film(1), works=works).make()
    assert (made.state, made.error.reason) == (FilmState.FAILED, "MODERATED")
    assert made.error.message == "not these words"
