"""The flow of a job over its real steps: whatever dies, and wherever, the job ends once."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.common.errors import Unavailable
from services.orchestrator.adapters.messages import load_messages, load_texts
from services.orchestrator.domain.job import JobState
from services.orchestrator.domain.options import Routing
from services.orchestrator.domain.routing import Router
from services.orchestrator.domain.values import MAX_REPEATS
from services.orchestrator.flows.generate_video import cancel_video, generate_video
from services.orchestrator.usecases.afford import Affording
from services.orchestrator.usecases.attempt import AttemptVideo
from services.orchestrator.usecases.compiling import CompilePrompt
from services.orchestrator.usecases.finish import CancelVideo, FinishVideo
from services.orchestrator.usecases.prepare import PrepareVideo
from services.orchestrator.usecases.spend import Spending
from services.orchestrator.worker import Steps
from tests.fakes.journal import Crash, Journal
from tests.fakes.memory_ledger import MemoryLedger
from tests.fakes.orchestrator_parts import (
    FixedModels,
    MemoryJobs,
    PlainPrompts,
    Rests,
    ScriptedGenerator,
)
from tests.unit.orchestrator.examples import NOW, STORYBOARD, hosted, queued, unready

A, B = hosted("a"), hosted("b")


def parts(job, generator, *models, prompts=None, ledger=None, rests=None):
    jobs, rows = MemoryJobs(job), FixedModels(*(models or (A, B)))
    prompts = prompts or PlainPrompts()
    ledger = ledger or MemoryLedger()
    finish = FinishVideo(jobs=jobs, now=lambda: NOW, messages=load_messages(), texts=load_texts())
    steps = Steps(
        preparing=PrepareVideo(
            jobs=jobs,
            models=rows,
            prompts=prompts,
            router=Router(allow_placeholder=False),
            finish=finish,
            afford=Affording(ledger=ledger),
            now=lambda: NOW,
            texts=load_texts(),
        ),
        attempting=AttemptVideo(
            jobs=jobs,
            generator=generator,
            spending=Spending(ledger=ledger),
            now=lambda: NOW,
            rest=(rests or Rests()).rest,
            deadline=timedelta(hours=1),
            compiling=CompilePrompt(prompts=prompts, models=rows, texts=load_texts()),
        ),
        finishing=finish,
        cancelling=CancelVideo(jobs=jobs, generator=generator, finish=finish),
    )
    return jobs, steps


async def make(job, generator, *models, **others):
    jobs, steps = parts(job, generator, *models, **others)
    await generate_video(job.id, steps, Journal())
    return jobs.jobs[job.id], jobs


async def test_every_variation_is_made_once_and_in_its_place():
    generator = ScriptedGenerator()
    job, _ = await make(queued(3), generator)
    assert job.state is JobState.SUCCEEDED
    assert [job.clip(i).id for i in (1, 2, 3)] == ["j1/1/1", "j1/2/1", "j1/3/1"]
    assert sorted(generator.begun) == ["j1/1/1", "j1/2/1", "j1/3/1"]


async def test_one_variation_that_fails_leaves_the_others():
    generator = ScriptedGenerator(lambda i: "fail" if i.startswith("j1/2/") else "ok")
    job, _ = await make(queued(3), generator, A)
    assert job.state is JobState.PARTIAL
    assert [bool(job.clip(i)) for i in (1, 2, 3)] == [True, False, True]


@pytest.mark.parametrize("outcome", ["fail", "refused", "moderated", "unreachable"])
async def test_a_definitive_failure_lets_the_next_model_try(outcome):
    generator = ScriptedGenerator(lambda i: outcome if i == "j1/1/1" else "ok")
    job, _ = await make(queued(), generator)
    assert job.state is JobState.SUCCEEDED
    assert [(a.model, a.state) for a in job.attempts] == [("a", "failed"), ("b", "succeeded")]


async def test_a_failure_in_passing_repeats_the_same_model_and_then_lets_the_next_try():
    generator = ScriptedGenerator(lambda _: "again")
    rests = Rests()
    job, _ = await make(queued(), generator, rests=rests)
    assert [a.model for a in job.attempts] == ["a"] * MAX_REPEATS + ["b"] * MAX_REPEATS
    assert rests.taken == [*range(1, MAX_REPEATS + 1)] * 2, "a part that is away is given time"
    assert job.state is JobState.FALLBACK


@pytest.mark.parametrize(
    ("language", "word"), [("en", "Pole sana! Our AI"), ("sw", "Akili bandia")]
)
async def test_when_every_rung_fails_the_end_is_friendly(language, word):
    job, _ = await make(queued(language=language), ScriptedGenerator(lambda _: "fail"))
    assert job.state is JobState.FALLBACK
    assert word in job.fallback.message
    assert [o.method for o in job.fallback.retry_options] == [
        "GenerateVideo",
        "GenerateVideo",
        "ListVideoJobs",
    ]
    assert job.error.reason == "GENERATION_FAILED"
    assert job.cost_micros == 0


async def test_a_job_that_no_model_can_serve_any_more_fails_with_the_reason():
    job, _ = await make(queued(), ScriptedGenerator(), unready("a"), STORYBOARD)
    assert job.state is JobState.FAILED
    assert job.error.reason == "NO_MODEL"


async def test_a_prompt_service_that_comes_back_is_waited_for():
    prompts = PlainPrompts(Unavailable(), Unavailable())
    job, _ = await make(queued(), ScriptedGenerator(), prompts=prompts)
    assert job.state is JobState.SUCCEEDED


async def test_a_generator_that_comes_back_is_waited_for():
    generator = ScriptedGenerator()
    generator.away = 2
    job, _ = await make(queued(), generator)
    assert job.state is JobState.SUCCEEDED
    assert generator.begun == ["j1/1/1"]


async def test_a_job_that_was_cancelled_before_it_began_ends_at_once():
    generator = ScriptedGenerator()
    jobs, steps = parts(queued(), generator)
    await jobs.request_cancel("acme", "j1")
    await cancel_video("j1", steps, Journal())
    await generate_video("j1", steps, Journal())
    assert jobs.jobs["j1"].state is JobState.CANCELLED
    assert generator.begun == []
    assert [e.kind for e in jobs.log] == ["accepted", "cancelling", "ended"]


async def test_a_cancelled_attempt_is_tombstoned_and_no_other_begins():
    generator = ScriptedGenerator(lambda _: "hang")
    jobs, steps = parts(queued(), generator)
    await steps.prepare("j1")
    await steps.submit("j1", 1, 1, "a")
    await jobs.request_cancel("acme", "j1")
    await steps.cancel("j1")
    assert generator.cancelled == {"j1/1/1"}
    assert await steps.submit("j1", 1, 2, "b") == {"generation": "", "verdict": "done"}
    assert await steps.follow("j1", 1, 1, "generations/j1/1/1") == "done"
    await steps.finish("j1")
    assert jobs.jobs["j1"].state is JobState.CANCELLED
    assert generator.begun == ["j1/1/1"]


async def test_a_limit_travels_with_the_attempt():
    asked = queued(routing=Routing(max_price_micros=250_000))
    job, _ = await make(asked, ScriptedGenerator())
    assert job.state is JobState.SUCCEEDED


OUTCOMES = st.lists(st.sampled_from(["ok", "fail", "again", "refused"]), min_size=30, max_size=30)


@given(outcomes=OUTCOMES, seed=st.integers(0, 10**6), variations=st.integers(1, 3))
@settings(max_examples=80, deadline=None)
async def test_a_flow_that_dies_anywhere_ends_as_if_it_had_not(outcomes, seed, variations):
    def script(identifier):
        _, iteration, number = identifier.split("/")
        return outcomes[(int(iteration) * 10 + int(number) - 11) % len(outcomes)]

    calm, _ = await make(queued(variations), ScriptedGenerator(script))
    generator = ScriptedGenerator(script)
    jobs, steps = parts(queued(variations), generator)
    journal = Journal(chance=0.15, seed=seed)
    while True:
        journal.count = 0
        try:
            await generate_video("j1", steps, journal)
            break
        except Crash:
            continue
    job = jobs.jobs["j1"]
    assert job.state is calm.state
    assert {a.id: a.state for a in job.attempts} == {a.id: a.state for a in calm.attempts}
    assert len(generator.begun) == len(set(generator.begun)) == len(job.attempts)
    assert [e.sequence for e in jobs.log] == list(range(1, job.sequence + 1))
    assert sum(e.job.state.terminal for e in jobs.log) == 1
    percents = [e.job.progress_percent for e in jobs.log]
    assert percents == sorted(percents)
