"""The still that a shot begins with is asked for in words that its model takes, always the same."""

from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.orchestrator.domain.films.film import FilmState
from services.orchestrator.domain.films.works import PictureWork
from services.orchestrator.domain.prices import Price, PriceTier
from tests.fakes.journal import Crash, Journal
from tests.unit.orchestrator.films.films import MODELS, Studio, film, shots

PLAIN = tuple(replace(m, image=True) if m.task == "video" else m for m in MODELS)
ENGLISH = tuple(
    replace(m, languages=("en",), max_prompt_characters=20) if m.task == "image" else m
    for m in PLAIN
)


def stills(studio):
    """What was asked of the models that make pictures."""
    works = (order.work for order in studio.works.begun.values())
    return [work for work in works if isinstance(work, PictureWork)]


def swahili(count=2):
    """A film in Swahili whose shots begin with stills."""
    told = shots(count, providers={"image": "vendor_picture"})
    return film(of=told, language="sw", music="off")


@given(seed=st.integers(0, 10**6))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
async def test_a_still_is_asked_for_in_the_same_words_whatever_dies(seed):
    # The fake makes other words with every call, and other words under one id are refused.
    studio, journal = Studio.of(swahili(), models=ENGLISH), Journal(chance=0.12, seed=seed)
    while True:
        journal.count = 0
        try:
            made = await studio.make(journal=journal)
            break
        except Crash:
            continue
    assert made.state is FilmState.SUCCEEDED
    assert ["[for vendor_picture" in work.prompt for work in stills(studio)] == [True, True]
    assert "compiled for vendor_picture" in made.warnings


async def test_words_that_a_model_takes_are_sent_as_they_are():
    studio = Studio.of(swahili(1), models=PLAIN)
    made = await studio.make()
    [work] = stills(studio)
    assert work.prompt == "Emma looks at picture 1"
    assert made.warnings == ()
    assert studio.prompts.compiled == []


async def test_without_the_prompt_service_a_still_is_made_all_the_same():
    class Lost:
        compiled = ()

        async def compile(self, order):
            raise TimeoutError

    studio = Studio.of(swahili(1), models=ENGLISH, prompts=Lost())
    made = await studio.make()
    [work] = stills(studio)
    assert made.state is FilmState.SUCCEEDED
    assert "Emma looks at picture 1".startswith(work.prompt)
    assert len(work.prompt) <= 20
    assert len(made.warnings) == 3


async def test_a_still_of_no_size_is_held_at_the_price_of_the_dearest():
    tiers = tuple(
        PriceTier(amount_micros=micros, resolution=size)
        for micros, size in ((3_000, "720p"), (9_000, "4k"))
    )
    priced = replace(
        next(m for m in PLAIN if m.id == "vendor_picture"),
        price=Price(kind="per_image", tiers=tiers),
    )
    models = (*(m for m in PLAIN if m.id != priced.id), priced)
    studio = Studio.of(swahili(1), models=models)
    await studio.make()
    [still] = [o for o in studio.works.begun.values() if isinstance(o.work, PictureWork)]
    assert (still.max_price_micros, still.work.resolution) == (9_000, "")
