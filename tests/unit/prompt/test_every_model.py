"""From the caller's words through the orchestrator's order to the generator's check."""

from datetime import UTC, datetime

import pytest

from reelmesh.generator.v1 import generation_pb2, generator_service_pb2
from services.common.errors import InvalidArgument
from services.generator.catalogue.loader import load_catalogue
from services.generator.convert.orders import order_of
from services.generator.domain.limits import Checked, validate_request
from services.generator.domain.models import Model, Need
from services.generator.domain.tasks import VideoTask
from services.orchestrator.adapters.generator_client import _video_task
from services.orchestrator.adapters.prompt_client import _parameters, _quantified
from services.orchestrator.domain.job import Job
from services.orchestrator.domain.options import ImageInput
from services.orchestrator.domain.ports import GenerationOrder
from services.orchestrator.domain.request import VideoRequest
from services.prompt.convert.prompts import parameters_from, quantified_to
from services.prompt.domain.quantified import QuantifyRequest
from services.prompt.usecases.quantify import QuantifyPrompt

NOW = datetime(2026, 11, 1, tzinfo=UTC)
MODELS = {
    m.id: m
    for m in load_catalogue()
    if m.operation.value == "video" and m.inputs.video is not Need.REQUIRED
}
WORDS = "A cat on a roof at sunset in 4K, slow pan left, no people, 60 fps, vertical"


async def checked(model: Model, request: VideoRequest, quantify: QuantifyPrompt) -> Checked:
    """What the generator makes of the request that the orchestrator sends."""
    asked = QuantifyRequest(prompt=request.prompt, parameters=parameters_from(_parameters(request)))
    wanted = _quantified(quantified_to(await quantify(asked)), request)
    job = Job(
        id="j",
        tenant="t",
        request=request,
        create_time=NOW,
        update_time=NOW,
        quantified=wanted,
    )
    order = GenerationOrder(
        request_id="j/1/1",
        tenant="t",
        model=model.id,
        job=job,
        iteration=1,
        seed=None,
        max_price_micros=None,
    )
    task = generation_pb2.Task(video=_video_task(order))
    given = order_of(
        generator_service_pb2.CreateGenerationRequest(request_id="r", model=model.id, task=task)
    )
    return validate_request(model, given.task, given.fit, given.exact)


def picture_for(model: Model) -> ImageInput | None:
    return (
        ImageInput(uri="https://example.com/a.png") if model.inputs.image is Need.REQUIRED else None
    )


@pytest.mark.parametrize("end", [0, -1], ids=["shortest", "longest"])
@pytest.mark.parametrize("name", sorted(MODELS))
async def test_every_model_takes_what_the_words_imply_beside_what_the_caller_has_set(
    name: str, end: int, quantify: QuantifyPrompt
) -> None:
    model = MODELS[name]
    lengths = model.durations
    length = (lengths.values or (lengths.minimum,))[end]
    request = VideoRequest(
        prompt=WORDS, model=name, duration_seconds=length, image=picture_for(model)
    )
    found = await checked(model, request, quantify)
    assert isinstance(found.task, VideoTask)
    assert length is None or found.task.duration_seconds == length
    told = " ".join(found.warnings)
    if model.inputs.text is not Need.NONE:
        assert found.task.prompt.startswith(WORDS)  # "no people" travels in the caller's words
    if found.task.resolution not in {"2160p", "4k"}:
        assert "resolution" in told or not model.resolutions


async def test_what_the_caller_has_set_is_never_coerced(quantify: QuantifyPrompt) -> None:
    request = VideoRequest(prompt=WORDS, model="openai_shorts", duration_seconds=5, fps=50)
    with pytest.raises(InvalidArgument, match="duration"):
        await checked(MODELS["openai_shorts"], request, quantify)
