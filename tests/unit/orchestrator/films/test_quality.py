"""What is found in a cut: told with the cut, and a warning where it is below the gate."""

import pytest

from reelmesh.generator.v1 import generation_pb2
from services.orchestrator.adapters.messages import load_texts
from services.orchestrator.adapters.works_client import _view, task_of
from services.orchestrator.convert.films import film_message
from services.orchestrator.domain.films.works import ComposeWork, CutClip
from tests.unit.orchestrator.films.films import EndingJobs, Studio, film


async def test_every_clip_goes_to_the_check_with_the_words_of_its_shot():
    studio = Studio.of(film())
    await studio.make()
    work = studio.works.begun["f1/composition/1.1/0"].work
    assert [clip.shows for clip in work.clips] == [f"Emma looks at picture {n}" for n in (1, 2, 3)]
    sent = task_of(work).compose
    assert [clip.shows for clip in sent.clips] == [clip.shows for clip in work.clips]


async def test_a_storyboard_is_not_compared_with_the_words_that_it_writes():
    def script(job):
        return "fail" if "picture 2" in job.request.prompt and job.request.model == "auto" else "ok"

    studio = Studio.of(film(), jobs=EndingJobs(script))
    await studio.make()
    clips = studio.works.begun["f1/composition/1.1/0"].work.clips
    assert [bool(clip.shows) for clip in clips] == [True, False, True]


@pytest.mark.parametrize(("quality", "warned"), [
    ((0.9, 0.8, ()), False),
    ((0.5, 0.1, ()), True),
    ((1.0, None, ("prompt_match",)), False),
])  # fmt: skip
async def test_a_cut_tells_its_match_and_a_poor_one_is_warned_of(quality, warned):
    studio = Studio.of(film())
    studio.works.quality = quality
    made = await studio.make()
    cut = made.cuts[0]
    assert (cut.quality, cut.prompt_match, cut.not_measured) == quality
    told = film_message(made).cuts[0]
    assert told.HasField("prompt_match") == (quality[1] is not None)
    assert tuple(told.not_measured) == quality[2]
    warnings = load_texts().say("en", made.warnings)
    assert any("of quality 0.50" in warning for warning in warnings) == warned


def test_what_the_generator_tells_of_a_cut_is_read_as_it_was_told():
    found = generation_pb2.Quality(score=0.5, prompt_match=0.0)
    found.findings.add(kind="off_prompt", explanation="clip 1 looks little like its words")
    output = generation_pb2.Output(sha256="ab", quality=found)
    state = generation_pb2.Generation.STATE_SUCCEEDED
    view = _view(generation_pb2.Generation(name="generations/g", state=state, output=output))
    assert (view.quality, view.prompt_match, view.not_measured) == (0.5, 0.0, ())
    assert [found.said("sw") for found in view.findings] == ["clip 1 looks little like its words"]
    output.quality.ClearField("prompt_match")
    output.quality.not_measured.append("prompt_match")
    view = _view(generation_pb2.Generation(name="generations/g", state=state, output=output))
    assert (view.prompt_match, view.not_measured) == (None, ("prompt_match",))
    assert task_of(ComposeWork(clips=(CutClip(asset="assets/a"),))).compose.clips[0].shows == ""
