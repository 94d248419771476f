"""The one tree of errors that services raise, send to each other and rebuild in the caller.

::

    ServiceError
    ├── InvalidArgument        a field has a value that can never work
    ├── Unauthenticated  PermissionDenied  NotFound
    ├── AlreadyExists
    │   └── RequestConflict    same request_id, other body
    ├── FailedPrecondition     not in this state of the system
    │   ├── ModelRetired  NoCredentials  NoDevice  LicenceRefused  NoModel
    │   └── AlreadyEnded  UnknownOutcome  Moderated  ProviderRefused
    ├── ResourceExhausted      a quota is used up
    │   └── RateLimited  BudgetExceeded  StorageFull
    ├── Aborted  Unavailable   lost a race, read again; a part is away
    ├── DeadlineExceeded  Cancelled  Unimplemented  DataLoss
    └── Internal               a defect of ours
        └── GenerationFailed   the vendor said so

The first line of a class's docstring is its default message and says what the caller should do.
``reason`` is a name of the enum ``reelmesh.errors.v1.ErrorReason`` without its prefix; which status
code a class travels with is known to ``services.common.status`` alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from services.common import service_error

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ServiceError = service_error.ServiceError
Violation = service_error.Violation


class InvalidArgument(ServiceError):
    """Correct the request: a field has a value that can never work."""

    default_reason = "INVALID_ARGUMENT"

    def __init__(self, field: str, message: str, *, allowed: Iterable[object] = ()) -> None:
        choices = ", ".join(str(value) for value in allowed)
        text = f"{message} (allowed: {choices})" if choices else message
        super().__init__(f"{field}: {text}", violations=[Violation(field, text)])

    @classmethod
    def of(cls, violations: Iterable[Violation]) -> Self:
        """Return one error that names every violation; there must be at least one."""
        found = tuple(violations)
        error = cls(found[0].field, found[0].message)
        error.message = "; ".join(f"{item.field}: {item.message}" for item in found)
        error.violations = found
        error.args = (error.message,)
        return error


class Unauthenticated(ServiceError):
    """Send a valid API key: authorization: Bearer rmk_…."""

    default_reason = "UNAUTHENTICATED"


class PermissionDenied(ServiceError):
    """Use a key that has the scope for this call."""

    default_reason = "PERMISSION_DENIED"

    def __init__(self, message: str = "", *, scope: str = "") -> None:
        super().__init__(message, metadata={"scope": scope} if scope else None)


class NotFound(ServiceError):
    """Check the name: there is no such resource in your tenant."""

    default_reason = "NOT_FOUND"

    def __init__(self, kind: str, name: str, *, field: str = "") -> None:
        text, facts = f"{kind} {name!r} not found", {"kind": kind, "name": name}
        wrong = [Violation(field, text)] if field else []
        super().__init__(f"{field}: {text}" if field else text, metadata=facts, violations=wrong)


class AlreadyExists(ServiceError):
    """Choose another name: this one is taken."""

    default_reason = "ALREADY_EXISTS"


class RequestConflict(AlreadyExists):
    """Use a new request_id: this one came before with another body."""

    default_reason = "REQUEST_ID_REUSED"

    def __init__(self, request_id: str) -> None:
        text = f"request_id {request_id!r} was used before with another body"
        super().__init__(text, metadata={"request_id": request_id})


class FailedPrecondition(ServiceError):
    """Change the state of the system first; the call cannot work in this one."""

    default_reason = "FAILED_PRECONDITION"


class ModelRetired(FailedPrecondition):
    """Ask for one of the successors: the vendor has retired this model."""

    default_reason = "MODEL_RETIRED"


class NoCredentials(FailedPrecondition):
    """Configure the vendor's credential."""

    default_reason = "NO_CREDENTIALS"


class NoDevice(FailedPrecondition):
    """Choose another model: this deployment has no device that can run it."""

    default_reason = "NO_DEVICE"


class LicenceRefused(FailedPrecondition):
    """Choose another model: the licence of this one forbids this use."""

    default_reason = "LICENCE"


class AlreadyEnded(FailedPrecondition):
    """Nothing is left to do: it has ended and can no longer change."""

    default_reason = "ALREADY_ENDED"


class UnknownOutcome(FailedPrecondition):
    """Wait for reconciliation: a paid call's answer was lost; it is never sent again."""

    default_reason = "UNKNOWN_OUTCOME"


class NoModel(FailedPrecondition):
    """Loosen the request or configure a provider: no model is able and allowed to serve it."""

    default_reason = "NO_MODEL"


class Moderated(FailedPrecondition):
    """Change the prompt: it was refused by moderation."""

    default_reason = "MODERATED"


class ProviderRefused(FailedPrecondition):
    """Check the vendor's credential and account: the vendor refused us."""

    default_reason = "PROVIDER_REFUSED"


class ResourceExhausted(ServiceError):
    """Free some of the quota or ask for more: it is used up."""

    default_reason = "QUOTA_EXCEEDED"


class RateLimited(ResourceExhausted):
    """Wait for retry_after seconds, then send the same call again."""

    default_reason = "RATE_LIMITED"
    retryable = True

    def __init__(
        self, message: str = "", retry_after: float | None = None, *, limit: str = ""
    ) -> None:
        told = {"limit": limit} if limit else None
        super().__init__(message, retry_after=retry_after, metadata=told)


class BudgetExceeded(ResourceExhausted):
    """Raise the budget or ask for something cheaper."""

    default_reason = "BUDGET_EXCEEDED"


class StorageFull(ResourceExhausted):
    """Send the same call again once the operator has made room: a disk is full."""

    default_reason = "STORAGE_FULL"
    retryable = True


class Aborted(ServiceError):
    """Read again and retry: somebody else changed the same thing at the same moment."""

    default_reason = "CONFLICT"
    retryable = True


class Unavailable(ServiceError):
    """Retry later: a part is away or starting."""

    default_reason = "UNAVAILABLE"
    retryable = True

    def __init__(
        self,
        message: str = "",
        retry_after: float | None = None,
        *,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message, retry_after=retry_after, metadata=metadata)


class DeadlineExceeded(ServiceError):
    """Retry with the same request_id and a longer deadline: the time was up."""

    default_reason = "DEADLINE_EXCEEDED"
    retryable = True


class Cancelled(ServiceError):
    """Do nothing: the call or the job was cancelled."""

    default_reason = "CANCELLED"


class Unimplemented(ServiceError):
    """Use a newer version: this one does not serve the method yet."""

    default_reason = "UNIMPLEMENTED"


class DataLoss(ServiceError):
    """Make it again: what was stored or delivered is damaged."""

    default_reason = "DATA_LOSS"


class Internal(ServiceError):
    """Report the request id: this is a defect of ours."""

    default_reason = "INTERNAL"


class GenerationFailed(Internal):
    """Try another model or change the request: the vendor said that generation failed."""

    default_reason = "GENERATION_FAILED"
