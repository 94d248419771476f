"""Hours at which a film may begin: inside its window, or not at all and for nothing."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from services.common.errors import FailedPrecondition, InvalidArgument
from services.orchestrator.domain.films.brief import FilmBrief
from services.orchestrator.domain.films.film import FilmState
from services.orchestrator.usecases.films.create import CreateFilm
from services.orchestrator.usecases.films.plan import FilmSource
from tests.fakes.film_parts import NOW, MemoryFilms
from tests.fakes.memory_ledger import MemoryLedger
from tests.unit.orchestrator.films.films import Studio, film, shots
from tests.unit.orchestrator.films.test_plan import planning

HOUR = timedelta(hours=1)


def ordered(at, latest=NOW, **facts):
    """A film that was ordered at some hour and is to begin by another."""
    return replace(film(latest_start_time=latest), update_time=at, **facts)


def creating(films):
    """CreateFilm of this moment."""
    nothing: Any = None
    return CreateFilm(
        plan=planning(),
        films=films,
        ledger=MemoryLedger(),
        books=nothing,
        now=lambda: NOW,
        new_id=lambda: "f1",
    )


async def test_a_film_that_is_begun_in_time_is_made_to_its_end():
    made = await Studio.of(ordered(NOW - HOUR)).make()
    assert (made.state, made.start_time) == (FilmState.SUCCEEDED, NOW)


async def test_a_film_that_nobody_could_begin_in_time_fails_and_has_bought_nothing():
    studio = Studio.of(ordered(NOW - 2 * HOUR, latest=NOW - HOUR))
    made = await studio.make()
    assert (made.state, made.error.reason) == (FilmState.FAILED, "DEADLINE_EXCEEDED")
    assert "2026-11-21 11:00 UTC" in made.error.message
    assert (studio.jobs.accepted, dict(studio.works.begun)) == ([], {})
    assert studio.history.runs == {}, "a film that never began says nothing of its strategy"


async def test_who_resumes_it_afterwards_has_it_begun_at_once():
    studio = Studio.of(ordered(NOW - 2 * HOUR, latest=NOW - HOUR))
    missed = await studio.make()
    command = studio.command()
    await command.resume("acme", missed.name, "", approve=False)
    assert (await studio.make("f1.2")).state is FilmState.SUCCEEDED


async def test_an_approval_that_comes_too_late_is_refused():
    waiting = ordered(NOW - 2 * HOUR, latest=NOW - HOUR, state=FilmState.AWAITING_APPROVAL)
    studio = Studio.of(waiting)
    command = studio.command()
    with pytest.raises(FailedPrecondition, match="was to begin by 2026-11-21 11:00 UTC"):
        await command.resume("acme", waiting.name, "", approve=True)
    assert studio.films.ordered == []
    in_time = studio.command(NOW - HOUR)
    await in_time.resume("acme", waiting.name, "", approve=True)
    assert studio.films.ordered == ["f1.2"]


@pytest.mark.parametrize(("start", "latest", "field"), [
    (None, NOW, "latest_start_time"),
    (NOW + 2 * HOUR, NOW + HOUR, "latest_start_time"),
    (NOW + timedelta(days=31), None, "start_time"),
])  # fmt: skip
async def test_windows_that_cannot_be_are_refused_before_anything_is_written(start, latest, field):
    films = MemoryFilms()
    create = creating(films)

    async def ask():
        brief = FilmBrief(start_time=start, latest_start_time=latest)
        await create("acme", brief, FilmSource(shots=shots(1)))

    with pytest.raises(InvalidArgument, match=f"^{field}: "):
        await ask()
    assert films.films == {}


async def test_a_request_that_is_sent_again_after_its_hour_is_answered_with_the_film():
    films = MemoryFilms()
    create = creating(films)
    brief, source = FilmBrief(latest_start_time=NOW + HOUR), FilmSource(shots=shots(1))
    first = await create("acme", brief, source, request_id="r")
    later = replace(create, now=lambda: NOW + 2 * HOUR)
    assert await later("acme", brief, source, request_id="r") == first
