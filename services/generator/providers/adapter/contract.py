"""The seam between the machine and a vendor: a closed union of values."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias, TypeVar

from services.common.errors import InvalidArgument, ServiceError
from services.generator.domain.facts import WordTime
from services.generator.domain.tasks import (
    ImageTask,
    Json,
    Media,
    SpeechTask,
    Task,
    VideoTask,
    operation_of,
)
from services.generator.providers.adapter.faults import Fault, error_of
from services.generator.providers.adapter.reading import items, text

T = TypeVar("T", VideoTask, ImageTask, SpeechTask)


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """What to ask for: a checked task, the vendor's name of the model, and how it is spelled.

    `generation` is our own id, sent along where a vendor can be searched by it; `webhook_url` is
    where the vendor may call back ("" for nowhere); `labels` say whose it is, for vendors whose
    bills can be told apart by them.
    """

    vendor_model: str
    task: Task
    generation: str
    wire: Mapping[str, Json] = field(default_factory=dict)
    webhook_url: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def video(self) -> VideoTask:
        """The task as a clip to make. Raises InvalidArgument when it is none."""
        return self._as(VideoTask)

    @property
    def image(self) -> ImageTask:
        """The task as a picture to make. Raises InvalidArgument when it is none."""
        return self._as(ImageTask)

    @property
    def speech(self) -> SpeechTask:
        """The task as words to speak. Raises InvalidArgument when it is none."""
        return self._as(SpeechTask)

    def _as(self, kind: type[T]) -> T:
        if not isinstance(self.task, kind):
            message = f"{self.vendor_model} does not do {operation_of(self.task)}"
            raise InvalidArgument("task", message)
        return self.task


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a multipart form: a plain value, or a file when it has a name."""

    value: str | bytes = field(repr=False)
    filename: str = ""
    media_type: str = ""

    @classmethod
    def of(cls, media: Media | None) -> "Part":
        """Return a picture as a file part. Raises InvalidArgument where it is not at hand."""
        if media is None or not media.data:
            raise InvalidArgument("image", "the vendor takes the bytes of a picture, give those")
        name = f"image.{media.media_type.rpartition('/')[2]}"
        return cls(media.data, filename=name, media_type=media.media_type)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One HTTP call. `path` is relative to the provider's address, or a URL on the same host.

    `step` is a label of the adapter's own, which comes back with the reply.
    """

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    json: Json = None
    form: Mapping[str, Part] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    step: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came back. `body` is the JSON (None when it is none), header names are lower-case."""

    status: int
    body: Json = None
    content: bytes = field(default=b"", repr=False)
    media_type: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    step: str = ""

    @property
    def retry_after(self) -> float | None:
        """Return the seconds that the vendor asks us to wait, None when it does not say."""
        try:
            seconds = float(self.headers.get("retry-after", ""))
        except ValueError:
            return _retry_delay(self.body)
        return seconds if 0 <= seconds < 86_400 else None


def _retry_delay(body: Json) -> float | None:
    """Return the seconds of a `google.rpc.RetryInfo`, which Google sends instead of a header."""
    delays = (text(detail, "retryDelay") for detail in items(body, "error", "details"))
    found = re.fullmatch(r"(\d{1,5}(?:\.\d{1,9})?)s", next(filter(None, delays), ""))
    return float(found[1]) if found else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """One result: an address, or the bytes themselves.

    `authenticated` results are fetched with the provider's own credentials, from its own host only.
    """

    url: str = ""
    data: bytes = field(default=b"", repr=False)
    media_type: str = ""
    authenticated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The vendor took the job. `job` is opaque and enough to follow it, `shown_id` for people."""

    job: str
    shown_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """Not done yet. `progress` is the vendor's own, 0 to 1, None when it tells none."""

    queued: bool = False
    progress: float | None = None
    preview_url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Succeeded:
    """Done. `cost_micros` is what the vendor says it charged in micro-USD, None when silent.

    `words` are those of a speech, where the vendor tells when each is spoken.
    """

    outputs: tuple[Output, ...]
    cost_micros: int | None = None
    seed: int | None = None
    words: tuple[WordTime, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """Definitively refused or failed. `billed` None means that nobody said."""

    fault: Fault
    message: str
    code: str = ""
    retry_after: float | None = None
    billed: bool | None = None

    def error(self) -> ServiceError:
        """Return the service error that tells a caller of it."""
        return error_of(self.fault, self.message, code=self.code, retry_after=self.retry_after)


Outcome: TypeAlias = Accepted | Succeeded | Failed
Update: TypeAlias = Running | Succeeded | Failed
