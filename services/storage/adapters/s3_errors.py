"""What botocore's errors mean for a caller of storage."""

from __future__ import annotations

from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from botocore import exceptions as boto
from botocore.exceptions import BotoCoreError, ClientError

from services.common.errors import (
    DataLoss,
    FailedPrecondition,
    ServiceError,
    StorageFull,
    Unavailable,
)
from services.storage.domain.ports import KeyTakenError
from services.storage.domain.refusals import NotCopiedError

if TYPE_CHECKING:
    from collections.abc import Mapping

BOTO_ERRORS = (ClientError, BotoCoreError)

_TAKEN = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "412"})
_FULL = frozenset({
    "QuotaExceeded", "InsufficientStorage", "XMinioStorageFull", "XMinioAdminBucketQuotaExceeded",
})  # fmt: skip
_DAMAGED = frozenset({"BadDigest", "XAmzContentChecksumMismatch", "XAmzContentSHA256Mismatch"})
# Larger than a copy may be (5 GiB), or a copy with a condition where those are not known.
_NOT_COPIED = frozenset({"InvalidRequest", "NotImplemented", "501"})
_ABSENT = frozenset({"404", "NoSuchKey", "NotFound"})
# Of others it says nothing about an object: a balancer answers so that has no server behind it.
_READS = frozenset({"GetObject", "HeadObject", "CopyObject"})
# Refusals with a status of 4xx that the same request may not meet again.
_PASSING = frozenset({
    "RequestTimeout", "IncompleteBody", "OperationAborted", "NoSuchUpload", "InvalidPart",
    "TemporaryRedirect",
    "SlowDown", "SlowDownRead", "SlowDownWrite", "Throttling", "ThrottlingException",
    "RequestThrottled", "TooManyRequests", "TooManyRequestsException", "RequestLimitExceeded",
})  # fmt: skip
# Keys that were lent have run out while we run: what was paid for waits until they are renewed.
_RUN_OUT = frozenset({"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"})
_PASSING_STATUS = frozenset({408, 409, 425, 429})

_CREDENTIALS = "check bucket and credentials"
_RENEW = "renew the credentials; AWS_SESSION_TOKEN must belong to the keys"
_REGION = "set AWS_REGION to the region of the bucket"
_WORDLESS = f"{_REGION}, or renew the credentials"
_CLOCK = "this machine's clock differs from its own"
_OLD = (
    "it does not know what was asked of it; try STORAGE_S3_CHECKSUMS=when_required and "
    "STORAGE_S3_CONDITIONAL_WRITES=false"
)
_ADVICE: Mapping[str, str] = {
    **dict.fromkeys(("NoSuchBucket", "AccessDenied", "403"), _CREDENTIALS),
    **dict.fromkeys(("InvalidAccessKeyId", "SignatureDoesNotMatch"), _CREDENTIALS),
    "InvalidToken": _RENEW,
    **dict.fromkeys(("301", "PermanentRedirect", "AuthorizationHeaderMalformed"), _REGION),
    "IllegalLocationConstraintException": _REGION,
    **dict.fromkeys(("RequestTimeTooSkewed", "RequestExpired"), _CLOCK),
    **dict.fromkeys(("NotImplemented", "501"), _OLD),
}
_ANY_ADVICE = "look up this code in the manual of the server"
# An S3 server refuses requests that are a quarter of an hour off.
_SKEW = timedelta(minutes=14)

_WRONG_BYTES = (boto.FlexibleChecksumError, boto.ChecksumError)
_NO_CREDENTIALS = (
    boto.NoCredentialsError, boto.PartialCredentialsError, boto.ProfileNotFound, boto.SSOError,
    boto.LoginError,
)  # fmt: skip
_NEVER = (
    boto.ParamValidationError, boto.ValidationError, boto.BaseEndpointResolverError,
    boto.EndpointProviderError, boto.InvalidDNSNameError, boto.ConfigNotFound,
    boto.ConfigParseError,
)  # fmt: skip


def code(error: Exception) -> str:
    """Return S3's error code, the status where it has none, empty when no server answered."""
    if isinstance(error, ClientError):
        return str(error.response.get("Error", {}).get("Code") or _status(error) or "")
    return ""


def absent(error: Exception) -> bool:
    """Whether the server says, to a HEAD that has no words, that there is no such object."""
    return code(error) in _ABSENT


def gone(error: Exception) -> bool:
    """Whether the server itself says that the object is gone: a balancer has not this word."""
    return code(error) == "NoSuchKey"


def translated(error: Exception, key: str, now: datetime) -> Exception:
    """Return what ``error`` means: taken, gone, full, set up wrongly, or away for now.

    That is a ``ServiceError``, ``KeyTakenError`` or ``NotCopiedError``. ``now`` is this machine's
    time, which a refusal without words is held against.
    """
    if not isinstance(error, ClientError):
        return _unanswered(error, key)
    if _is_taken(error):
        return KeyTakenError(key)
    if error.operation_name == "CopyObject" and code(error) in _NOT_COPIED:
        return NotCopiedError(code(error))
    return _answered(error, key, now)


def _unanswered(error: Exception, key: str) -> ServiceError:
    kind = type(error).__name__
    if isinstance(error, _WRONG_BYTES):
        return DataLoss(f"the bytes of {key!r} are not those that were stored: {kind}")
    if isinstance(error, _NO_CREDENTIALS):
        return FailedPrecondition(f"there are no credentials for the object store: {kind}")
    if isinstance(error, _NEVER):
        return FailedPrecondition(f"the object store is set up wrongly: {kind}; check its address")
    if isinstance(error, boto.SSLError) and "CERTIFICATE_VERIFY_FAILED" in str(error):
        return FailedPrecondition("the object store's certificate is not trusted: AWS_CA_BUNDLE")
    return Unavailable(f"the object store is away: {kind}")


def _answered(error: ClientError, key: str, now: datetime) -> ServiceError:
    reason, status = code(error), _status(error)
    if reason in _ABSENT and error.operation_name in _READS:
        return DataLoss(f"the object {key!r} is gone")
    if reason in _DAMAGED:
        return DataLoss(f"the bytes for {key!r} are not those that arrived: {reason}")
    if reason in _FULL or status == 507:
        return StorageFull("the object store is full")
    if _is_final(error):
        return FailedPrecondition(f"the object store refuses: {reason}; {_advice(error, now)}")
    advice = f"; {_RENEW}" if reason in _RUN_OUT else ""
    return Unavailable(f"the object store is away: {reason}{advice}")


def _is_taken(error: ClientError) -> bool:
    """Whether an object is in the way, perhaps our own: an answer that was lost had made it."""
    lost = code(error) == "NoSuchUpload" and error.operation_name == "CompleteMultipartUpload"
    return lost or code(error) in _TAKEN


def _is_final(error: ClientError) -> bool:
    reason, status = code(error), _status(error)
    if reason in _ABSENT:
        return bool(error.operation_name == "HeadBucket")
    if reason in _ADVICE:
        return True
    # Without words, 400 to a HEAD: the wrong region, which the check of the bucket has refused
    # before, or keys that have run out.
    if reason in _RUN_OUT or (reason == "400" and error.operation_name == "HeadObject"):
        return False
    return 300 <= status < 500 and status not in _PASSING_STATUS and reason not in _PASSING


def _advice(error: ClientError, now: datetime) -> str:
    reason = code(error)
    if error.operation_name == "HeadBucket" and reason in _ABSENT:
        return "there is no such bucket: S3_BUCKET_NAME"
    if error.operation_name == "HeadBucket" and reason == "400":
        return _WORDLESS
    if reason == "403" and _skewed(error, now):
        return _CLOCK
    return _ADVICE.get(reason, _ANY_ADVICE)


def _skewed(error: ClientError, now: datetime) -> bool:
    """Whether the server's clock, by its ``Date``, is so far from ours that it must refuse us."""
    try:
        theirs = parsedate_to_datetime(_metadata(error)["HTTPHeaders"]["date"])
        return abs(theirs - now) > _SKEW
    except (KeyError, TypeError, ValueError):
        return False


def _status(error: ClientError) -> int:
    return int(_metadata(error).get("HTTPStatusCode", 0))


def _metadata(error: ClientError) -> Mapping[str, Any]:
    found: Mapping[str, Any] = error.response.get("ResponseMetadata", {})
    return found
