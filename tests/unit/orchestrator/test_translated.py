"""What the generator tells is told on in the language of the job, or of the film."""

from dataclasses import replace

import pytest

from services.generator.domain.sentences import Said, said, told
from services.orchestrator.adapters.wire import told_of
from services.orchestrator.domain.notices import Translated
from services.orchestrator.flows.generate_video import generate_video
from tests.fakes.film_parts import ScriptedWorks
from tests.fakes.journal import Journal
from tests.fakes.orchestrator_parts import ScriptedGenerator
from tests.unit.orchestrator.examples import queued
from tests.unit.orchestrator.films.films import Studio, film
from tests.unit.orchestrator.test_flow import parts

SENTENCE = said(Said.VALUE_TAKEN, field="fps", value="30", model="runway", taken="24")
WARNED = Translated(told(SENTENCE).texts)


class Telling(ScriptedGenerator):
    """Has something to say of every attempt."""

    def _view(self, *given, **more):
        return replace(super()._view(*given, **more), warnings=(WARNED,))


class TellingWorks(ScriptedWorks):
    """Has something to say of every effect."""

    def _view(self, request_id, state):
        view = super()._view(request_id, state)
        return replace(view, warnings=(WARNED,) if "audio" in request_id else ())


@pytest.mark.parametrize(("language", "words"), [("en", "is taken"), ("sw", "imetumika")])
async def test_a_job_tells_it_once_in_its_language(language, words):
    jobs, steps = parts(queued(2, language=language), Telling())
    await generate_video("j1", steps, Journal())
    [warning] = jobs.jobs["j1"].warnings
    assert warning.startswith("fps: ")
    assert words in warning


async def test_a_film_tells_it_with_the_part_that_it_is_of():
    studio = Studio.of(film(2, language="sw", music="off"), works=TellingWorks())
    made = await studio.make()
    assert sorted(made.warnings) == [
        f"{task}: fps: runway haina 30; 24 imetumika" for task in ("s1.audio", "s2.audio")
    ]


def test_a_generator_of_before_is_understood():
    [old] = told_of(["left out"], [])
    assert (old.said("en"), old.said("sw")) == ("left out", "left out")
    [new] = told_of(["left out"], [WARNED.texts])
    assert new == WARNED
