"""Every model of the catalogue accepts what a prompt is compiled to; nothing is lost in silence."""

import functools
from dataclasses import replace
from typing import Any

import pytest

from services.common.errors import InvalidArgument
from services.common.wording import units
from services.generator.catalogue.loader import load_catalogue
from services.generator.domain.limits import Fit, validate_request
from services.generator.domain.models import Carried, Model, Need
from services.generator.domain.tasks import Media, VideoTask
from services.prompt.adapters.rules.reader import RulesReader
from services.prompt.domain.knowledge import Knowledge
from services.prompt.domain.parameters import VideoParameters
from services.prompt.domain.quantified import Enhance, Limits, Quantified, QuantifyRequest
from services.prompt.usecases.quantify import QuantifyPrompt

pytestmark = pytest.mark.timeout(60)

MODELS = {
    m.id: m
    for m in load_catalogue()
    if m.operation.value == "video" and m.inputs.video is not Need.REQUIRED
}
PICTURE = Media(url="https://example.com/a.png")
LONG = "Emma walks slowly through the crowded market and looks at every stall. " * 115
REQUESTS: dict[str, dict[str, Any]] = {
    "short": {"prompt": "A cat at sunset, slow pan left, no people"},
    "swahili": {"prompt": "Simba akitembea savana usiku, sekunde 8, bila watu, ya wima"},
    "everything set": {
        "prompt": "A dhow",
        "parameters": VideoParameters(
            duration_seconds=7.3,
            aspect_ratio="3:4",
            resolution="2160p",
            fps=50,
            style="watercolor",
            camera_motion="orbit",
            negative_prompt="boats, birds",
        ),
    },
    "long": {"prompt": LONG + "No people."},
    "emoji": {"prompt": "🦁🌅 " * 2_500, "parameters": VideoParameters(style="anime")},
    "much that must not be seen": {
        "prompt": "A quiet street",
        "parameters": VideoParameters(negative_prompt="cars, " * 600 + "dogs"),
    },
}


class Remembering:
    """A reader that reads each text once; what it says does not depend on the model."""

    def __init__(self, reader: RulesReader) -> None:
        self.read = functools.cache(reader.read)


@pytest.fixture(scope="module")
def quantify(reader: RulesReader, knowledge: Knowledge) -> QuantifyPrompt:
    return QuantifyPrompt(reader=Remembering(reader), knowledge=knowledge)


def limits_of(model: Model) -> Limits:
    """What the contract tells a caller of the model's abilities."""
    lengths = model.durations
    return Limits(
        max_prompt_characters=model.max_prompt_length or 0,
        text=model.inputs.text is not Need.NONE,
        negative_prompt=model.negative_prompt,
        durations=lengths.values,
        min_duration=lengths.minimum,
        max_duration=lengths.maximum,
        whole_seconds=lengths.whole,
        aspect_ratios=model.aspect_ratios,
        resolutions=model.resolutions,
        fps=tuple(round(rate) for rate in model.fps),
        min_fps=model.fps_range[0] if model.fps_range else 0.0,
        max_fps=model.fps_range[1] if model.fps_range else 0.0,
        languages=model.languages,
        style=model.style is Carried.FIELD,
        camera_motion=model.camera_motion is Carried.FIELD,
    )


def task_of(compiled: Quantified, model: Model) -> VideoTask:
    said = compiled.parameters
    needs_picture = model.inputs.image is Need.REQUIRED
    return VideoTask(
        prompt=compiled.prompt,
        duration_seconds=said.duration_seconds,
        aspect_ratio=said.aspect_ratio,
        resolution=said.resolution,
        fps=said.fps,
        negative_prompt=said.negative_prompt,
        style=said.style,
        camera_motion=said.camera_motion,
        image=PICTURE if needs_picture else None,
    )


def without_what_nobody_chooses(task: VideoTask, model: Model) -> VideoTask:
    """The contract lists no values where a model offers no choice; NEAREST leaves those out."""
    return replace(
        task,
        fps=task.fps if model.fps or model.fps_range else None,
        aspect_ratio=task.aspect_ratio if model.aspect_ratios else "",
        resolution=task.resolution if model.resolutions else "",
        duration_seconds=task.duration_seconds if model.durations.describe() else None,
    )


async def compiled_for(model: Model, quantify: QuantifyPrompt, **request: Any) -> Quantified:
    return await quantify(QuantifyRequest(**request, limits=limits_of(model)))


@pytest.mark.parametrize("name", sorted(MODELS))
async def test_every_model_accepts_every_compiled_prompt(
    name: str, quantify: QuantifyPrompt
) -> None:
    model = MODELS[name]
    for request in REQUESTS.values():
        compiled = await compiled_for(model, quantify, **request)
        task = task_of(compiled, model)
        validate_request(model, task, Fit.NEAREST)
        if not model.rules:  # those tie one field to another, which the contract does not tell
            validate_request(model, without_what_nobody_chooses(task, model))


@pytest.mark.parametrize("name", sorted(MODELS))
async def test_whatever_a_model_does_not_carry_is_told(name: str, quantify: QuantifyPrompt) -> None:
    model = MODELS[name]
    mine = REQUESTS["everything set"]["parameters"]
    compiled = await compiled_for(model, quantify, **REQUESTS["everything set"])
    checked = validate_request(model, task_of(compiled, model), Fit.NEAREST)
    told = " ".join((*compiled.warnings, *checked.warnings))
    words = {"duration_seconds": "7.3 s", "aspect_ratio": "3:4", "fps": "50"}
    for field, word in words.items():
        if getattr(checked.task, field) != mine.get(field):
            assert word in told or f"{field}: " in told, field
    assert isinstance(checked.task, VideoTask)
    sent = f"{checked.task.prompt} {checked.task.negative_prompt}"
    for word, notice in (("boats", "boats"), ("watercolor", "style"), ("orbit", "camera")):
        carried = word in sent or word in f"{checked.task.style} {checked.task.camera_motion}"
        assert carried or notice in told, word


@pytest.mark.parametrize("name", sorted(n for n, m in MODELS.items() if m.max_prompt_length))
async def test_a_prompt_that_may_not_be_changed_is_refused_after_a_warning_and_never_cut(
    name: str, quantify: QuantifyPrompt
) -> None:
    prompt = LONG[:8_000]
    model = MODELS[name]
    compiled = await compiled_for(model, quantify, prompt=prompt, enhance=Enhance.OFF)
    assert compiled.prompt == prompt
    if units(prompt) > (model.max_prompt_length or 0):
        assert any("may not be changed" in warning for warning in compiled.warnings)
        with pytest.raises(InvalidArgument, match="prompt"):
            validate_request(model, task_of(compiled, model), Fit.NEAREST)


@pytest.mark.parametrize(
    ("limits", "said", "expected"),
    [
        ({"resolutions": ("720p", "4k")}, {"resolution": "2160p"}, {"resolution": "4k"}),
        ({"resolutions": ("*",)}, {"resolution": "900p"}, {"resolution": "900p"}),
        ({"aspect_ratios": ("*",)}, {"aspect_ratio": "5:2"}, {"aspect_ratio": "5:2"}),
        ({"durations": (4, 6)}, {"duration_seconds": 5}, {"duration_seconds": 6}),
        (
            {"min_duration": 2, "max_duration": 10, "whole_seconds": True},
            {"duration_seconds": 7.3},
            {"duration_seconds": 7},
        ),
        ({"max_duration": 10}, {"duration_seconds": 60}, {"duration_seconds": 10}),
        ({"fps": (24, 30)}, {"fps": 60}, {"fps": 30}),
    ],
)
async def test_the_nearest_that_a_model_makes_is_chosen_in_its_own_words(
    limits: dict[str, Any],
    said: dict[str, Any],
    expected: dict[str, Any],
    quantify: QuantifyPrompt,
) -> None:
    request = QuantifyRequest(
        prompt="A cat", parameters=VideoParameters(**said), limits=Limits(**limits)
    )
    found = await quantify(request)
    (field, value), *_ = expected.items()
    assert found.parameters.get(field) == value
    renamed = field == "resolution" and value == "4k"
    assert bool(found.warnings) == (said != expected and not renamed)


async def test_what_must_not_be_seen_outlives_a_cut(quantify: QuantifyPrompt) -> None:
    request = QuantifyRequest(
        prompt=LONG[:5_000],
        parameters=VideoParameters(negative_prompt="boats"),
        limits=Limits(max_prompt_characters=500, negative_prompt=False),
    )
    found = await quantify(request)
    assert found.prompt.endswith("Avoid: boats.")
    assert len(found.prompt) <= 500
    assert found.parameters.negative_prompt == ""
    assert len(found.warnings) == 2


@pytest.mark.parametrize(
    "limits",
    [
        {"max_prompt_characters": -1},
        {"durations": (0.0,)},
        {"min_duration": 5.0, "max_duration": 2.0},
        {"aspect_ratios": ("wide",)},
        {"resolutions": ("HD",)},
        {"fps": (0,)},
    ],
)
def test_limits_that_no_model_has_are_refused_by_name(limits: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgument, match="limits"):
        Limits(**limits)
