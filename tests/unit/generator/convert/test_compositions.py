from typing import Any

import pytest
from google.protobuf.json_format import ParseDict

from reelmesh.generator.v1 import generation_pb2 as g
from reelmesh.generator.v1 import generator_service_pb2 as pb
from services.common.errors import InvalidArgument
from services.generator.convert import order_of
from services.generator.domain import captions as k
from services.generator.domain import compositions as c
from services.generator.domain.facts import WordTime
from services.generator.domain.orders import asset_media

CLIP = {"media": {"asset": "assets/a"}}


def task_of(**work: Any) -> Any:
    task = ParseDict(work, g.Task())
    return order_of(pb.CreateGenerationRequest(request_id="r", model="m", task=task)).task


def test_every_field_of_a_composition_arrives() -> None:
    clip = {
        **CLIP,
        "start": "1s",
        "duration": "2.5s",
        "transition": "TRANSITION_WIPE_UP",
        "transitionDuration": "0.25s",
        "gainDb": -3,
        "mute": True,
        "hold": "1.5s",
    }
    track = {
        "media": {"asset": "assets/t"},
        "role": "ROLE_MUSIC",
        "at": "1s",
        "start": "2s",
        "duration": "3s",
        "gainDb": 2,
        "loop": True,
        "fadeIn": "0.5s",
        "fadeOut": "1s",
    }
    style = {"font": "Barlow", "sizePercent": 4, "color": "#FFEE00", "position": "POSITION_TOP"}
    given = task_of(
        compose={
            "clips": [CLIP, clip],
            "tracks": [track],
            "captions": {"asset": "assets/c"},
            "captionMode": "CAPTION_MODE_ATTACH",
            "captionStyle": style,
            "captionLanguage": "sw",
            "width": 1280,
            "height": 720,
            "fps": 24,
            "loudnessLufs": -18,
            "truePeakDb": 0,
            "keepLevels": True,
            "encoding": "ENCODING_FULL",
            "check": False,
        }
    )
    assert given == c.ComposeTask(
        clips=(
            c.Clip(media=asset_media("a")),
            c.Clip(
                media=asset_media("a"),
                start_seconds=1,
                duration_seconds=2.5,
                transition=c.Transition.WIPE_UP,
                transition_seconds=0.25,
                gain_db=-3,
                mute=True,
                hold_seconds=1.5,
            ),
        ),
        tracks=(
            c.Track(
                media=asset_media("t"),
                role=c.Role.MUSIC,
                at_seconds=1,
                start_seconds=2,
                duration_seconds=3,
                gain_db=2,
                loop=True,
                fade_in_seconds=0.5,
                fade_out_seconds=1,
            ),
        ),
        captions=asset_media("c"),
        caption_mode=c.CaptionMode.ATTACH,
        caption_style=k.CaptionStyle(
            font="Barlow", size_percent=4, color="#FFEE00", position=k.Position.TOP
        ),
        caption_language="sw",
        width=1280,
        height=720,
        frame_rate=24,
        loudness_lufs=-18,
        true_peak_db=0,
        keep_levels=True,
        encoding=c.Encoding.FULL,
        check=False,
    )


def test_what_is_not_said_takes_its_default() -> None:
    assert task_of(compose={"clips": [CLIP]}) == c.ComposeTask(
        clips=(c.Clip(media=asset_media("a")),)
    )


def test_captions_and_checks_arrive() -> None:
    words = [{"text": "Habari", "start": "0.1s", "end": "0.5s"}]
    line = {"text": "Habari", "start": "2s", "words": words, "speaker": "Asha"}
    task = task_of(captions={"lines": [line], "format": "VTT", "language": "sw"})
    assert task == k.CaptionsTask(
        format="vtt",
        language="sw",
        lines=(
            k.CaptionLine(
                text="Habari",
                start_seconds=2,
                words=(WordTime(text="Habari", start_seconds=0.1, end_seconds=0.5),),
                speaker="Asha",
            ),
        ),
    )
    looked_at = {"media": {"asset": "assets/a"}, "expectedDuration": "5s"}
    checked = task_of(check={**looked_at, "alike": {"asset": "assets/b"}})
    assert checked == k.CheckTask(
        media=asset_media("a"), expected_seconds=5, alike=asset_media("b")
    )


@pytest.mark.parametrize(
    ("work", "field"),
    [
        ({"compose": {}}, "clips"),
        ({"compose": {"clips": [CLIP, {}]}}, "clips[1].media"),
        ({"compose": {"clips": [{"media": {"asset": "x"}}]}}, "clips[0].media"),
        ({"compose": {"clips": [{**CLIP, "gainDb": 13}]}}, "clips[0].gain_db"),
        ({"compose": {"clips": [{**CLIP, "duration": "-1s"}]}}, "clips[0].duration"),
        ({"compose": {"clips": [{**CLIP, "transition": 99}]}}, "clips[0].transition"),
        (
            {"compose": {"clips": [{**CLIP, "transitionDuration": "61s"}]}},
            "clips[0].transition_duration",
        ),
        ({"compose": {"clips": [CLIP], "tracks": [CLIP]}}, "tracks[0].role"),
        ({"compose": {"clips": [CLIP], "width": 3, "height": 2}}, "width"),
        ({"compose": {"clips": [CLIP], "width": 2}}, "width"),
        ({"compose": {"clips": [CLIP], "fps": -1}}, "fps"),
        ({"compose": {"clips": [CLIP], "loudnessLufs": -40}}, "loudness_lufs"),
        (
            {"compose": {"clips": [CLIP], "captionStyle": {"color": "red"}}},
            "caption_style.color",
        ),
        ({"compose": {"clips": [CLIP] * 501}}, "clips"),
        ({"captions": {}}, "text"),
        ({"captions": {"text": "a"}}, "audio"),
        ({"captions": {"lines": [{"text": "a"}]}}, "lines[0].duration"),
        ({"captions": {"lines": [{"duration": "1s"}]}}, "lines[0].text"),
        (
            {"captions": {"lines": [{"words": [{"text": "a", "start": "2s", "end": "1s"}]}]}},
            "lines[0].words",
        ),
        ({"captions": {"lines": [{"text": "a", "duration": "1s"}], "format": "ass"}}, "format"),
        ({"check": {}}, "media"),
    ],
)
def test_what_cannot_be_made_is_refused_by_the_fields_name(work: Any, field: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        task_of(**work)
    assert caught.value.violations[0].field == field
