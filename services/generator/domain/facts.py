"""The facts that a generation gathers: where it was sent, how far it is, what it made and cost."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from services.common.errors import InvalidArgument, ServiceError


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Where the work was sent, frozen at creation: a later change of settings does not move it.

    `credential` is a reference by name (such as "RUNWAY_API_KEY"), never the key itself.
    """

    provider: str
    endpoint: str = ""
    vendor_model: str = ""
    credential: str = ""

    @property
    def account(self) -> str:
        """The provider and its credential: what a limit holds for."""
        return f"{self.provider}/{self.credential}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a generation failed, in the words of `services.common.errors`."""

    reason: str
    message: str
    retryable: bool = False
    retry_after: float | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, error: ServiceError) -> "Failure":
        """Return the failure that `error` tells of."""
        return cls(
            reason=error.reason,
            message=error.message,
            retryable=error.retryable,
            retry_after=error.retry_after,
            metadata=dict(error.metadata),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class WordTime:
    """A word as written and when it is spoken, in seconds."""

    text: str
    start_seconds: float
    end_seconds: float

    def __post_init__(self) -> None:
        """Refuse a word that ends before it begins."""
        if not 0 <= self.start_seconds <= self.end_seconds:
            raise InvalidArgument("words", "must begin at 0 or later and end after they begin")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong with media; a length of 0 means the whole."""

    kind: str
    start_seconds: float = 0.0
    duration_seconds: float = 0.0
    penalty: float = 0.0
    explanation: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """What was found when media was looked at: 1.0 is faultless, 0 the worst.

    `prompt_match` is how much pictures look like their words, `likeness` how much one looks like
    the picture that it was held against, 0 to 1, None where nobody could tell; `not_measured` names
    what was to be looked at and could not be. `loudness_lufs` and `true_peak_db` (dBTP) are by EBU
    R 128 of the sound as it was encoded, None where nothing was brought to a level.
    """

    score: float
    findings: tuple[Finding, ...] = ()
    prompt_match: float | None = None
    not_measured: tuple[str, ...] = ()
    likeness: float | None = None
    loudness_lufs: float | None = None
    true_peak_db: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """Measured facts of what was made: pixels, frames per second, seconds, bytes."""

    sha256: str
    size_bytes: int
    content_type: str
    width: int = 0
    height: int = 0
    fps: float = 0.0
    duration_seconds: float = 0.0
    seed: int | None = None
    storage_url: str = ""
    thumbnail: str = ""
    words: tuple[WordTime, ...] = ()
    quality: Quality | None = None
    method: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What it cost in micro-USD and how that is known: reported, catalogue, measured or free."""

    micros: int
    source: str


NOTHING = Cost(micros=0, source="free")
"""The cost of what provably never began. A cost that is absent is not known, which is not zero."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far the work is: percent 0 to 99, where the number is from, when it should be done.

    `preview` is where an unfinished look at it lies, "" for nowhere.
    """

    percent: int = 0
    source: str = "none"
    eta: datetime | None = None
    queued: bool = False
    preview: str = ""
