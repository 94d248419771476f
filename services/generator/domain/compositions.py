"""What a composition is ordered with: values that cannot be built wrong.

Seconds count from the beginning of the clip, the recording or the cut; levels are decibels.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from services.common.errors import InvalidArgument
from services.generator.domain.bounds import at_most, within
from services.generator.domain.captions import PLAIN, CaptionStyle
from services.generator.domain.media import NO_OPTIONS, Json, Media

MAX_CLIPS = 500
MAX_TRACKS = 1000
MAX_PIXELS = 7680
MAX_WORDS = 5000
DEFAULT_OVERLAP_SECONDS = 0.5
MAX_HOLD_SECONDS = 60


class Transition(StrEnum):
    """How a clip follows the one before it."""

    CUT = "CUT"
    CROSSFADE = "CROSSFADE"
    FADE_BLACK = "FADE_BLACK"
    WIPE_LEFT = "WIPE_LEFT"
    WIPE_RIGHT = "WIPE_RIGHT"
    WIPE_UP = "WIPE_UP"
    WIPE_DOWN = "WIPE_DOWN"
    SLIDE_LEFT = "SLIDE_LEFT"
    SLIDE_RIGHT = "SLIDE_RIGHT"
    SLIDE_UP = "SLIDE_UP"
    SLIDE_DOWN = "SLIDE_DOWN"


class Role(StrEnum):
    """What a track is for; ducking follows from it."""

    DIALOGUE = "DIALOGUE"
    MUSIC = "MUSIC"
    EFFECT = "EFFECT"


class CaptionMode(StrEnum):
    """What becomes of the captions: drawn into the picture, or carried as a text track."""

    BURN = "BURN"
    ATTACH = "ATTACH"


class Encoding(StrEnum):
    """Whether pictures may be copied instead of encoded."""

    AUTO = "AUTO"
    FULL = "FULL"


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """One clip of the cut; `duration_seconds` None takes all that is left.

    After that its last picture stands still for `hold_seconds`, which are part of the cut. `shows`
    is what is to be seen in it, for a check of the cut.
    """

    media: Media
    start_seconds: float = 0.0
    duration_seconds: float | None = None
    transition: Transition = Transition.CUT
    transition_seconds: float | None = None
    gain_db: float = 0.0
    mute: bool = False
    shows: str = ""
    hold_seconds: float = 0.0

    def __post_init__(self) -> None:
        """Refuse numbers that mean nothing."""
        within("start", self.start_seconds, 0, 86_400)
        within("duration", self.duration_seconds, 0.001, 86_400)
        within("transition_duration", self.transition_seconds, 0.001, 60)
        within("gain_db", self.gain_db, -60, 12)
        within("hold", self.hold_seconds, 0, MAX_HOLD_SECONDS)
        if len(self.shows) > MAX_WORDS:
            raise InvalidArgument("shows", f"must have at most {MAX_WORDS} characters")

    @property
    def overlap_seconds(self) -> float:
        """How long it is seen together with the clip before it."""
        if self.transition is Transition.CUT:
            return 0.0
        given = self.transition_seconds
        return DEFAULT_OVERLAP_SECONDS if given is None else given


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """Sound laid over the cut from `at_seconds` on."""

    media: Media
    role: Role = Role.EFFECT
    at_seconds: float = 0.0
    start_seconds: float = 0.0
    duration_seconds: float | None = None
    gain_db: float = 0.0
    loop: bool = False
    fade_in_seconds: float = 0.0
    fade_out_seconds: float = 0.0

    def __post_init__(self) -> None:
        """Refuse numbers that mean nothing."""
        within("at", self.at_seconds, 0, 86_400)
        within("start", self.start_seconds, 0, 86_400)
        within("duration", self.duration_seconds, 0.001, 86_400)
        within("gain_db", self.gain_db, -60, 12)
        within("fade_in", self.fade_in_seconds, 0, 600)
        within("fade_out", self.fade_out_seconds, 0, 600)


@dataclass(frozen=True, slots=True, kw_only=True)
class ComposeTask:
    """Clips, sound and captions to put together; width, height, rate 0 are the first clip's."""

    clips: tuple[Clip, ...]
    tracks: tuple[Track, ...] = ()
    captions: Media | None = None
    caption_mode: CaptionMode = CaptionMode.BURN
    caption_style: CaptionStyle = PLAIN
    caption_language: str = ""
    width: int = 0
    height: int = 0
    frame_rate: int = 0
    loudness_lufs: float = -16.0
    true_peak_db: float = -1.0
    keep_levels: bool = False
    encoding: Encoding = Encoding.AUTO
    check: bool = True
    options: Mapping[str, Json] = field(default_factory=lambda: NO_OPTIONS)

    def __post_init__(self) -> None:
        """Refuse a cut that cannot be made, whatever its clips hold."""
        if not self.clips:
            raise InvalidArgument("clips", "must not be empty")
        at_most("clips", self.clips, MAX_CLIPS)
        at_most("tracks", self.tracks, MAX_TRACKS)
        for name in ("width", "height"):
            within(name, getattr(self, name), 0, MAX_PIXELS)
            if getattr(self, name) % 2:
                raise InvalidArgument(name, "must be even")
        if bool(self.width) != bool(self.height):
            raise InvalidArgument("width", "goes with height")
        within("fps", self.frame_rate, 0, 240)
        within("loudness_lufs", self.loudness_lufs, -31, -9)
        within("true_peak_db", self.true_peak_db, -9, 0)
