"""Words are looked at as they are sent: what a translation says counts, not what it was made of."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.common.errors import Moderated, Unavailable
from services.orchestrator.adapters.messages import load_texts
from services.orchestrator.adapters.moderation import load_rules
from services.orchestrator.domain.films.film import FilmState
from services.orchestrator.domain.films.shots import Line
from services.orchestrator.domain.job import JobState
from services.orchestrator.domain.moderation import depicted
from services.orchestrator.domain.policy import ModerationPolicy, TenantPolicy
from services.orchestrator.domain.values import Compiled
from services.orchestrator.flows.generate_video import generate_video
from services.orchestrator.usecases.admission import Screen
from services.orchestrator.usecases.films.create import CreateFilm
from services.orchestrator.usecases.films.plan import FilmSource
from services.orchestrator.usecases.policies import FixedPolicies
from services.orchestrator.usecases.screening import ScreenedPrompts, ScreenWords
from tests.fakes.film_parts import NOW, MemoryFilms
from tests.fakes.journal import Crash, Journal
from tests.fakes.memory_ledger import MemoryLedger
from tests.fakes.orchestrator_parts import PlainPrompts, ScriptedGenerator
from tests.unit.orchestrator.examples import STORYBOARD, hosted, queued
from tests.unit.orchestrator.films.films import MODELS, Studio, film, shots
from tests.unit.orchestrator.films.test_plan import planning
from tests.unit.orchestrator.test_flow import parts
from tests.unit.orchestrator.test_moderation import Endpoint

RULES = Screen(rules=load_rules())
RULED = ScreenWords(screen=RULES)
GRAPHIC = "a beheading in the town square"
# Needs its words made ready, and takes every word as it stands.
ENGLISH = hosted("english", languages=("fr",))
OTHER = hosted("other", languages=("fr",))
TAKES_ALL = hosted("takes_all")


class Translating(PlainPrompts):
    """Says `words` in another language whatever it is given."""

    def __init__(self, words):
        super().__init__()
        self.words = words

    async def compile(self, order):
        self.compiled.append(order.model.id)
        return Compiled(replace(order.wanted, prompt=self.words, prompt_language="fr"))


def made_by(job, generator, *models, screening=RULED, prompts=None, **others):
    """A job's store and steps, with everything looked at before it is sent."""
    words = prompts or Translating(GRAPHIC)
    jobs, steps = parts(job, generator, *models, prompts=words, **others)
    compiling = ScreenedPrompts(
        compiling=steps.attempting.compiling, screening=screening, texts=load_texts()
    )
    return jobs, replace(steps, attempting=replace(steps.attempting, compiling=compiling))


@pytest.mark.parametrize(
    "models", [(ENGLISH,), (ENGLISH, OTHER), (ENGLISH, TAKES_ALL), (ENGLISH, STORYBOARD)]
)
@pytest.mark.parametrize("variations", [1, 3])
async def test_a_translation_that_is_flagged_reaches_no_vendor_and_costs_nothing(
    models, variations
):
    generator, ledger = ScriptedGenerator(cost=lambda _: 50_000), MemoryLedger()
    jobs, steps = made_by(queued(variations), generator, *models, ledger=ledger)
    await generate_video("j1", steps, Journal())
    job = jobs.jobs["j1"]
    assert (generator.begun, generator.sent) == ([], {})
    assert (job.state, job.cost_micros) == (JobState.FAILED, 0)
    assert all((a.open, a.settled) == (0, None) for a in ledger.accounts.values())
    assert job.error is not None
    assert (job.error.reason, job.error.metadata["category"]) == ("MODERATED", "violence/graphic")
    assert job.error.metadata["charged"] == "no"


@given(seed=st.integers(0, 10**6), variations=st.integers(1, 3))
@settings(max_examples=40, deadline=None)
async def test_a_crash_lets_no_flagged_word_through(seed, variations):
    generator = ScriptedGenerator()
    jobs, steps = made_by(queued(variations), generator, ENGLISH, TAKES_ALL)
    journal = Journal(chance=0.3, seed=seed)
    while True:
        journal.count = 0
        try:
            await generate_video("j1", steps, journal)
            break
        except Crash:
            continue
    assert generator.begun == []
    assert jobs.jobs["j1"].state is JobState.FAILED


async def test_what_passes_is_sent_as_it_was_looked_at():
    generator, endpoint = ScriptedGenerator(), Endpoint()
    screening = ScreenWords(screen=replace(RULES, endpoint=endpoint))
    prompts = Translating("un phare au crépuscule")
    jobs, steps = made_by(queued(), generator, ENGLISH, screening=screening, prompts=prompts)
    await generate_video("j1", steps, Journal())
    assert jobs.jobs["j1"].state is JobState.SUCCEEDED
    assert endpoint.asked == [sent.prompt for sent in generator.sent.values()]


async def test_while_the_endpoint_is_away_the_policy_decides_about_a_translation_too():
    away = replace(RULES, endpoint=Endpoint(away=True))
    prompts = Translating("un phare")
    generator = ScriptedGenerator()
    screening = ScreenWords(screen=away)
    jobs, steps = made_by(queued(), generator, ENGLISH, screening=screening, prompts=prompts)
    await generate_video("j1", steps, Journal())
    job = jobs.jobs["j1"]
    assert any("by rules alone" in told for told in job.warnings)
    assert len(generator.begun) == 1

    strict = TenantPolicy(moderation=ModerationPolicy(refuse_when_away=True))
    screening = ScreenWords(screen=away, policies=FixedPolicies(strict))
    generator = ScriptedGenerator()
    jobs, steps = made_by(queued(2), generator, ENGLISH, screening=screening, prompts=prompts)
    await generate_video("j1", steps, Journal())
    assert generator.begun == []
    assert jobs.jobs["j1"].state is JobState.FALLBACK  # another moment may help


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Children play. Avoid: nude, cars.", "Children play. "),
        ("Children play. Style: anime. Avoid: nude.", "Children play. Style: anime. "),
        ("Avoid: nude. Children play.", "Avoid: nude. Children play."),
        ("Children play", "Children play"),
    ],
)
def test_what_must_not_be_seen_is_not_taken_for_what_is_asked_for(text, shown):
    assert depicted(text) == shown


@pytest.mark.parametrize(
    "flagged",
    [
        {"prompt": GRAPHIC},
        {"sound": f"the noise of {GRAPHIC}"},
        {"lines": (Line(text=f"I saw {GRAPHIC}."),)},
    ],
)
async def test_a_film_is_refused_before_anything_is_written_or_bought(flagged):
    told = replace(shots(2)[1], **flagged)
    films, nothing = MemoryFilms(), MemoryLedger()
    create = CreateFilm(
        plan=planning(),
        films=films,
        ledger=nothing,
        books=None,  # type: ignore[arg-type]  # nothing is set before words are looked at
        now=lambda: NOW,
        new_id=lambda: "f1",
        screening=RULED,
    )
    source = FilmSource(shots=(shots(1)[0], told))
    with pytest.raises(Moderated, match="nothing was sent or paid"):
        await create("acme", film().brief, source)
    assert films.films == {}


async def test_what_a_film_asks_the_endpoint_is_each_text_once():
    endpoint = Endpoint()
    screening = ScreenWords(screen=replace(RULES, endpoint=endpoint))
    told = (*shots(2), replace(shots(1)[0], shot_id="again"))
    await screening.film("acme", film().brief, told)
    assert sorted(endpoint.asked) == [
        "Emma looks at picture 1",
        "Emma looks at picture 2",
        "This is line 1.",
        "This is line 2.",
        "calm",
    ]


async def test_a_still_whose_translation_is_flagged_is_not_bought():
    asks = tuple(
        replace(m, image=True) if m.task == "video" else m
        for m in (replace(m, languages=("fr",)) if m.task == "image" else m for m in MODELS)
    )
    told = shots(1, providers={"image": "vendor_picture"})
    studio = Studio.of(
        film(of=told, music="off"), models=asks, prompts=Translating(GRAPHIC), screening=RULED
    )
    await studio.make()
    assert not any(order.model == "vendor_picture" for order in studio.works.begun.values())


async def test_what_is_bought_for_a_film_is_looked_at_as_it_is_sent():
    # The rules grew since the film was created: what it says is looked at again.
    said = replace(shots(1)[0], lines=(Line(text=f"I saw {GRAPHIC}."),))
    studio = Studio.of(film(of=(said,), music="off"), screening=RULED)
    made = await studio.make()
    assert made.state is not FilmState.SUCCEEDED
    assert not any("audio" in request for request in studio.works.begun)


async def test_a_shot_is_not_remade_into_what_may_not_be_shown():
    studio = Studio.of(film(1))
    before = await studio.make()
    command = studio.command(screening=RULED)
    with pytest.raises(Moderated):
        await command.regenerate("acme", "films/f1", 1, feedback=GRAPHIC, request_id="r1")
    assert studio.films.films["f1"] == before


async def test_a_film_waits_for_an_endpoint_that_is_away_where_the_policy_minds():
    strict = TenantPolicy(moderation=ModerationPolicy(refuse_when_away=True))
    away = replace(RULES, endpoint=Endpoint(away=True))
    screening = ScreenWords(screen=away, policies=FixedPolicies(strict))
    with pytest.raises(Unavailable):
        await screening.film("acme", film().brief, shots(1))
