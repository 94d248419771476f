from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.json_format import ParseDict
from google.type.money_pb2 import Money

from reelmesh.generator.v1 import generation_pb2 as g
from reelmesh.generator.v1 import generator_service_pb2 as pb
from services.common.errors import InvalidArgument, Unimplemented
from services.generator.convert import identifier_of, order_of
from services.generator.domain.limits import Fit
from services.generator.domain.orders import asset_media
from services.generator.domain.tasks import (
    Edit,
    ImageTask,
    Media,
    MusicTask,
    SoundTask,
    SpeechTask,
    UpscaleTask,
    VideoTask,
)


def request(task: g.Task, **kwargs: Any) -> pb.CreateGenerationRequest:
    return pb.CreateGenerationRequest(request_id="r", model="m", task=task, **kwargs)


def test_every_field_of_a_clip_arrives() -> None:
    video = g.VideoTask(
        prompt="a dog",
        duration=Duration(seconds=5, nanos=500_000_000),
        aspect_ratio="16:9",
        resolution="720p",
        fps=24,
        seed=0,
        negative_prompt="rain",
        image=g.Media(asset="assets/abc"),
        last_image=g.Media(data=b"png", content_type="image/webp"),
        camera_motion="pan_left",
        style="noir",
        shot_type="wide",
        mood="calm",
        time_of_day="dusk",
        audio=False,
        original_prompt="mbwa",
        fit_nearest=True,
        exact_fields=["duration"],
    )
    ParseDict({"runway": {"a": [1, True, None, "x"]}}, video.options)
    labels = pb.Labels(job="videoJobs/j", creative_id="c", iteration=3, labels={"k": "v"})
    money = Money(units=1, nanos=500_000_000)
    order = order_of(request(g.Task(video=video), labels=labels, max_price=money))
    assert order.task == VideoTask(
        prompt="a dog",
        duration_seconds=5.5,
        aspect_ratio="16:9",
        resolution="720p",
        fps=24,
        seed=0,
        negative_prompt="rain",
        image=asset_media("abc"),
        last_image=Media(data=b"png", media_type="image/webp"),
        camera_motion="pan_left",
        style="noir",
        audio=False,
        options={"runway": {"a": [1.0, True, None, "x"]}},
    )
    assert (order.hints.mood, order.hints.time_of_day) == ("calm", "dusk")
    assert (order.hints.shot_type, order.hints.original_prompt) == ("wide", "mbwa")
    assert (order.labels.job, order.labels.iteration) == ("videoJobs/j", 3)
    assert order.labels.labels == {"k": "v"}
    assert order.exact == ("duration",)
    assert (order.fit, order.max_price_micros) == (Fit.NEAREST, 1_500_000)


def test_what_is_not_said_stays_open() -> None:
    order = order_of(request(g.Task(video=g.VideoTask(prompt="a dog"))))
    assert order.task == VideoTask(prompt="a dog")
    assert (order.fit, order.max_price_micros) == (Fit.STRICT, None)


@pytest.mark.parametrize(
    ("task", "expected"),
    [
        (
            g.Task(image=g.ImageTask(prompt="x", references=[g.Media(uri="https://e.com/a")])),
            ImageTask(prompt="x", image=Media(url="https://e.com/a")),
        ),
        (
            g.Task(speech=g.SpeechTask(text="x", voice="v", language="sw", speed=1.5)),
            SpeechTask(text="x", voice="v", language="sw", speed=1.5),
        ),
        (
            g.Task(music=g.MusicTask(prompt="x", duration=Duration(seconds=9), lyrics="la")),
            MusicTask(prompt="x", duration_seconds=9, lyrics="la"),
        ),
        (g.Task(sound=g.SoundTask(prompt="x")), SoundTask(prompt="x")),
    ],
)
def test_the_other_kinds_of_work_arrive(task: g.Task, expected: object) -> None:
    assert order_of(request(task)).task == expected


def test_the_hash_tells_bodies_apart_and_nothing_else() -> None:
    one = request(
        g.Task(video=g.VideoTask(prompt="a")), labels=pb.Labels(labels={"a": "1", "b": "2"})
    )
    same = request(
        g.Task(video=g.VideoTask(prompt="a")), labels=pb.Labels(labels={"b": "2", "a": "1"})
    )
    other = request(g.Task(video=g.VideoTask(prompt="b")))
    assert order_of(one).request_hash == order_of(same).request_hash
    assert order_of(one).request_hash != order_of(other).request_hash


@pytest.mark.parametrize(
    ("media", "word"),
    [
        (g.Media(asset="films/x"), "assets/"),
        (g.Media(asset="assets/../x"), "assets/"),
        (g.Media(uri="file:///etc/passwd"), "http"),
        (g.Media(data=b"x" * (3 * 1024 * 1024 + 1)), "bytes"),
        (g.Media(), "asset"),
    ],
)
def test_a_bad_picture_names_its_field(media: g.Media, word: str) -> None:
    with pytest.raises(InvalidArgument, match=word) as caught:
        order_of(request(g.Task(video=g.VideoTask(prompt="x", image=media))))
    assert caught.value.violations[0].field == "image"


def test_work_that_is_not_served_yet_says_so() -> None:
    task = g.Task()
    task.thumbnail.SetInParent()
    with pytest.raises(Unimplemented, match="thumbnail"):
        order_of(request(task))


def test_an_enlargement_needs_something_to_enlarge_and_a_size_that_is_offered() -> None:
    asset = g.Media(asset="assets/a1")
    task = order_of(request(g.Task(upscale=g.UpscaleTask(media=asset, resolution="4K")))).task
    assert task == UpscaleTask(media=asset_media("a1"), factor=2, resolution="4K")
    assert task.lines == 2160
    for wrong, field in (
        (g.UpscaleTask(), "media"),
        (g.UpscaleTask(media=asset, factor=3), "factor"),
        (g.UpscaleTask(media=asset, resolution="900p"), "resolution"),
    ):
        with pytest.raises(InvalidArgument) as caught:
            order_of(request(g.Task(upscale=wrong)))
        assert caught.value.violations[0].field == field


def test_a_melody_travels_with_the_music() -> None:
    given = g.MusicTask(prompt="a waltz", melody=g.Media(asset="assets/a1"))
    assert order_of(request(g.Task(music=given))).task == MusicTask(
        prompt="a waltz", melody=asset_media("a1")
    )


def test_more_references_than_travel_are_refused() -> None:
    two = [g.Media(uri="https://e.com/a")] * 2
    with pytest.raises(InvalidArgument, match="references"):
        order_of(request(g.Task(image=g.ImageTask(prompt="x", references=two))))


@pytest.mark.parametrize("price", [Money(units=-1), Money(currency_code="KES", units=1)])
def test_a_price_is_a_positive_amount_in_dollars(price: Money) -> None:
    with pytest.raises(InvalidArgument, match="max_price"):
        order_of(request(g.Task(video=g.VideoTask(prompt="x")), max_price=price))


@pytest.mark.parametrize("name", ["", "generations/", "generations/a/b", "videoJobs/a", "x"])
def test_a_malformed_name_is_invalid(name: str) -> None:
    with pytest.raises(InvalidArgument):
        identifier_of(name)


def test_a_name_gives_its_id() -> None:
    assert identifier_of("generations/01abc") == "01abc"


def test_work_on_a_clip_arrives_with_what_is_to_be_done() -> None:
    words = g.VideoTask.Operation
    video = g.VideoTask(
        prompt="on",
        video=g.Media(asset="assets/abc"),
        operation=words.OPERATION_EXTEND,
    )
    found = order_of(request(g.Task(video=video))).task
    assert found == VideoTask(prompt="on", video=asset_media("abc"), edit=Edit.EXTEND)
    video.video.data = b"mp4"
    with pytest.raises(InvalidArgument, match="video"):
        order_of(request(g.Task(video=video)))
    assert set(words.keys()) - {"OPERATION_UNSPECIFIED"} == {f"OPERATION_{e.name}" for e in Edit}
