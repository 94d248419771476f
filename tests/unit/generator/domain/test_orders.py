import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.errors import InvalidArgument
from services.generator.domain.captions import CaptionLine, CaptionsTask, CheckTask
from services.generator.domain.compositions import Clip, ComposeTask, Role, Track, Transition
from services.generator.domain.facts import WordTime
from services.generator.domain.limits import Fit
from services.generator.domain.orders import (
    Hints,
    Labels,
    Order,
    asset_media,
    asset_of,
    order_from_json,
    order_to_json,
    prompt_of,
)
from services.generator.domain.tasks import (
    ImageTask,
    Media,
    MusicTask,
    SoundTask,
    SpeechTask,
    UpscaleTask,
    VideoTask,
)

MEDIA = st.one_of(
    st.builds(Media, data=st.binary(min_size=1, max_size=50)),
    st.just(Media(url="https://example.com/a.png")),
    st.just(asset_media("abc")),
)
WORDS = st.text(min_size=1, max_size=30).filter(str.strip)
SEEDS = st.none() | st.integers(0, 2**63 - 1)
CLIPS = st.builds(
    Clip,
    media=MEDIA,
    transition=st.sampled_from(Transition),
    duration_seconds=st.none() | st.floats(1, 9),
)
TIMES = st.just((WordTime(text="a", start_seconds=0.0, end_seconds=0.5),))
TASKS = st.one_of(
    st.builds(
        VideoTask,
        prompt=WORDS,
        duration_seconds=st.none() | st.floats(0.5, 60),
        seed=SEEDS,
        image=st.none() | MEDIA,
        audio=st.none() | st.booleans(),
        options=st.dictionaries(WORDS, st.booleans() | st.lists(st.integers(), max_size=3)),
    ),
    st.builds(ImageTask, prompt=WORDS, image=st.none() | MEDIA, seed=SEEDS),
    st.builds(SpeechTask, text=WORDS, voice=WORDS),
    st.builds(MusicTask, prompt=WORDS, duration_seconds=st.none() | st.floats(1, 99)),
    st.builds(SoundTask, prompt=WORDS, loop=st.none() | st.booleans()),
    st.builds(
        UpscaleTask, media=st.just(Media(url="https://e.com/a")), factor=st.sampled_from((2, 4))
    ),
    st.builds(
        ComposeTask,
        clips=st.lists(CLIPS, min_size=1, max_size=3).map(tuple),
        tracks=st.lists(st.builds(Track, media=MEDIA, role=st.sampled_from(Role))).map(tuple),
        captions=st.none() | MEDIA,
    ),
    st.builds(
        CaptionsTask,
        lines=st.lists(st.builds(CaptionLine, words=TIMES), min_size=1, max_size=3).map(tuple),
    ),
    st.builds(CheckTask, media=MEDIA, expected_seconds=st.none() | st.floats(1, 99)),
)
ORDERS = st.builds(
    Order,
    request_id=WORDS,
    request_hash=WORDS,
    model=WORDS,
    task=TASKS,
    fit=st.sampled_from(Fit),
    hints=st.builds(Hints, mood=WORDS, original_prompt=WORDS),
    labels=st.builds(
        Labels,
        creative_id=WORDS,
        iteration=st.integers(0, 99),
        labels=st.dictionaries(WORDS, WORDS, max_size=3),
        characters=st.lists(WORDS, max_size=3).map(tuple),
    ),
    max_price_micros=st.none() | st.integers(0, 10**9),
)


@given(ORDERS)
def test_an_order_survives_the_ledger(order: Order) -> None:
    assert order_from_json(json.loads(json.dumps(order_to_json(order)))) == order


def test_an_asset_reference_is_told_from_an_address() -> None:
    assert asset_of(asset_media("01abc")) == "assets/01abc"
    assert not asset_of(Media(url="https://example.com/a"))
    assert not asset_of(Media(data=b"x"))


def test_the_prompt_of_speech_is_its_text() -> None:
    assert prompt_of(SpeechTask(text="habari")) == "habari"
    assert prompt_of(VideoTask(prompt="a dog")) == "a dog"


@pytest.mark.parametrize(
    ("labels", "field"),
    [
        ({"creative_id": "x" * 201}, "labels.creative_id"),
        ({"iteration": -1}, "labels.iteration"),
        ({"labels": {"": "x"}}, "labels.labels"),
        ({"labels": {str(number): "x" for number in range(65)}}, "labels.labels"),
        ({"characters": ("x" * 129,)}, "labels.characters"),
        ({"landscapes": ("x",) * 33}, "labels.landscapes"),
    ],
)
def test_labels_that_storage_would_refuse_are_refused_before_paying(labels, field) -> None:
    with pytest.raises(InvalidArgument) as caught:
        Labels(**labels)
    assert caught.value.violations[0].field == field


def test_hints_that_could_not_be_facets_are_refused() -> None:
    with pytest.raises(InvalidArgument, match="mood"):
        Hints(mood="x" * 129)
