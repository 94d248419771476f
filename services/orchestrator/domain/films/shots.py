"""What is to be seen and heard, shot by shot. Values that cannot be wrong."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from services.common.errors import InvalidArgument
from services.orchestrator.domain.options import check_one_of, check_text
from services.orchestrator.domain.request import CAMERA_MOTIONS

MAX_SHOTS = 500
MAX_WORDS = 5_000
SHOT_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
TRANSITIONS = (
    "cut",
    "crossfade",
    "fade_black",
    "wipe_left",
    "wipe_right",
    "wipe_up",
    "wipe_down",
    "slide_left",
    "slide_right",
    "slide_up",
    "slide_down",
)
# What a face can show: the basic emotions, and none.
EMOTIONS = ("neutral", "joy", "sadness", "anger", "fear", "surprise", "disgust")
# What a shot may name a model for.
PROVIDED = ("image", "animation", "audio")


@dataclass(frozen=True, kw_only=True)
class Line:
    """Words that are spoken in a shot; a speaker of "" is the narrator."""

    text: str
    speaker: str = ""

    def __post_init__(self) -> None:
        """Raise InvalidArgument for a line without words."""
        if not self.text.strip():
            raise InvalidArgument("text", "is empty", allowed=("what is said",))
        check_text("text", self.text, MAX_WORDS)
        check_text("speaker", self.speaker, 128)


@dataclass(frozen=True, kw_only=True)
class Cue:
    """A sound without words, such as "laughing", heard before the line of this number.

    A number beyond the last line is after all of them.
    """

    sound: str
    line: int = 0
    speaker: str = ""


@dataclass(frozen=True, kw_only=True)
class Shot:
    """One shot. `providers` names models by kind of task and wins over the film's.

    `background` shots may be made by a cheaper model, unless one is named for them. `emotion` is
    what faces show.
    """

    shot_id: str
    prompt: str
    duration_seconds: float = 5.0
    negative_prompt: str = ""
    lines: tuple[Line, ...] = ()
    cues: tuple[Cue, ...] = ()
    characters: tuple[str, ...] = ()
    landscapes: tuple[str, ...] = ()
    styles: tuple[str, ...] = ()
    mood: str = ""
    emotion: str = ""
    time_of_day: str = ""
    shot_type: str = ""
    camera_motion: str = ""
    sound: str = ""
    transition: str = ""
    background: bool = False
    seed: int | None = None
    providers: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raise InvalidArgument naming the field that cannot work."""
        if not SHOT_ID.fullmatch(self.shot_id):
            raise InvalidArgument("shot_id", "takes 1 to 64 letters, digits, _ and -")
        if not self.prompt.strip():
            raise InvalidArgument("prompt", "is empty", allowed=("what is to be seen",))
        if not 1 <= self.duration_seconds <= 60:
            raise InvalidArgument("duration", "is out of range", allowed=("1 to 60 seconds",))
        for name, longest in (("prompt", MAX_WORDS), ("negative_prompt", 2000), ("sound", 500)):
            check_text(name, getattr(self, name), longest)
        check_one_of("emotion", self.emotion, EMOTIONS)
        check_one_of("transition", self.transition, TRANSITIONS)
        check_one_of("camera_motion", self.camera_motion, CAMERA_MOTIONS)
        for kind in self.providers:
            check_one_of("providers", kind, PROVIDED)

    @property
    def thrifty(self) -> bool:
        """Whether its clip may be made by a cheaper model than the film's own."""
        return self.background and not self.providers.get("animation")

    @property
    def characters_spoken(self) -> int:
        """How many characters of text are spoken."""
        return sum(len(line.text) for line in self.lines)


def require_distinct(shots: tuple[Shot, ...]) -> None:
    """Raise InvalidArgument for no shots, too many, or two with one id."""
    if not 1 <= len(shots) <= MAX_SHOTS:
        raise InvalidArgument("shots", f"are {len(shots)}", allowed=(f"1 to {MAX_SHOTS}",))
    seen: set[str] = set()
    for number, shot in enumerate(shots):
        if shot.shot_id in seen:
            raise InvalidArgument(f"shots[{number}].shot_id", f"{shot.shot_id!r} is taken")
        seen.add(shot.shot_id)
