"""What captions and a check of media are ordered with."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from services.common.errors import InvalidArgument
from services.generator.domain.bounds import at_most, within
from services.generator.domain.facts import WordTime
from services.generator.domain.media import NO_OPTIONS, Json, Media

MAX_LINES = 5000
_COLOR = re.compile(r"#[0-9A-Fa-f]{6}")


class Position(StrEnum):
    """Where captions stand."""

    BOTTOM = "BOTTOM"
    TOP = "TOP"
    MIDDLE = "MIDDLE"


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptionStyle:
    """How captions are drawn; `size_percent` is a line's share of the picture's height."""

    font: str = ""
    size_percent: float = 5.5
    color: str = "#FFFFFF"
    outline_color: str = "#000000"
    box: bool = False
    position: Position = Position.BOTTOM

    def __post_init__(self) -> None:
        """Refuse sizes and colours that cannot be drawn."""
        within("caption_style.size_percent", self.size_percent, 2, 15)
        for name in ("color", "outline_color"):
            if not _COLOR.fullmatch(getattr(self, name)):
                raise InvalidArgument(f"caption_style.{name}", "must look like #RRGGBB")


PLAIN = CaptionStyle()
"""White with a black outline, below."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptionLine:
    """Words that are spoken from `start_seconds` on; `words` count from there."""

    text: str = ""
    start_seconds: float = 0.0
    duration_seconds: float | None = None
    words: tuple[WordTime, ...] = ()
    audio: Media | None = None
    speaker: str = ""

    def __post_init__(self) -> None:
        """Refuse a line without words, or without anything that tells how long it takes."""
        within("start", self.start_seconds, 0, 86_400)
        within("duration", self.duration_seconds, 0.001, 86_400)
        if not (self.text.strip() or self.words):
            raise InvalidArgument("text", "must not be empty when there are no words")
        if not self.words and self.duration_seconds is None and self.audio is None:
            raise InvalidArgument("duration", "is needed when there are neither words nor audio")


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptionsTask:
    """Captions to set: `text` spoken in `audio`, or `lines`. 0 stands for the language's custom.

    None stands longer than the film, where it is known how long that is.
    """

    text: str = ""
    audio: Media | None = None
    format: str = "srt"
    language: str = ""
    lines: tuple[CaptionLine, ...] = ()
    max_line_characters: int = 0
    max_lines: int = 2
    max_characters_per_second: float = 0.0
    film_seconds: float | None = None
    options: Mapping[str, Json] = field(default_factory=lambda: NO_OPTIONS)

    def __post_init__(self) -> None:
        """Refuse an unknown format and captions of nothing."""
        if self.format not in {"srt", "vtt"}:
            raise InvalidArgument("format", f"{self.format} is unknown", allowed=("srt", "vtt"))
        if bool(self.text.strip()) == bool(self.lines):
            raise InvalidArgument("text", "give either text with audio, or lines")
        if self.text.strip() and self.audio is None:
            raise InvalidArgument("audio", "is needed to time the text")
        at_most("lines", self.lines, MAX_LINES)
        within("film_duration", self.film_seconds, 0.001, 86_400)
        within("max_lines", self.max_lines, 1, 3)
        if self.max_line_characters:
            within("max_line_characters", self.max_line_characters, 8, 120)
        if self.max_characters_per_second:
            within("max_characters_per_second", self.max_characters_per_second, 4, 60)


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckTask:
    """Media to look at; `expected_seconds` is how long it should be.

    `alike` is a picture that it is to look like.
    """

    media: Media
    expected_seconds: float | None = None
    captions: Media | None = None
    silent_expected: bool = False
    alike: Media | None = None
    options: Mapping[str, Json] = field(default_factory=lambda: NO_OPTIONS)

    def __post_init__(self) -> None:
        """Refuse a length that means nothing."""
        within("expected_duration", self.expected_seconds, 0.001, 86_400)
