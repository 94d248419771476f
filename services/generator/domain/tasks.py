"""What a generation can be asked to make: one frozen dataclass per kind of task.

The words are those of the contract; a field that is unset ("" or None) leaves the choice to the
model. Whether a given model can honour a task is `limits.validate_request`'s business: a task only
refuses what no model could ever mean.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from services.common.errors import InvalidArgument
from services.generator.domain.bounds import positive, ratio_fits, seed_fits
from services.generator.domain.captions import CaptionsTask, CheckTask
from services.generator.domain.compositions import ComposeTask
from services.generator.domain.media import NO_OPTIONS, Json, Media

__all__ = [
    "Edit",
    "ImageTask",
    "Json",
    "Media",
    "MusicTask",
    "Operation",
    "SoundTask",
    "SpeechTask",
    "Task",
    "UpscaleTask",
    "VideoTask",
    "operation_of",
]

ENLARGED: Mapping[str, int] = {"720p": 720, "1080p": 1080, "1440p": 1440, "4k": 2160, "2160p": 2160}
"""What clips and pictures are enlarged to: the length of the shorter side in pixels."""


class Operation(StrEnum):
    """The kinds of work a model may do."""

    VIDEO = "video"
    IMAGE = "image"
    SPEECH = "speech"
    MUSIC = "music"
    SOUND = "sound"
    UPSCALE = "upscale"
    COMPOSE = "compose"
    CAPTIONS = "captions"
    CHECK = "check"


class Edit(StrEnum):
    """What may be done to a clip that is given, apart from making a new one."""

    EXTEND = "extend"
    REMIX = "remix"
    RESTYLE = "restyle"
    LIP_SYNC = "lip_sync"


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoTask:
    """A clip to make. Durations in seconds; `audio` None leaves the sound track to the model.

    With `edit` it is made from the clip `video`.
    """

    prompt: str = ""
    duration_seconds: float | None = None
    aspect_ratio: str = ""
    resolution: str = ""
    fps: float | None = None
    seed: int | None = None
    negative_prompt: str = ""
    image: Media | None = None
    last_image: Media | None = None
    video: Media | None = None
    edit: Edit | None = None
    camera_motion: str = ""
    style: str = ""
    audio: bool | None = None
    options: Mapping[str, Json] = field(default_factory=lambda: NO_OPTIONS)

    def __post_init__(self) -> None:
        """Refuse values that no model could mean."""
        positive("duration", self.duration_seconds)
        positive("fps", self.fps)
        seed_fits(self.seed)
        ratio_fits(self.aspect_ratio)
        if not (self.prompt.strip() or self.image or self.last_image or self.video):
            raise InvalidArgument("prompt", "must not be empty when there is no image")
        if self.edit is None and self.video is not None:
            raise InvalidArgument("operation", "must say what is done to the clip", allowed=Edit)
        if self.edit is not None and self.video is None:
            raise InvalidArgument("video", f"must be given: the clip to {self.edit}")
        if self.edit is not None and (self.image or self.last_image):
            raise InvalidArgument("image", "does not go with a clip to work on")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageTask:
    """Still pictures to make; `image` is a picture to start from; `count` pictures at once."""

    prompt: str = ""
    aspect_ratio: str = ""
    resolution: str = ""
    seed: int | None = None
    negative_prompt: str = ""
    image: Media | None = None
    style: str = ""
    count: int = 1
    options: Mapping[str, Json] = field(default_factory=lambda: NO_OPTIONS)

    def __post_init__(self) -> None:
        """Refuse values that no model could mean."""
        seed_fits(self.seed)
        ratio_fits(self.aspect_ratio)
        if not self.prompt.strip():
            raise InvalidArgument("prompt", "must not be empty")
        if self.count < 1:
            raise InvalidArgument("count", "must be at least 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechTask:
    """Words to speak. `language` is an ISO 639-1 code, `speed` 1.0 is the voice's own pace."""

    text: str = ""
    voice: str = ""
    language: str = ""
    speed: float | None = None
    format: str = "mp3"
    seed: int | None = None
    options: Mapping[str, Json] = field(default_factory=lambda: NO_OPTIONS)

    def __post_init__(self) -> None:
        """Refuse values that no model could mean."""
        positive("speed", self.speed)
        seed_fits(self.seed)
        if not self.text.strip():
            raise InvalidArgument("text", "must not be empty")


@dataclass(frozen=True, slots=True, kw_only=True)
class MusicTask:
    """Music to make; `lyrics` asks for a song, `instrumental` forbids a voice.

    `melody` is a recording whose tune it shall have.
    """

    prompt: str = ""
    duration_seconds: float | None = None
    lyrics: str = ""
    instrumental: bool | None = None
    mood: str = ""
    seed: int | None = None
    melody: Media | None = None
    options: Mapping[str, Json] = field(default_factory=lambda: NO_OPTIONS)

    def __post_init__(self) -> None:
        """Refuse values that no model could mean."""
        positive("duration", self.duration_seconds)
        seed_fits(self.seed)
        if not (self.prompt.strip() or self.lyrics.strip()):
            raise InvalidArgument("prompt", "must not be empty when there are no lyrics")
        if self.lyrics and self.instrumental:
            raise InvalidArgument("instrumental", "contradicts the lyrics", allowed=(False,))


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundTask:
    """A sound effect to make; `loop` asks for one that repeats without a seam."""

    prompt: str = ""
    duration_seconds: float | None = None
    loop: bool | None = None
    seed: int | None = None
    options: Mapping[str, Json] = field(default_factory=lambda: NO_OPTIONS)

    def __post_init__(self) -> None:
        """Refuse values that no model could mean."""
        positive("duration", self.duration_seconds)
        seed_fits(self.seed)
        if not self.prompt.strip():
            raise InvalidArgument("prompt", "must not be empty")


@dataclass(frozen=True, slots=True, kw_only=True)
class UpscaleTask:
    """A larger version of a clip or picture: `factor` times, or in `resolution` such as "1080p".

    Length, frame rate and sound stay as they are.
    """

    media: Media
    factor: int = 2
    resolution: str = ""
    options: Mapping[str, Json] = field(default_factory=lambda: NO_OPTIONS)

    def __post_init__(self) -> None:
        """Refuse factors and sizes that no model could mean."""
        if self.factor not in {2, 4}:
            raise InvalidArgument("factor", f"{self.factor} is not offered", allowed=(2, 4))
        if self.resolution and self.resolution.lower() not in ENLARGED:
            message = f"{self.resolution} is not offered"
            raise InvalidArgument("resolution", message, allowed=tuple(ENLARGED))

    @property
    def lines(self) -> int:
        """Length of the shorter side in pixels, 0 where the factor says it."""
        return ENLARGED.get(self.resolution.lower(), 0)


Task: TypeAlias = (
    VideoTask
    | ImageTask
    | SpeechTask
    | MusicTask
    | SoundTask
    | UpscaleTask
    | ComposeTask
    | CaptionsTask
    | CheckTask
)

_OPERATIONS: Mapping[type[object], Operation] = {
    VideoTask: Operation.VIDEO,
    ImageTask: Operation.IMAGE,
    SpeechTask: Operation.SPEECH,
    MusicTask: Operation.MUSIC,
    SoundTask: Operation.SOUND,
    UpscaleTask: Operation.UPSCALE,
    ComposeTask: Operation.COMPOSE,
    CaptionsTask: Operation.CAPTIONS,
    CheckTask: Operation.CHECK,
}


def operation_of(task: Task) -> Operation:
    """Return the kind of work that a task asks for."""
    return _OPERATIONS[type(task)]
