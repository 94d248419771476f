import pytest

from services.common.errors import (
    Cancelled,
    GenerationFailed,
    InvalidArgument,
    ModelRetired,
    Moderated,
    ProviderRefused,
    RateLimited,
    ResourceExhausted,
    Unavailable,
)
from services.generator.domain.tasks import ImageTask, Json, Media, SpeechTask, VideoTask
from services.generator.providers.adapter import (
    Fault,
    Part,
    Phase,
    Submission,
    error_of,
    fault_of_status,
    media_urls,
    merged,
    phase_of,
    sounds_moderated,
    spell,
    text_of,
)


@pytest.mark.parametrize(
    ("word", "phase"),
    [
        ("SUCCEEDED", Phase.SUCCEEDED),
        ("succeed", Phase.SUCCEEDED),
        ("Success", Phase.SUCCEEDED),
        ("COMPLETED", Phase.SUCCEEDED),
        ("finished", Phase.SUCCEEDED),
        ("THROTTLED", Phase.QUEUED),
        ("Preparing", Phase.QUEUED),
        ("Queueing", Phase.QUEUED),
        ("IN_QUEUE", Phase.QUEUED),
        ("starting", Phase.QUEUED),
        ("IN_PROGRESS", Phase.RUNNING),
        ("dreaming", Phase.RUNNING),
        ("Fail", Phase.FAILED),
        ("FAILED", Phase.FAILED),
        ("canceled", Phase.CANCELLED),
        ("CANCELLED", Phase.CANCELLED),
        ("TIMED_OUT", Phase.EXPIRED),
        ("aborted", Phase.EXPIRED),
        ("expired", Phase.EXPIRED),
        ("zorp", Phase.RUNNING),
        ("", Phase.RUNNING),
        (None, Phase.RUNNING),
    ],
)
def test_every_vendors_word_has_one_meaning_and_an_unknown_one_means_running(
    word: object, phase: Phase
) -> None:
    assert phase_of(word) is phase


@pytest.mark.parametrize(
    ("fault", "kind", "retryable"),
    [
        (Fault.MODERATED, Moderated, False),
        (Fault.INVALID, InvalidArgument, False),
        (Fault.BILLING, ProviderRefused, False),
        (Fault.UNAUTHENTICATED, ProviderRefused, False),
        (Fault.FORBIDDEN, ProviderRefused, False),
        (Fault.DAILY_QUOTA, ResourceExhausted, False),
        (Fault.RATE, RateLimited, True),
        (Fault.CONCURRENCY, RateLimited, True),
        (Fault.UNAVAILABLE, Unavailable, True),
        (Fault.RETIRED, ModelRetired, False),
        (Fault.LOST, GenerationFailed, False),
        (Fault.EXPIRED, GenerationFailed, False),
        (Fault.VENDOR, GenerationFailed, False),
        (Fault.CANCELLED, Cancelled, False),
    ],
)
def test_every_fault_becomes_one_error_of_ours(
    fault: Fault, kind: type[Exception], retryable: bool
) -> None:
    error = error_of(fault, "no", code="E1", retry_after=3)
    assert type(error) is kind
    assert error.retryable is retryable
    assert error.metadata["fault"] == fault
    assert error.metadata["provider_code"] == "E1"
    assert error.retry_after == (3 if retryable else None)


def test_no_fault_is_left_out_of_the_table() -> None:
    assert all(error_of(fault, "no").message for fault in Fault)


@pytest.mark.parametrize(
    ("status", "fault"),
    [
        (400, Fault.INVALID),
        (402, Fault.BILLING),
        (429, Fault.RATE),
        (500, Fault.UNAVAILABLE),
        (599, Fault.UNAVAILABLE),
        (418, Fault.VENDOR),
    ],
)
def test_a_status_without_a_meaning_of_its_own_has_the_usual_one(status: int, fault: Fault) -> None:
    assert fault_of_status(status) is fault


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"error": {"message": "no key", "code": "x"}}, "no key"),
        ({"detail": [{"loc": [], "msg": "too big"}, {"msg": "too small"}]}, "too big; too small"),
        ({"detail": {"status": "quota", "message": "used up"}}, "used up"),
        ([{"error": {"message": "busy"}}], "busy"),
        ({"errors": ["wrong size"]}, "wrong size"),
        ("plain", "plain"),
        (None, ""),
        ({"error": 7}, ""),
    ],
)
def test_the_sentence_of_an_error_is_found_in_any_known_shape(body: Json, words: str) -> None:
    assert text_of(body) == words


def test_words_of_moderation_are_told_from_other_trouble() -> None:
    assert sounds_moderated("NSFW content detected")
    assert sounds_moderated("Failure to pass the risk control system")
    assert not sounds_moderated("CUDA out of memory")


@pytest.mark.parametrize(
    ("output", "urls"),
    [
        ("https://x/a.mp4", ["https://x/a.mp4"]),
        (["https://x/0.png", "https://x/1.png"], ["https://x/0.png", "https://x/1.png"]),
        ({"video": {"url": "https://x/a.mp4", "file_name": "a"}}, ["https://x/a.mp4"]),
        ({"audio_file": {"url": "https://x/a.wav"}, "seed": 1}, ["https://x/a.wav"]),
        ({"audio": [{"url": "https://x/a.wav"}]}, ["https://x/a.wav"]),
        ({"images": [{"url": "https://x/0.png"}, {"url": "https://x/1.png"}]}, 2),
        ({"result": {"clip": "https://x/a.mp4"}}, ["https://x/a.mp4"]),
        ({"video": {"url": 7}}, []),
        (["text", "pieces"], []),
        (None, []),
    ],
)
def test_media_are_found_in_whatever_shape_a_model_answers(
    output: Json, urls: list[str] | int
) -> None:
    found = media_urls(output)
    assert (found == urls) if isinstance(urls, list) else (len(found) == urls)


def test_a_task_is_spelled_by_the_words_of_the_catalogue() -> None:
    task = VideoTask(
        prompt="x",
        duration_seconds=5,
        aspect_ratio="16:9",
        image=Media(url="https://x.example/a.png"),
        audio=False,
        options={"cfg_scale": 0.5},
    )
    wire: dict[str, Json] = {
        "fields": {
            "prompt": "text",
            "duration": "length",
            "image": "start_image_url",
            "audio": "generate_audio",
            "seed": "seed",
            "aspect_ratio": "shape",
        },
        "aspect_ratio": {"16:9": "wide"},
        "duration": "str",
        "always": {"negative_prompt": "", "frames": 81},
    }
    assert spell(task, wire) == {
        "text": "x",
        "length": "5",
        "start_image_url": "https://x.example/a.png",
        "generate_audio": False,
        "shape": "wide",
        "negative_prompt": "",
        "frames": 81,
        "cfg_scale": 0.5,
    }


@pytest.mark.parametrize(
    ("kind", "value"), [("int", 5), ("number", 5.0), ("seconds", "5s"), ("str", "5"), (None, 5.0)]
)
def test_a_duration_is_spelled_as_the_model_wants_it(kind: Json, value: Json) -> None:
    wire: dict[str, Json] = {"fields": {"duration": "d"}, "duration": kind}
    assert spell(VideoTask(prompt="x", duration_seconds=5), wire) == {"d": value}


def test_an_option_may_not_overwrite_what_the_request_says() -> None:
    with pytest.raises(InvalidArgument) as caught:
        merged({"model": "a"}, {"model": "b"})
    assert caught.value.violations[0].field == "options.model"
    wire: dict[str, Json] = {"fields": {"prompt": "prompt"}}
    with pytest.raises(InvalidArgument):
        spell(VideoTask(prompt="x", options={"prompt": "y"}), wire)


def test_what_is_unset_is_not_sent_but_no_and_zero_are() -> None:
    body: dict[str, Json] = {"a": None, "b": "", "c": {}, "d": False, "e": 0}
    assert merged(body, {"f": 1}) == {"d": False, "e": 0, "f": 1}


def test_a_submission_refuses_to_be_another_kind_of_task() -> None:
    speech = Submission(vendor_model="m", task=SpeechTask(text="x"), generation="g")
    assert speech.speech.text == "x"
    with pytest.raises(InvalidArgument):
        _ = speech.video
    with pytest.raises(InvalidArgument):
        _ = speech.image
    picture = Submission(vendor_model="m", task=ImageTask(prompt="x"), generation="g")
    assert picture.image.count == 1


def test_a_file_part_needs_the_bytes_of_the_picture() -> None:
    assert Part.of(Media(data=b"x", media_type="image/jpeg")).filename == "image.jpeg"
    with pytest.raises(InvalidArgument):
        Part.of(Media(url="https://x.example/a.png"))
