"""A film that is stopped buys nothing more, and what it had ordered is followed and paid for."""

from dataclasses import replace

import pytest

from services.orchestrator.domain.films.film import FilmState
from services.orchestrator.domain.films.shots import Cue, Line
from services.orchestrator.domain.money.scopes import Scope, ScopeKind
from services.orchestrator.domain.prices import Price
from tests.fakes.film_parts import NOW, MemoryFilms, ScriptedWorks
from tests.fakes.journal import Crash, Journal
from tests.unit.orchestrator.films.films import MODELS, Studio, film, shots
from tests.unit.orchestrator.films.test_film_flow import command
from tests.unit.orchestrator.films.test_likeness import ABLE, STILL, accepted, asked, one, scored

SOUND = 2_000
PAID = tuple(
    replace(m, price=Price(kind="per_clip", amount_micros=SOUND))
    if m.task in {"sound", "speech"}
    else m
    for m in MODELS
)
WORDS = tuple(Line(text=f"This is line {number}.") for number in (1, 2, 3))


def stop(films):
    """The film with its cancelling on record."""
    [(film_id, going)] = films.films.items()
    if going.state is FilmState.RUNNING:
        films.films[film_id] = going.changed(NOW, state=FilmState.CANCELLING)


def looked_at(films):
    """A generator beside which the film is stopped at its first look, and how it looks alone."""
    works = scored({"s1": [0.2, 0.9]})
    plain = works.alike

    def looked(order):
        stop(films)
        return plain(order)

    works.alike = looked
    return works, plain


def paid(studio, film_id="f1"):
    """What is held for a film and what was charged."""
    return studio.ledger.sums("acme", Scope(ScopeKind.FILM, film_id))


class Stopped(ScriptedWorks):
    """A generator that is asked to stop, and whose client may die, while it makes this order."""

    def __init__(self, films, ending, *, dies):
        super().__init__(cost=lambda name: SOUND if "sound" in name or "audio" in name else 0)
        self.films, self.ending, self.dies = films, ending, dies

    async def watch(self, tenant, name, after):
        if name.endswith(self.ending):
            stop(self.films)
            if self.dies:
                self.dies = False
                raise Crash
        async for view in super().watch(tenant, name, after):
            yield view


async def ended(studio):
    """The film as its run ends, however often it dies."""
    journal = Journal()
    while True:
        journal.count = 0
        try:
            return await studio.make(journal=journal)
        except Crash:
            continue


async def test_a_still_that_is_not_alike_is_not_bought_again_once_the_film_is_stopped():
    film_, films = await accepted(one())
    works, _ = looked_at(films)
    studio = Studio(films, works=works, models=ABLE)
    made = await studio.make(f"{film_.id}.1")
    assert made.state is FilmState.CANCELLED
    assert len(asked(works)) == 1
    assert made.cost_micros == STILL
    assert paid(studio, film_.id) == (0, STILL)


async def test_a_film_that_goes_on_buys_what_is_still_missing_and_no_try_twice():
    film_, films = await accepted(one())
    works, plain = looked_at(films)
    studio = Studio(films, works=works, models=ABLE)
    await studio.make(f"{film_.id}.1")
    works.alike = plain
    again = await command(studio).resume("acme", film_.name, "", approve=False)
    made = await studio.make(f"{film_.id}.{again.run}")
    assert made.state is FilmState.SUCCEEDED
    assert [name.partition("/")[2] for name in asked(works)] == [
        "s1.image/1.1/0",
        "s1.image/1.2/2",
    ]
    task = made.task("s1.image")
    assert task.pieces == (task.tries[1].piece,)
    assert task.cost_micros == 2 * STILL
    # What is made anew begins with no tries.
    remade = made.remade(NOW, made.shots[0]).task("s1.image")
    assert (remade.tries, remade.granted) == ((), 0)


@pytest.mark.parametrize("dies", [False, True])
async def test_lines_after_the_one_that_was_being_spoken_are_not_bought(dies):
    films = MemoryFilms(film(1, of=(replace(shots(1)[0], lines=WORDS),)))
    works = Stopped(films, "audio/1.1/1", dies=dies)
    studio = Studio(films, works=works, models=PAID)
    made = await ended(studio)
    assert made.state is FilmState.CANCELLED
    assert [n for n in works.begun if "audio" in n] == ["f1/s1.audio/1.1/0", "f1/s1.audio/1.1/1"]
    held, charged = paid(studio)
    assert held == 0
    assert studio.booked()[0] == charged >= 2 * SOUND


@pytest.mark.parametrize("dies", [False, True])
async def test_sounds_that_were_ordered_are_settled_and_no_others_ordered(dies):
    cues = tuple(Cue(sound=sound, line=0) for sound in ("laughing", "sighing"))
    films = MemoryFilms(film(1, of=(replace(shots(1)[0], sound="rain", cues=cues),)))
    works = Stopped(films, "sound/1.1/1", dies=dies)
    studio = Studio(films, works=works, models=PAID)
    made = await ended(studio)
    assert made.state is FilmState.CANCELLED
    assert [n for n in works.begun if "sound" in n] == ["f1/s1.sound/1.1/0", "f1/s1.sound/1.1/1"]
    held, charged = paid(studio)
    assert held == 0
    assert studio.booked()[0] == charged >= 2 * SOUND


async def test_a_clip_that_is_not_alike_is_not_ordered_again_once_the_film_is_stopped():
    film_, films = await accepted(one(), providers={})
    works, _ = looked_at(films)
    studio = Studio(films, works=works, models=ABLE)
    made = await studio.make(f"{film_.id}.1")
    assert made.state is FilmState.CANCELLED
    assert len(studio.jobs.accepted) == 1
    assert studio.booked(film_.id) == (made.cost_micros, made.cost_micros)
