"""What botocore's errors mean for a caller of storage."""

from __future__ import annotations

from botocore.exceptions import BotoCoreError, ClientError

from services.common.errors import (
    DataLoss,
    FailedPrecondition,
    ResourceExhausted,
    ServiceError,
    Unavailable,
)
from services.storage.domain.ports import KeyTakenError

BOTO_ERRORS = (ClientError, BotoCoreError)

# NoSuchUpload: a repeated completion whose first answer was lost; the caller looks what is there.
_TAKEN = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "412", "NoSuchUpload"})
_FULL = frozenset({"QuotaExceeded", "InsufficientStorage", "XMinioStorageFull", "507"})
_SET_UP = ("NoSuchBucket", "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "403")
_REFUSED = {
    **dict.fromkeys(_SET_UP, "check bucket and credentials"),
    "RequestTimeTooSkewed": "this machine's clock differs from its own",
    "RequestExpired": "this machine's clock differs from its own",
}
_DAMAGED = frozenset({"BadDigest", "XAmzContentChecksumMismatch", "XAmzContentSHA256Mismatch"})
_ABSENT = frozenset({"404", "NoSuchKey", "NotFound"})


def code(error: Exception) -> str:
    """Return S3's error code, empty when the server never answered."""
    if isinstance(error, ClientError):
        return str(error.response.get("Error", {}).get("Code", ""))
    return ""


def absent(error: Exception) -> bool:
    """Whether the server says that there is no such object."""
    return code(error) in _ABSENT


def translated(error: Exception, key: str) -> ServiceError | KeyTakenError:
    """Return what ``error`` means: taken, gone, full, set up wrongly, or away for now."""
    reason = code(error)
    if reason in _TAKEN:
        return KeyTakenError(key)
    if reason in _ABSENT:
        return DataLoss(f"the object {key!r} is gone")
    if reason in _DAMAGED:
        return DataLoss(f"the bytes for {key!r} are not those that arrived: {reason}")
    if reason in _FULL:
        return ResourceExhausted("the object store is full")
    if reason in _REFUSED:
        return FailedPrecondition(f"the object store refuses: {reason}; {_REFUSED[reason]}")
    return Unavailable(f"the object store is away: {reason or type(error).__name__}")
