"""Every hosted model of the catalogue, through its own adapter, against the simulator."""

import io

import av
import pytest

from services.generator.catalogue.loader import load_catalogue
from services.generator.domain.limits import validate_request
from services.generator.domain.models import Lifecycle, Model, Need
from services.generator.domain.pricing import estimate_micros
from services.generator.domain.tasks import Edit, Media, Operation, SpeechTask, VideoTask
from services.generator.providers import adapters, variables
from services.generator.providers.adapter import Accepted, Failed, Succeeded
from services.suite.simulator.exports import variables as exported
from tests.contract.simulator.driving import Drive, providers, submission, task
from tests.fakes.simulator import Simulated

pytestmark = pytest.mark.timeout(30)
CATALOGUE = load_catalogue()
ALIVE = [
    model
    for model in CATALOGUE
    if model.provider in adapters() and model.lifecycle is not Lifecycle.RETIRED
]
HOSTED = [model for model in ALIVE if model.inputs.video is not Need.REQUIRED]
EDITS = [(model, edit) for model in ALIVE for edit in model.edits]
ROUTES = [
    (model, pictured)
    for model in HOSTED
    for pictured in (False, True)
    if model.inputs.image is not (Need.NONE if pictured else Need.REQUIRED)
]


def test_every_address_and_key_of_a_provider_is_printed(sim: Simulated):
    told = exported(sim.world)
    wanted = {
        name
        for provider in adapters()
        for name in variables(provider)
        if name.endswith(("_BASE_URL", "_API_KEY"))
    }
    keyless = {"VERTEX_API_KEY", "VLLM_OMNI_API_KEY", "SGLANG_API_KEY", "FASTVIDEO_API_KEY"}
    assert wanted - keyless - set(told) == set()
    assert {name for name, _ in providers(sim)} == set(adapters())


@pytest.mark.parametrize(
    ("model", "pictured"),
    ROUTES,
    ids=[f"{model.id}-{'image' if pictured else 'text'}" for model, pictured in ROUTES],
)
async def test_a_model_is_submitted_polled_and_fetched(
    sim: Simulated, model: Model, pictured: bool
):
    adapter = providers(sim).get(model.provider)
    assert adapter is not None
    wanted = submission(model, task(model, pictured=pictured))
    async with Drive(sim, adapter) as drive:
        ended = await drive.make(wanted)
        assert isinstance(ended, Succeeded), ended
        data = await drive.fetch(ended.outputs[0])
    with av.open(io.BytesIO(data)) as file:
        kinds = {stream.type for stream in file.streams}
        seconds = float(getattr(file, "duration", None) or 0) / 1_000_000
    sound = model.operation in {Operation.SPEECH, Operation.MUSIC, Operation.SOUND}
    assert kinds == {"audio" if sound else "video"}
    if isinstance(wanted.task, VideoTask) and wanted.task.duration_seconds:
        assert seconds == pytest.approx(wanted.task.duration_seconds, abs=0.3)
    await _the_bill_is_right(sim, model, wanted.task)
    assert await sim.kept("leaks") == []


@pytest.mark.parametrize(
    ("model", "edit"), EDITS, ids=[f"{model.id}-{edit}" for model, edit in EDITS]
)
async def test_work_on_a_clip_is_asked_for_as_the_vendor_has_it(
    sim: Simulated, model: Model, edit: Edit
):
    adapter = providers(sim).get(model.provider)
    assert adapter is not None
    async with Drive(sim, adapter) as drive:
        clip, bought = Media(url="https://clips.example/heron.mp4"), 1
        if model.inputs.video_forms == ("job",):  # it works on what it has made itself
            first = next(one for one in HOSTED if one.provider == model.provider)
            begun = await drive.client.submit(submission(first, task(first)))
            assert isinstance(begun, Accepted)
            early = VideoTask(
                prompt="it lands", video=Media(url=begun.shown_id, placed=True), edit=edit
            )
            refused = await drive.client.submit(
                submission(model, validate_request(model, early).task)
            )
            assert isinstance(refused, Failed)  # it is not done yet
            assert isinstance(await drive.finish(begun), Succeeded)
            clip, bought = Media(url=begun.shown_id, placed=True), 2
        wish = VideoTask(prompt="it lands", video=clip, edit=edit)
        ended = await drive.make(submission(model, validate_request(model, wish).task))
        assert isinstance(ended, Succeeded), ended
        assert await drive.fetch(ended.outputs[0])
    assert (await sim.bill())["count"] == bought


async def _the_bill_is_right(sim, model, wanted):
    bill = await sim.bill()
    assert bill["count"] == 1
    assert not bill["rows"][0]["refunded"]
    estimate = estimate_micros(model, wanted)
    if estimate is not None:
        assert bill["owed_micros"] == estimate


@pytest.mark.parametrize(("model", "pictured"), ROUTES)
async def test_a_job_is_found_again_by_the_id_that_people_are_shown(
    sim: Simulated, model: Model, pictured: bool
):
    adapter = providers(sim).get(model.provider)
    assert adapter is not None
    wanted = submission(model, task(model, pictured=pictured))
    async with Drive(sim, adapter) as drive:
        outcome = await drive.client.submit(wanted)
        if not isinstance(outcome, Accepted):
            return  # it answers at once: there is no job
        named = adapter.job_named(wanted, outcome.shown_id)
        assert isinstance(await drive.finish(Accepted(job=named, shown_id="")), Succeeded)


async def test_a_speech_tells_when_each_of_its_words_is_spoken(sim: Simulated):
    model = CATALOGUE.get("elevenlabs")
    adapter = providers(sim).get("elevenlabs")
    assert adapter is not None
    wanted = submission(model, SpeechTask(text="Habari ya asubuhi"))
    async with Drive(sim, adapter) as drive:
        ended = await drive.make(wanted)
    assert isinstance(ended, Succeeded), ended
    assert [word.text for word in ended.words] == ["Habari", "ya", "asubuhi"]
    times = [(word.start_seconds, word.end_seconds) for word in ended.words]
    assert times == sorted(times)
    assert times[-1][1] == pytest.approx(17 / 15, abs=0.01)
