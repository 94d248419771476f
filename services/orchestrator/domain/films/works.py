"""What a film asks the generator for besides clips: orders, and what becomes of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from services.orchestrator.domain.films.tasks import Piece, Word
from services.orchestrator.domain.notices import Translated
from services.orchestrator.domain.options import ImageInput
from services.orchestrator.domain.ports import GenerationView


@dataclass(frozen=True, kw_only=True)
class PictureWork:
    """A still to begin a shot with; `reference` is the picture of who is seen in it."""

    prompt: str
    negative_prompt: str = ""
    aspect_ratio: str = ""
    seed: int | None = None
    reference: ImageInput | None = None
    resolution: str = ""


@dataclass(frozen=True, kw_only=True)
class SpeechWork:
    """A line to be spoken; `voice` is an id of the model, "" its own choice."""

    text: str
    language: str
    voice: str = ""


@dataclass(frozen=True, kw_only=True)
class MusicWork:
    """A bed of music; `mood` is a word such as "peaceful"."""

    prompt: str
    seconds: float
    mood: str = ""
    seed: int | None = None


@dataclass(frozen=True, kw_only=True)
class SoundWork:
    """A sound effect."""

    prompt: str
    seconds: float
    seed: int | None = None


@dataclass(frozen=True, kw_only=True)
class UpscaleWork:
    """A clip made `factor` times as wide and as high; `sha256` is the clip's, where it is known."""

    asset: str
    seconds: float
    factor: int = 2
    sha256: str = ""


@dataclass(frozen=True, kw_only=True)
class CaptionLine:
    """What is said, by whom, and when in the film; seconds.

    `audio` is its recording, to time the words by where its maker has not.
    """

    text: str
    start: float
    duration: float
    speaker: str = ""
    words: tuple[Word, ...] = ()
    audio: str = ""


@dataclass(frozen=True, kw_only=True)
class CaptionsWork:
    """Captions for a film of `seconds`."""

    lines: tuple[CaptionLine, ...]
    language: str
    seconds: float


@dataclass(frozen=True, kw_only=True)
class CutClip:
    """A clip of the cut: how much of it, and how it follows the one before; seconds.

    Its last picture then stands for `hold`. `shows` are the words that its picture is compared
    with, "" for not at all; `gain_db` changes its own sound.
    """

    asset: str
    duration: float | None = None
    transition: str = "cut"
    transition_seconds: float = 0.0
    mute: bool = False
    shows: str = ""
    hold: float = 0.0
    gain_db: float = 0.0


@dataclass(frozen=True, kw_only=True)
class CutTrack:
    """Sound over the cut: "dialogue", "music" or "effect"; seconds, all of it for None."""

    asset: str
    role: str
    at: float = 0.0
    duration: float | None = None
    loop: bool = False
    fade_out: float = 0.0


@dataclass(frozen=True, kw_only=True)
class ComposeWork:
    """The cut. `captions` is an asset; "burn" or "attach", on "bottom" or "top".

    `size` in pixels, None for that of the first clip. A `rough` cut is for looking at while the
    film is made: its sound is left as it is, and nobody checks it.
    """

    clips: tuple[CutClip, ...]
    tracks: tuple[CutTrack, ...] = ()
    captions: str = ""
    caption_mode: str = "burn"
    caption_position: str = "bottom"
    caption_language: str = ""
    fps: int = 0
    size: tuple[int, int] | None = None
    rough: bool = False


@dataclass(frozen=True)
class LookWork:
    """A still or clip to be held against a picture; it is asked for alone."""

    asset: str
    alike: ImageInput | None
    alone: bool = True


Work = (
    UpscaleWork
    | PictureWork
    | SpeechWork
    | MusicWork
    | SoundWork
    | CaptionsWork
    | ComposeWork
    | LookWork
)


@dataclass(frozen=True, kw_only=True)
class WorkOrder:
    """One generation to be made; the same `request_id` never makes a second.

    `together` of the kind are ordered at once; `waiting` says that somebody waits for it.
    """

    request_id: str
    tenant: str
    model: str
    work: Work
    film: str
    creative_id: str
    max_price_micros: int | None = None
    together: int = 1
    waiting: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class WorkView(GenerationView):
    """A generation as the generator tells it, with what was made and what was found in it."""

    piece: Piece | None = None
    quality: float | None = None
    findings: tuple[Translated, ...] = ()
    prompt_match: float | None = None
    likeness: float | None = None
    not_measured: tuple[str, ...] = ()
