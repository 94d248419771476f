from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.errors import InvalidArgument, Violation
from services.generator.catalogue.loader import load_catalogue
from services.generator.domain.limits import Fit, validate_request
from services.generator.domain.models import ANY, Carried, Lifecycle, Model, Need, Sound
from services.generator.domain.tasks import (
    Edit,
    ImageTask,
    Json,
    Media,
    Operation,
    SoundTask,
    SpeechTask,
    Task,
    VideoTask,
)

CATALOGUE = load_catalogue()
VIDEO = [model for model in CATALOGUE if model.operation is Operation.VIDEO and not model.group]
PNG = Media(data=b"\x89PNG", media_type="image/png")


def refused(model_id: str, task: Task) -> Violation:
    with pytest.raises(InvalidArgument) as caught:
        validate_request(CATALOGUE.get(model_id), task)
    return caught.value.violations[0]


@pytest.mark.parametrize(
    ("model_id", "task", "field", "allowed"),
    [
        ("fal_veo_3_1", VideoTask(prompt="x", duration_seconds=7), "duration", "4, 6, 8"),
        ("runway_gen4_5", VideoTask(prompt="x", duration_seconds=11), "duration", "2-10"),
        ("runway_gen4_5", VideoTask(prompt="x", duration_seconds=2.5), "duration", "2-10"),
        ("runway_gen4_5", VideoTask(prompt="x", aspect_ratio="1:1"), "aspect_ratio", "16:9, 9:16"),
        ("runway_gen4_5", VideoTask(prompt="x", resolution="1080p"), "resolution", "720p"),
        ("runway_gen4_5", VideoTask(prompt="x", fps=30), "fps", "24"),
        ("runway_gen4_5", VideoTask(prompt="x", seed=2**32), "seed", "0-4294967295"),
        ("runway_gen4_5", VideoTask(prompt="x", negative_prompt="y"), "negative_prompt", ""),
        ("runway_gen4_5", VideoTask(prompt="x", audio=True), "audio", "False"),
        ("runway_gen4_5", VideoTask(prompt="x" * 1001), "prompt", "at most 1000"),
        ("runway_gen4_5", VideoTask(prompt="😀" * 501), "prompt", "at most 1000"),
        ("runway_gen4_5", VideoTask(image=PNG), "prompt", ""),
        ("runway_gen4_5", VideoTask(prompt="x", image=PNG, last_image=PNG), "last_image", ""),
        ("runway_gen4_turbo", VideoTask(prompt="x"), "image", ""),
        ("pika_v2", VideoTask(prompt="x", duration_seconds=6), "duration", "5, 10"),
        ("pika_v2", VideoTask(prompt="x", image=PNG, aspect_ratio="16:9"), "aspect_ratio", ""),
        ("pika_v2", VideoTask(prompt="x", resolution="480p"), "resolution", "720p, 1080p"),
        ("luma_ray_3_2", VideoTask(prompt="x", image=PNG, duration_seconds=10), "duration", "5"),
        ("luma_ray_3_2", VideoTask(prompt="x", seed=1), "seed", ""),
        ("luma_ray_3_2", VideoTask(prompt="x", last_image=PNG), "last_image", ""),
        ("minimax_hailuo_2_3", VideoTask(prompt="x", resolution="720p"), "resolution", "768p"),
        (
            "minimax_hailuo_2_3",
            VideoTask(prompt="x", resolution="1080p", duration_seconds=10),
            "duration",
            "6",
        ),
        ("minimax_h3", VideoTask(prompt="x", resolution="1080p"), "resolution", "768p, 2k"),
        ("minimax_h3", VideoTask(prompt="x", audio=False), "audio", "True"),
        ("kling_turbo", VideoTask(prompt="x", resolution="4k"), "resolution", "720p, 1080p"),
        ("stability_svd", VideoTask(prompt="x"), "image", ""),
        ("google_omni", VideoTask(prompt="x", duration_seconds=2), "duration", "3-10"),
        (
            "google_veo_vertex",
            VideoTask(prompt="x", resolution="4k", duration_seconds=6),
            "duration",
            "8",
        ),
        ("kling", SpeechTask(text="x"), "model", "video"),
        ("openai_tts", SpeechTask(text="x" * 4097), "text", "at most 4096"),
        ("openai_tts", SpeechTask(text="x", voice="nobody"), "voice", "alloy"),
        ("fal_flux", ImageTask(prompt="x", count=5), "count", "1-4"),
        ("elevenlabs_sound", SoundTask(prompt="x", duration_seconds=31), "duration", "0.5-30"),
    ],
)
def test_a_value_outside_the_models_limits_names_the_field_and_what_is_allowed(
    model_id: str, task: Any, field: str, allowed: str
) -> None:
    violation = refused(model_id, task)
    assert violation.field == field
    assert allowed in violation.message


def test_a_picture_in_the_wrong_format_or_too_big_is_refused_before_anything_is_sent() -> None:
    gif = Media(data=b"GIF89a", media_type="image/gif")
    assert refused("runway_gen4_5", VideoTask(prompt="x", image=gif)).field == "image"
    big = Media(data=b"0" * 16_000_001)
    assert refused("runway_gen4_5", VideoTask(prompt="x", image=big)).field == "image"


def test_what_is_left_open_takes_the_models_defaults_without_a_warning() -> None:
    checked = validate_request(CATALOGUE.get("runway_gen4_5"), VideoTask(prompt="a boat"))
    assert checked.task == VideoTask(
        prompt="a boat", duration_seconds=5, aspect_ratio="16:9", resolution="720p"
    )
    assert checked.warnings == ()


def test_a_value_that_equals_the_fixed_behaviour_passes() -> None:
    checked = validate_request(CATALOGUE.get("runway_gen4_5"), VideoTask(prompt="x", fps=24))
    assert checked.warnings == ()


def test_nearest_takes_the_closest_value_and_says_so() -> None:
    task = VideoTask(
        prompt="x", duration_seconds=7, aspect_ratio="4:3", resolution="1080p", seed=2**40, fps=30
    )
    checked = validate_request(CATALOGUE.get("runway_gen4_5"), task, Fit.NEAREST)
    assert checked.task == replace(
        task, aspect_ratio="16:9", resolution="720p", seed=2**32 - 1, fps=24
    )
    assert [warning.split(":")[0] for warning in checked.warnings] == [
        "resolution",
        "aspect_ratio",
        "fps",
        "seed",
    ]


def test_nearest_obeys_limits_that_depend_on_other_fields() -> None:
    task = VideoTask(prompt="x", duration_seconds=5, resolution="2160p")
    fitted = fitted_video("google_veo_vertex", task, Fit.NEAREST)
    assert (fitted.resolution, fitted.duration_seconds) == ("4k", 8)
    warnings = validate_request(CATALOGUE.get("google_veo_vertex"), task, Fit.NEAREST).warnings
    assert len(warnings) == 3


def test_style_and_camera_travel_in_the_prompt_with_a_warning_and_count_in_its_limit() -> None:
    task = VideoTask(prompt="a boat", style="noir", camera_motion="slow pan left")
    checked = validate_request(CATALOGUE.get("runway_gen4_5"), task)
    fitted = fitted_video("runway_gen4_5", task)
    assert fitted.prompt == "a boat Style: noir. Camera: slow pan left."
    assert (fitted.style, fitted.camera_motion) == ("", "")
    assert len(checked.warnings) == 2
    long = VideoTask(prompt="x" * 995, style="noir")
    assert refused("runway_gen4_5", long).field == "prompt"


def test_the_placeholder_keeps_style_and_camera_as_fields_and_takes_any_ratio() -> None:
    task = VideoTask(prompt="x", style="noir", camera_motion="pan", aspect_ratio="37:20", fps=50)
    checked = validate_request(CATALOGUE.get("storyboard"), task)
    fitted = fitted_video("storyboard", task)
    assert (fitted.style, fitted.camera_motion) == ("noir", "pan")
    assert fitted.aspect_ratio == "37:20"
    assert checked.warnings == ()


def test_a_model_that_reads_no_prompt_leaves_it_out_and_says_so() -> None:
    checked = validate_request(CATALOGUE.get("stability_svd"), VideoTask(prompt="x", image=PNG))
    assert isinstance(checked.task, VideoTask)
    assert checked.task.prompt == ""
    assert checked.warnings == ("prompt: stability_svd works from a picture alone; left out",)


def test_only_the_providers_own_options_reach_the_adapter() -> None:
    options: dict[str, Json] = {"runway": {"contentModeration": {}}, "kling": {"x": 1}}
    checked = validate_request(
        CATALOGUE.get("runway_gen4_5"), VideoTask(prompt="x", options=options)
    )
    assert checked.task.options == {"contentModeration": {}}
    assert refused("kling", VideoTask(prompt="x", options={"kling": 3})).field == "options.kling"


@pytest.mark.parametrize("model", VIDEO, ids=lambda model: model.id)
def test_every_video_model_takes_the_plainest_task_it_is_for(model: Model) -> None:
    image = PNG if model.inputs.image is Need.REQUIRED else None
    edit = model.edits[0] if model.inputs.video is Need.REQUIRED else None
    clip = Media(url="https://e.com/a.mp4") if edit else None
    prompt = "" if model.inputs.text is Need.NONE else "a boat"
    checked = validate_request(model, VideoTask(prompt=prompt, image=image, video=clip, edit=edit))
    assert checked.warnings == ()
    again = validate_request(model, checked.task)
    assert again.task == checked.task


TASKS = st.builds(
    VideoTask,
    prompt=st.text(min_size=1).filter(str.strip),
    duration_seconds=st.none() | st.floats(0.1, 100),
    aspect_ratio=st.sampled_from(["", "16:9", "9:16", "1:1", "21:9", "5:4"]),
    resolution=st.sampled_from(["", "480p", "720p", "1080p", "2k", "4k"]),
    fps=st.none() | st.sampled_from([8, 24, 30, 120]),
    seed=st.none() | st.integers(0, 2**63 - 1),
    negative_prompt=st.sampled_from(["", "blur"]),
    image=st.none() | st.just(PNG),
    audio=st.none() | st.booleans(),
    style=st.sampled_from(["", "noir"]),
)


def nearest(model: Model, task: VideoTask) -> VideoTask | None:
    """Return the fitted task, None where no value could be taken instead of what is missing."""
    try:
        fitted = validate_request(model, task, Fit.NEAREST).task
    except InvalidArgument as error:
        if error.violations[0].field in {"image", "last_image", "prompt", "video"}:
            return None
        raise
    assert isinstance(fitted, VideoTask)
    return fitted


def fitted_video(model_id: str, task: VideoTask, fit: Fit = Fit.STRICT) -> VideoTask:
    fitted = validate_request(CATALOGUE.get(model_id), task, fit).task
    assert isinstance(fitted, VideoTask)
    return fitted


@given(task=TASKS, model=st.sampled_from(VIDEO))
def test_what_nearest_returns_passes_the_strict_check_unchanged(task: Any, model: Model) -> None:
    fitted = nearest(model, task)
    if fitted is None:
        return
    again = validate_request(model, fitted)
    assert again.task == fitted
    if ANY not in model.aspect_ratios and fitted.aspect_ratio:
        assert fitted.aspect_ratio in model.aspect_ratios
    if model.audio is Sound.NONE:
        assert fitted.audio is not True
    if model.style is Carried.PROMPT:
        assert not fitted.style
    assert model.lifecycle in Lifecycle


CLIP = Media(url="https://example.com/clip.mp4")


@pytest.mark.parametrize("edit", list(Edit))
def test_a_model_that_cannot_work_on_a_clip_refuses_and_names_what_it_can(edit: Edit) -> None:
    found = refused("runway_gen4_5", VideoTask(prompt="x", video=CLIP, edit=edit))
    assert found.field == "operation"
    assert f"runway_gen4_5 cannot {edit} a clip" in found.message
    if edit is not Edit.EXTEND:
        found = refused("fal_wan_2_7", VideoTask(prompt="x", video=CLIP, edit=edit))
        assert "allowed: extend" in found.message


def test_no_model_of_the_catalogue_takes_a_clip_that_it_does_not_say_it_works_on() -> None:
    able = {model.id: model.edits for model in CATALOGUE if model.edits}
    assert able == {
        "fal_wan_2_7": (Edit.EXTEND,),
        "google_omni_edit": (Edit.EXTEND, Edit.REMIX),
        "luma_dream_extend": (Edit.EXTEND,),
        "minimax_h3_remix": (Edit.REMIX,),
        "minimax_h3_max_remix": (Edit.REMIX,),
        "sglang_diffusion": (Edit.RESTYLE,),
        "vllm_omni": (Edit.RESTYLE,),
    }
    for model in CATALOGUE:
        if model.operation is Operation.VIDEO and not model.edits:
            with pytest.raises(InvalidArgument, match="operation"):
                validate_request(model, VideoTask(prompt="x", video=CLIP, edit=Edit.REMIX))


def test_a_clip_is_gone_on_with_at_the_vendors_route_for_it() -> None:
    model = CATALOGUE.get("fal_wan_2_7")
    checked = validate_request(model, VideoTask(prompt="x", video=CLIP, edit=Edit.EXTEND))
    assert checked.warnings == ()
    assert isinstance(checked.task, VideoTask)
    assert checked.task.aspect_ratio == ""
    assert model.vendor_model(checked.task) == "fal-ai/wan/v2.7/image-to-video"


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"edit": Edit.REMIX}, "video"),
        ({"video": CLIP}, "operation"),
        ({"video": CLIP, "edit": Edit.EXTEND, "image": CLIP}, "image"),
    ],
)
def test_half_an_order_to_work_on_a_clip_is_refused_by_name(given: Any, field: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        VideoTask(prompt="x", **given)
    assert caught.value.violations[0].field == field


@pytest.mark.parametrize("name", ["xtts_v2", "bark", "kokoro", "huggingface_speech", "elevenlabs"])
def test_swahili_never_reaches_a_voice_that_does_not_speak_it(name: str) -> None:
    model = next(m for m in load_catalogue() if m.id == name)
    task = SpeechTask(text="Hello", language="en-GB")
    if model.clones_voice:
        consent: Json = {"consent": {"speaker": "Amina", "record": "consents/1"}}
        task = replace(task, voice="assets/a1", options={"local": consent})
    validate_request(model, task)
    with pytest.raises(InvalidArgument, match=r"language.*has no sw"):
        validate_request(model, replace(task, text="Habari", language="sw"))


@pytest.mark.parametrize("name", ["espeak", "elevenlabs_v3"])
def test_swahili_has_voices(name: str) -> None:
    model = next(m for m in load_catalogue() if m.id == name)
    spoken = SpeechTask(text="Habari", language="sw")
    assert validate_request(model, spoken).task == spoken
