"""What a vendor's adapter has to do; most vendors need a part of it only."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, SecretStr

from services.generator.domain.tasks import Json
from services.generator.providers.adapter.contract import (
    Accepted,
    Call,
    Failed,
    Outcome,
    Reply,
    Submission,
    Update,
)
from services.generator.providers.adapter.faults import (
    Fault,
    fault_of_status,
    sounds_moderated,
    text_of,
)
from services.generator.providers.adapter.reading import text
from services.generator.providers.adapter.uploads import Uploads


class Signature(StrEnum):
    """How a vendor proves that a callback is its own. TOKEN: only our secret in the URL."""

    NONE = "none"
    TOKEN = "token"  # noqa: S105 - a scheme, not a secret
    ED25519 = "ed25519"
    STANDARD = "standard"


@dataclass(frozen=True, slots=True)
class SignIn:
    """A form to post at an address, which answers with a short-lived token."""

    url: str
    form: Mapping[str, str] = field(repr=False)


class Adapter(BaseModel, ABC):
    """One vendor. Its fields are its settings; every method is pure.

    Credentials go to the host of `base_url`, and with authenticated results to `result_hosts`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    poll_seconds: ClassVar[float] = 5.0
    signature: ClassVar[Signature] = Signature.NONE
    cancels: ClassVar[bool] = False
    cancel_destroys: ClassVar[bool] = False  # on a finished job it deletes the result
    job_key: ClassVar[tuple[str | int, ...]] = ("id",)
    webhook_key: ClassVar[tuple[str | int, ...]] = ()
    no_such_job: ClassVar[tuple[int, str]] = (0, "")  # status and code, asked by our own id
    job_form: ClassVar[str] = "%(id)s"  # of a job, from the id that people are shown
    result_hosts: ClassVar[frozenset[str]] = frozenset()
    uploads: ClassVar[Uploads | None] = None

    base_url: str
    api_key: SecretStr = SecretStr("")

    @property
    def at_once(self) -> bool:
        """Whether the answer to a submit is all there ever is: there are no jobs to ask for."""
        return type(self).poll is Adapter.poll

    @property
    def upload_host(self) -> str:
        """Where pictures are taken in, "" for `base_url`: elsewhere only beside the usual one."""
        usual = self.base_url == type(self).model_fields["base_url"].default
        return self.uploads.host if self.uploads and usual else ""

    def auth(self, now: datetime) -> dict[str, str]:
        """Return the headers that prove who we are: a bearer token unless the vendor differs."""
        key = self.api_key.get_secret_value()
        return {"authorization": f"Bearer {key}"} if key else {}

    def secret_values(self) -> tuple[str, ...]:
        """Return what must never be repeated to anybody; words of a few letters are no secrets."""
        values = [value.get_secret_value() for _, value in self if isinstance(value, SecretStr)]
        return tuple(value for value in values if len(value) >= 8)

    def sign_in(self, now: datetime) -> SignIn | None:
        """Return how to get a token for the other calls, None where the key itself is shown."""
        return None

    def signed_in(self, token: str) -> "Adapter":
        """Return the adapter that shows `token`."""
        message = f"{type(self).__name__} needs no token"
        raise NotImplementedError(message)

    @abstractmethod
    def submit(self, submission: Submission) -> Call:
        """Return the one call that asks for the job and may cost money."""

    def accepted(self, reply: Reply) -> Outcome:
        """Read the 2xx answer to `submit`: the job's id lies at `job_key` unless told otherwise."""
        job = text(reply.body, *self.job_key)
        return Accepted(job=job, shown_id=job)

    def poll(self, job: str) -> Call:
        """Return the call that asks how the job stands. Vendors that answer at once have none."""
        message = f"{type(self).__name__} answers at once: there is nothing to poll for {job}"
        raise NotImplementedError(message)

    def update(self, job: str, reply: Reply) -> Update | Call:
        """Read the 2xx answer to `poll`, or ask for one more call."""
        message = f"{type(self).__name__} answers at once: {job} has no {reply.status}"
        raise NotImplementedError(message)

    def refusal(self, reply: Reply) -> Failed | None:
        """Read a non-2xx answer to `submit`; None leaves it to its HTTP status."""
        return None

    def trouble(self, job: str, reply: Reply) -> Update | Call | None:
        """Read a non-2xx answer to `poll`; None means that it says nothing about the job."""
        if reply.status in {404, 410}:
            return Failed(fault=Fault.LOST, message="the vendor no longer knows the job")
        return None

    def cancel(self, job: str) -> Call | None:
        """Return the call that stops the job, None where the vendor has none."""
        return None

    def look_up(self, submission: Submission) -> Call | None:
        """Return the call that finds a job whose `submit` was not answered, None where none is."""
        return None

    def found(self, submission: Submission, reply: Reply) -> Accepted | None:
        """Read the 2xx answer to `look_up`, which looks like the answer to `submit` elsewhere."""
        outcome = self.accepted(reply)
        return outcome if isinstance(outcome, Accepted) and outcome.shown_id else None

    def job_named(self, submission: Submission, shown_id: str) -> str:
        """Return the job of `submission` that a dashboard or a callback calls `shown_id`."""
        facts: dict[str, str] = {name: str(value) for name, value in self}
        model = submission.vendor_model.replace("{endpoint_id}", facts.get("endpoint_id", ""))
        pictured = getattr(submission.task, "image", None) is not None
        facts |= {"kind": "image2video" if pictured else "text2video", "model": model}
        return self.job_form % {**facts, "app": "/".join(model.split("/")[:2]), "id": shown_id}

    def webhook_job(self, body: Json) -> str:
        """Return the vendor's id of the job that a callback speaks of, "" when it names none.

        It lies at `webhook_key` unless told otherwise.
        """
        return text(body, *self.webhook_key) if self.webhook_key else ""


class KeySigned(Adapter):
    """A vendor that signs its callbacks with an Ed25519 key of its own.

    `public_keys` says where the keys are that belong to the vendor's own `base_url`.
    """

    signature: ClassVar[Signature] = Signature.ED25519
    public_keys: ClassVar[str]

    keys_url: str = ""

    @property
    def keys_address(self) -> str:
        """Where they are: `keys_url`, the vendor's own place, or the usual one elsewhere."""
        if self.keys_url or self.base_url == type(self).model_fields["base_url"].default:
            return self.keys_url or self.public_keys
        return f"{self.base_url.rstrip('/')}/.well-known/jwks.json"


class SecretSigned(Adapter):
    """A vendor that signs its callbacks by Standard Webhooks, with a secret that both know.

    `webhook_secret` may hold two, separated by a comma, while one is replaced by the other.
    """

    signature: ClassVar[Signature] = Signature.STANDARD

    webhook_secret: SecretStr = SecretStr("")

    @property
    def secrets(self) -> tuple[str, ...]:
        """The secrets that may have signed, none where callbacks are not signed."""
        return tuple(filter(None, self.webhook_secret.get_secret_value().split(",")))


def failed(message: str, *, code: str = "") -> Failed:
    """Return the failure of a job: moderated where the words say so, else the vendor's own."""
    moderated = sounds_moderated(f"{code} {message}")
    fault = Fault.MODERATED if moderated else Fault.VENDOR
    return Failed(fault=fault, message=message or "generation failed", code=code)


def refused(
    reply: Reply, fault: Fault | None = None, *, code: str = "", billed: bool | None = None
) -> Failed:
    """Return the failure that an HTTP answer means, by its status unless `fault` is given."""
    message = text_of(reply.body) or f"HTTP {reply.status}"
    kind = fault or fault_of_status(reply.status)
    return Failed(
        fault=kind, message=message, code=code, retry_after=reply.retry_after, billed=billed
    )


def billed_by_fal(reply: Reply) -> bool | None:
    """Tell whether fal, or who passes its answers on, counts units for this; None when silent."""
    try:
        return float(reply.headers.get("x-fal-billable-units", "")) > 0
    except ValueError:
        return None
