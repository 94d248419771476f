"""A life after a crash asks for the same, whatever has become of the catalogue meanwhile."""

import itertools
import random
from contextlib import suppress
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from services.orchestrator.domain.films.film import FilmState
from services.orchestrator.domain.models import Availability, Model
from services.orchestrator.domain.prices import Price
from tests.fakes.film_parts import ScriptedWorks
from tests.fakes.journal import Crash
from tests.unit.orchestrator.films.films import MODELS, Studio, film
from tests.unit.orchestrator.films.test_reuse import MortalFilms

COST = 3_000
CHEAP = Model(
    id="cheap_speech",
    provider="cheap",
    task="speech",
    price=Price(kind="per_1k_characters", amount_micros=1_000),
)
VENDORS = tuple(model for model in MODELS if model.id != "here_speech")


def dearer(model: Model) -> Model:
    """The model at twice its price; the voice that was asked first is away."""
    amount = model.price.amount_micros
    price = replace(model.price, amount_micros=amount * 2) if amount else model.price
    away = Availability.CIRCUIT_OPEN if model.id == "vendor_speech" else model.availability
    return replace(model, price=price, availability=away)


RESTED = replace(CHEAP, availability=Availability.CIRCUIT_OPEN)
LIVES = ((*VENDORS, RESTED), (*map(dearer, VENDORS), CHEAP))


@given(seed=st.integers(0, 10**6))
@settings(max_examples=15, deadline=None)
async def test_what_was_asked_for_is_asked_for_again_and_of_the_same_model(seed: int) -> None:
    lives = itertools.cycle(LIVES)
    works = ScriptedWorks(cost=lambda r: COST if "audio" in r else 0)
    studio = Studio.of(works=works)
    studio.films = MortalFilms(random.Random(seed), film())
    while not studio.films.films["f1"].state.terminal:
        studio.models = next(lives)
        with suppress(Crash):
            await studio.make()
    made = studio.films.films["f1"]
    assert (made.state, made.warnings) == (FilmState.SUCCEEDED, ())
    cost, charged = studio.booked()
    assert cost == charged > 3 * COST
    # Nothing needed another try: no order came twice with another body.
    assert all("/1.1/" in r for r in works.begun if "/preview/" not in r)
