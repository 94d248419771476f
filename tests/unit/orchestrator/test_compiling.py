"""What a model is sent: made ready once, told, the same on every try, and never in the way."""

import asyncio
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.common.errors import InvalidArgument, Unavailable
from services.common.wording import cut, units
from services.orchestrator.adapters.messages import load_texts
from services.orchestrator.domain.compiling import CompileOrder, exact, is_ready, plainly
from services.orchestrator.domain.job import JobState
from services.orchestrator.domain.options import Enhance, Fit
from services.orchestrator.domain.routing import Router
from services.orchestrator.flows.generate_video import generate_video
from services.orchestrator.usecases.accept import as_asked
from services.orchestrator.usecases.compiling import CompilePrompt
from tests.fakes.journal import Crash, Journal
from tests.fakes.orchestrator_parts import FixedModels, PlainPrompts, ScriptedGenerator
from tests.unit.orchestrator.examples import STORYBOARD, WANTED, hosted, queued, request
from tests.unit.orchestrator.test_flow import make, parts

# Makes clips of 4 s alone, so that a prompt of 5 s has to be made ready for it.
PICKY, OTHER, EASY = (hosted(n, durations=(4.0,)) for n in ("picky", "other", "easy"))
EASY = replace(EASY, durations=())
ROUTER = Router(allow_placeholder=False)


def order(model, *, wanted=WANTED, language="en", **asked):
    """The words of an example for a model."""
    asked = {"prompt": wanted.prompt} | asked
    return CompileOrder(
        tenant="acme", request=request(**asked), wanted=wanted, model=model, language=language
    )


def caller(**values):
    """What the caller has set himself."""
    names = (name.removesuffix("_seconds") for name in values)  # as the contract calls them
    return replace(WANTED, **values, provenance=dict.fromkeys(names, "caller"))


async def test_each_model_of_the_chain_is_sent_its_own_words_and_the_job_says_so():
    prompts, generator = (
        PlainPrompts(),
        ScriptedGenerator(lambda i: "fail" if i[-1] < "3" else "ok"),
    )
    job, _ = await make(queued(), generator, PICKY, OTHER, EASY, prompts=prompts)
    assert job.state is JobState.SUCCEEDED
    tried = [attempt.asked for attempt in job.attempts]
    assert sorted(prompts.compiled) == ["other", "picky"]
    for attempt in job.attempts:
        sent = generator.sent[attempt.id].prompt
        assert (f"[for {attempt.asked}," in sent) == (attempt.asked != "easy")
    assert set(job.warnings) == {f"compiled for {name}" for name in tried if name != "easy"}
    assert job.quantified
    assert job.quantified.prompt == job.request.prompt == "a lighthouse at dusk"


async def test_variations_and_repeats_of_one_model_send_the_same_words():
    prompts = PlainPrompts()
    generator = ScriptedGenerator(lambda i: "again" if i.endswith("/1") else "ok")
    job, _ = await make(queued(4), generator, PICKY, prompts=prompts)
    assert job.state is JobState.SUCCEEDED
    assert len({sent.prompt for sent in generator.sent.values()}) == 1
    assert len(generator.sent) == 8


@given(seed=st.integers(0, 10**6), variations=st.integers(1, 3))
@settings(max_examples=60, deadline=None)
async def test_a_try_that_a_crash_interrupts_sends_what_it_sent_before(seed, variations):
    # The prompts of this fake differ with every call: only what was put down can be the same.
    generator, prompts = ScriptedGenerator(), PlainPrompts()
    jobs, steps = parts(queued(variations), generator, PICKY, prompts=prompts)
    journal = Journal(chance=0.3, seed=seed)
    while True:
        journal.count = 0
        try:
            await generate_video("j1", steps, journal)
            break
        except Crash:
            continue
    assert jobs.jobs["j1"].state is JobState.SUCCEEDED
    assert len({sent.prompt for sent in generator.sent.values()}) == 1


def test_only_what_the_caller_has_set_himself_is_binding_for_a_model():
    wanted = replace(WANTED, provenance={"duration": "caller", "fps": "preset", "style": "preset"})
    assert exact(wanted) == ("duration",)
    made, _ = plainly(order(hosted("m"), wanted=replace(wanted, style="news")))
    assert made.style == "news"  # nobody has said it in the words yet


async def test_a_prompt_service_that_is_lost_holds_up_no_job():
    model = hosted("a", max_prompt_characters=60, languages=("en",))
    asked = queued(prompt="Simba anatembea savana usiku " * 5, language="sw")
    job, _ = await make(asked, ScriptedGenerator(), model, prompts=LostWhenCompiling(language="sw"))
    assert job.state is JobState.SUCCEEDED
    [attempt] = job.attempts
    sent = job.compiled[attempt.asked]
    assert units(sent.prompt) <= 60
    assert asked.request.prompt.startswith(sent.prompt)
    assert len(job.warnings) == 3
    assert all(told.split()[0] in {"Huduma", "Maandishi", "Maneno"} for told in job.warnings)


async def test_a_prompt_service_that_hangs_is_not_waited_for():
    prompts = LostWhenCompiling(hangs=True)
    compiling = CompilePrompt(
        prompts=prompts, models=FixedModels(PICKY), texts=load_texts(), patience=0.01
    )
    made = await compiling.ready("acme", request(), WANTED, PICKY)
    assert made is not None
    assert "plain rules" in made.warnings[0]


@pytest.mark.parametrize(
    ("able", "wanted"),
    [
        ({}, {}),
        ({"durations": (5.0,), "resolutions": ("720p",), "aspect_ratios": ("*",)}, {}),
        ({"fps": (30,)}, {}),  # nobody asked for the default
        ({"min_fps": 8.0, "max_fps": 60.0}, {"fps": 24}),
        ({"negative_prompt": True}, {"negative_prompt": "cars"}),
        ({"style": True, "camera_motion": True}, {"style": "anime", "camera_motion": "orbit"}),
        ({"languages": ("en",)}, {}),
        ({"max_prompt_characters": 20}, {"prompt": "x" * 20}),
        ({"min_duration": 2.0, "max_duration": 5.0, "whole_seconds": True}, {}),
    ],
)
def test_what_a_model_takes_as_it_stands_needs_no_call(able, wanted):
    assert is_ready(order(hosted("m", **able), wanted=caller(**wanted)))


@pytest.mark.parametrize(
    ("able", "wanted"),
    [
        ({"durations": (4.0,)}, {}),
        ({"max_duration": 4.0}, {}),
        ({"whole_seconds": True}, {"duration_seconds": 4.5}),
        ({"resolutions": ("1080p",)}, {}),
        ({"aspect_ratios": ("9:16",)}, {}),
        ({"fps": (30,)}, {"fps": 24}),
        ({"max_fps": 16.0}, {"fps": 24}),
        ({}, {"negative_prompt": "cars"}),
        ({}, {"style": "anime"}),
        ({}, {"camera_motion": "orbit"}),
        ({"languages": ("en",)}, {"language": "sw"}),
        ({"max_prompt_characters": 19}, {"prompt": "x" * 20}),
        ({"max_prompt_characters": 10}, {"prompt": "🦁" * 6}),
        ({"text": False}, {}),
    ],
)
def test_what_a_model_cannot_take_as_it_stands_is_made_ready(able, wanted):
    assert not is_ready(order(hosted("m", **able), wanted=caller(**wanted)))


def test_what_the_caller_has_set_is_fixed_unless_the_nearest_will_do():
    wanted = caller(duration_seconds=7.0, style="anime")
    assert order(PICKY, wanted=wanted).fixed == ("duration",)
    assert order(PICKY, wanted=wanted, fit=Fit.NEAREST).fixed == ()
    assert order(STORYBOARD, wanted=wanted).fixed == ()


def test_without_the_prompt_service_the_words_stay_within_the_limit_and_nothing_is_silent():
    model = hosted("m", max_prompt_characters=80)
    wanted = caller(prompt="a long road " * 30, negative_prompt="cars", style="anime")
    made, told = plainly(order(model, wanted=wanted))
    assert units(made.prompt) <= 80
    assert made.prompt.endswith("Avoid: cars.")
    assert (made.negative_prompt, made.style) == ("", "anime")  # the generator says the style
    assert [notice.key for notice in told] == [
        "compiled_plainly",
        "negative_in_words",
        "prompt_cut",
    ]


def test_without_the_prompt_service_untouched_words_stay_untouched():
    wanted = caller(prompt="Polepole", language="sw", negative_prompt="magari", style="anime")
    model = hosted("m", max_prompt_characters=4, languages=("en",))
    made, told = plainly(order(model, wanted=wanted, enhance=Enhance.OFF))
    assert (made.prompt, made.negative_prompt, made.style) == ("Polepole", "", "")
    assert [notice.key for notice in told] == ["compiled_plainly", "not_carried", "not_translated"]


@pytest.mark.parametrize(("known", "asked", "told"), [
    ("", "en", None), ("", "", None), ("", "sw", "sw"), ("sw", "en", "sw"), ("en", "sw", None),
])  # fmt: skip
def test_words_that_nobody_has_looked_at_are_in_the_language_that_was_asked_for(known, asked, told):
    model = hosted("m", languages=("en",))
    _, notices = plainly(order(model, wanted=replace(WANTED, language=known), language=asked))
    found = [notice.values["language"] for notice in notices if notice.key == "not_translated"]
    assert found == ([told] if told else [])


def test_words_that_may_not_be_changed_and_are_too_long_are_refused_by_name():
    model = hosted("m", max_prompt_characters=10)
    for asked in ({"model": "m"}, {"model": "m", "fit": Fit.NEAREST}):
        untouched = request(prompt="x" * 11, enhance=Enhance.OFF, **asked)
        with pytest.raises(InvalidArgument, match=r"prompt.*m .*10 characters"):
            ROUTER.decide(untouched, as_asked(untouched), [model])
    changeable = request(prompt="x" * 11, model="m")
    assert ROUTER.decide(changeable, as_asked(changeable), [model]).chosen[0].model == "m"


def test_models_that_take_all_of_the_words_are_tried_before_those_that_take_a_part():
    short, whole = hosted("a", max_prompt_characters=10), hosted("b", max_prompt_characters=100)
    asked = request(prompt="x" * 11)
    chosen = ROUTER.decide(asked, as_asked(asked), [short, whole]).chosen
    assert [c.model for c in chosen] == ["b", "a"]
    assert "take all of the words" in chosen[1].reason
    brief = request(prompt="x")
    assert ROUTER.decide(brief, as_asked(brief), [short, whole]).chosen[0].model == "a"


@given(st.text(), st.integers(1, 40))
def test_a_cut_has_room_and_is_a_beginning(text, room):
    kept = cut(text, room)
    assert units(kept) <= room
    assert text.startswith(kept)
    assert kept == text or units(text) > room


class LostWhenCompiling(PlainPrompts):
    """Understands words, and is away, or hangs, when they are to be made ready."""

    def __init__(self, *, language="en", hangs=False):
        super().__init__()
        self.language = language
        self.hangs = hangs

    async def quantify(self, tenant, request):
        found, warnings = await super().quantify(tenant, request)
        return replace(found, language=self.language), warnings

    async def compile(self, order):
        if self.hangs:
            await asyncio.Event().wait()
        raise Unavailable("the prompt service is away")
