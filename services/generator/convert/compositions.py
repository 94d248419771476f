"""Composition, captions and check messages as domain tasks."""

from typing import Any, TypeVar

from reelmesh.generator.v1 import generation_pb2
from services.common.errors import InvalidArgument
from services.generator.convert.fields import media, needed, optional, seconds, under
from services.generator.domain.captions import (
    PLAIN,
    CaptionLine,
    CaptionsTask,
    CaptionStyle,
    CheckTask,
    Position,
)
from services.generator.domain.compositions import (
    CaptionMode,
    Clip,
    ComposeTask,
    Encoding,
    Role,
    Track,
    Transition,
)
from services.generator.domain.facts import WordTime

_Choice = TypeVar("_Choice", Transition, Role, CaptionMode, Encoding, Position)
_Compose = generation_pb2.ComposeTask


def compose(task: generation_pb2.ComposeTask) -> ComposeTask:
    """Return the composition. Raises InvalidArgument naming the field, such as "clips[2].start"."""
    return ComposeTask(
        clips=tuple(_clip(number, clip) for number, clip in enumerate(task.clips)),
        tracks=tuple(_track(number, track) for number, track in enumerate(task.tracks)),
        captions=media(task, "captions", default=""),
        caption_mode=_chosen(CaptionMode, "caption_mode", _Compose.CaptionMode, task.caption_mode),
        caption_style=_style(task.caption_style),
        caption_language=task.caption_language,
        width=task.width,
        height=task.height,
        frame_rate=task.fps,
        loudness_lufs=task.loudness_lufs or -16.0,
        true_peak_db=task.true_peak_db if task.HasField("true_peak_db") else -1.0,
        keep_levels=task.keep_levels,
        encoding=_chosen(Encoding, "encoding", _Compose.Encoding, task.encoding),
        check=optional(task, "check") is not False,
    )


def captions(task: generation_pb2.CaptionsTask) -> CaptionsTask:
    """Return the captions to set. Raises InvalidArgument naming the field."""
    return CaptionsTask(
        text=task.text,
        audio=media(task, "audio", default=""),
        format=task.format.lower() or "srt",
        language=task.language,
        lines=tuple(_line(number, line) for number, line in enumerate(task.lines)),
        max_line_characters=task.max_line_characters,
        max_lines=task.max_lines or 2,
        max_characters_per_second=task.max_characters_per_second,
        film_seconds=seconds(task, "film_duration"),
    )


def check(task: generation_pb2.CheckTask) -> CheckTask:
    """Return what is to be looked at. Raises InvalidArgument naming the field."""
    return CheckTask(
        media=needed(task, "media"),
        expected_seconds=seconds(task, "expected_duration"),
        captions=media(task, "captions", default=""),
        silent_expected=task.silent_expected,
        alike=media(task, "alike"),
    )


def _clip(number: int, clip: generation_pb2.ComposeTask.Clip) -> Clip:
    with under(f"clips[{number}]"):
        return Clip(
            media=needed(clip, "media"),
            start_seconds=seconds(clip, "start") or 0.0,
            duration_seconds=seconds(clip, "duration"),
            transition=_chosen(Transition, "transition", _Compose.Transition, clip.transition),
            transition_seconds=seconds(clip, "transition_duration"),
            gain_db=clip.gain_db,
            mute=clip.mute,
            shows=clip.shows,
            hold_seconds=seconds(clip, "hold") or 0.0,
        )


def _track(number: int, track: generation_pb2.ComposeTask.Track) -> Track:
    with under(f"tracks[{number}]"):
        if not track.role:
            raise InvalidArgument("role", "is required", allowed=[*Role])
        return Track(
            media=needed(track, "media"),
            role=_chosen(Role, "role", _Compose.Role, track.role),
            at_seconds=seconds(track, "at") or 0.0,
            start_seconds=seconds(track, "start") or 0.0,
            duration_seconds=seconds(track, "duration"),
            gain_db=track.gain_db,
            loop=track.loop,
            fade_in_seconds=seconds(track, "fade_in") or 0.0,
            fade_out_seconds=seconds(track, "fade_out") or 0.0,
        )


def _line(number: int, line: generation_pb2.CaptionsTask.Line) -> CaptionLine:
    with under(f"lines[{number}]"):
        return CaptionLine(
            text=line.text,
            start_seconds=seconds(line, "start") or 0.0,
            duration_seconds=seconds(line, "duration"),
            words=tuple(
                WordTime(
                    text=word.text,
                    start_seconds=seconds(word, "start") or 0.0,
                    end_seconds=seconds(word, "end") or 0.0,
                )
                for word in line.words
            ),
            audio=media(line, "audio", default=""),
            speaker=line.speaker,
        )


def _style(style: generation_pb2.CaptionStyle) -> CaptionStyle:
    positions = generation_pb2.CaptionStyle.Position
    return CaptionStyle(
        font=style.font,
        size_percent=style.size_percent or PLAIN.size_percent,
        color=style.color or PLAIN.color,
        outline_color=style.outline_color or PLAIN.outline_color,
        box=style.box,
        position=_chosen(Position, "caption_style.position", positions, style.position),
    )


def _chosen(kind: type[_Choice], field: str, numbers: Any, number: int) -> _Choice:
    """Return the domain's word for an enum value; 0 is the contract's default, the first word."""
    choices = tuple(kind.__members__.values())
    prefix = f"{field.rpartition('.')[2].upper()}_"
    words = {value: name.removeprefix(prefix) for name, value in numbers.items()}
    for choice in choices:
        if choice == words.get(number or 1):
            return choice
    raise InvalidArgument(field, f"{number} is unknown", allowed=choices)
