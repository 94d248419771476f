"""One table between our errors and gRPC: class, status code, ``ErrorInfo.reason``, both ways.

On the wire an error is a ``google.rpc.Status`` with ``ErrorInfo`` (domain ``reelmesh``) and, where
they say more, ``BadRequest``, ``RetryInfo``, ``QuotaFailure`` or ``PreconditionFailure``. Anything
that is not a ``ServiceError`` becomes INTERNAL with the request id and nothing else: no traceback,
no class name, no message.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.rpc import error_details_pb2, status_pb2

from services.common import errors

if TYPE_CHECKING:
    from collections.abc import Iterable

    from google.protobuf.message import Message

DOMAIN = "reelmesh"
DETAILS_KEY = "grpc-status-details-bin"

_Code = grpc.StatusCode
CODES: dict[type[errors.ServiceError], grpc.StatusCode] = {
    errors.InvalidArgument: _Code.INVALID_ARGUMENT,
    errors.Unauthenticated: _Code.UNAUTHENTICATED,
    errors.PermissionDenied: _Code.PERMISSION_DENIED,
    errors.NotFound: _Code.NOT_FOUND,
    errors.AlreadyExists: _Code.ALREADY_EXISTS,
    errors.RequestConflict: _Code.ALREADY_EXISTS,
    errors.FailedPrecondition: _Code.FAILED_PRECONDITION,
    errors.ModelRetired: _Code.FAILED_PRECONDITION,
    errors.NoCredentials: _Code.FAILED_PRECONDITION,
    errors.NoDevice: _Code.FAILED_PRECONDITION,
    errors.LicenceRefused: _Code.FAILED_PRECONDITION,
    errors.AlreadyEnded: _Code.FAILED_PRECONDITION,
    errors.UnknownOutcome: _Code.FAILED_PRECONDITION,
    errors.NoModel: _Code.FAILED_PRECONDITION,
    errors.Moderated: _Code.FAILED_PRECONDITION,
    errors.ProviderRefused: _Code.FAILED_PRECONDITION,
    errors.ResourceExhausted: _Code.RESOURCE_EXHAUSTED,
    errors.RateLimited: _Code.RESOURCE_EXHAUSTED,
    errors.BudgetExceeded: _Code.RESOURCE_EXHAUSTED,
    errors.StorageFull: _Code.RESOURCE_EXHAUSTED,
    errors.Aborted: _Code.ABORTED,
    errors.Unavailable: _Code.UNAVAILABLE,
    errors.DeadlineExceeded: _Code.DEADLINE_EXCEEDED,
    errors.Cancelled: _Code.CANCELLED,
    errors.Unimplemented: _Code.UNIMPLEMENTED,
    errors.DataLoss: _Code.DATA_LOSS,
    errors.Internal: _Code.INTERNAL,
    errors.GenerationFailed: _Code.INTERNAL,
}
BY_REASON = {kind.default_reason: kind for kind in CODES}
# The most general class of each code: for answers that carry no reason, or one newer than this
# code.
BY_CODE = {code: kind for kind, code in reversed(CODES.items())} | {
    _Code.OUT_OF_RANGE: errors.InvalidArgument
}


def code_of(error: BaseException) -> grpc.StatusCode:
    """Return the status code that ``error`` travels with; INTERNAL when it is none of ours."""
    for kind in type(error).__mro__:
        if kind in CODES:
            return CODES[kind]
    return _Code.INTERNAL


def to_status(error: BaseException, request_id: str = "") -> status_pb2.Status:
    """Return ``error`` as a status; of a foreign exception only ``request_id`` is told."""
    if not isinstance(error, errors.ServiceError):
        told = f"internal error, request id {request_id}" if request_id else "internal error"
        error = errors.Internal(told, metadata={"request_id": request_id} if request_id else None)
    status = status_pb2.Status(code=code_of(error).value[0], message=error.message)
    for message in _details(error):
        packed = any_pb2.Any()
        packed.Pack(message)
        status.details.append(packed)
    return status


def _details(error: errors.ServiceError) -> Iterable[Message]:
    yield error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=error.metadata)
    if error.retry_after is not None:
        delay = duration_pb2.Duration()
        delay.FromNanoseconds(max(0, round(error.retry_after * 1e9)))
        yield error_details_pb2.RetryInfo(retry_delay=delay)
    if error.violations:
        yield _violations(error)


def _violations(error: errors.ServiceError) -> Any:
    found = error.violations
    if isinstance(error, errors.ResourceExhausted):
        failure = error_details_pb2.QuotaFailure.Violation
        return error_details_pb2.QuotaFailure(
            violations=[failure(subject=item.field, description=item.message) for item in found]
        )
    if isinstance(error, errors.FailedPrecondition):
        unmet = error_details_pb2.PreconditionFailure.Violation
        return error_details_pb2.PreconditionFailure(
            violations=[
                unmet(type=error.reason, subject=item.field, description=item.message)
                for item in found
            ]
        )
    wrong = error_details_pb2.BadRequest.FieldViolation
    return error_details_pb2.BadRequest(
        field_violations=[wrong(field=item.field, description=item.message) for item in found]
    )


def from_status(status: status_pb2.Status) -> errors.ServiceError:
    """Return the error that ``status`` was made of; a foreign status is told by its code alone."""
    code = _CODE_BY_NUMBER.get(status.code, _Code.UNKNOWN)
    reason, metadata, retry_after = "", {}, None
    violations: list[errors.Violation] = []
    for packed in status.details:
        if packed.Is(error_details_pb2.ErrorInfo.DESCRIPTOR):
            info = error_details_pb2.ErrorInfo.FromString(packed.value)
            if info.domain == DOMAIN:
                reason, metadata = info.reason, dict(info.metadata)
        elif packed.Is(error_details_pb2.RetryInfo.DESCRIPTOR):
            delay = error_details_pb2.RetryInfo.FromString(packed.value).retry_delay
            retry_after = delay.ToNanoseconds() / 1e9
        else:
            violations.extend(_read_violations(packed))
    kind = BY_REASON.get(reason) or BY_CODE.get(code, errors.Internal)
    return kind.rebuild(
        {
            "message": status.message,
            "reason": reason or kind.default_reason,
            "retry_after": retry_after,
            "metadata": metadata,
            "violations": tuple(violations),
        }
    )


def _read_violations(packed: any_pb2.Any) -> Iterable[errors.Violation]:
    if packed.Is(error_details_pb2.BadRequest.DESCRIPTOR):
        for wrong in error_details_pb2.BadRequest.FromString(packed.value).field_violations:
            yield errors.Violation(wrong.field, wrong.description)
    elif packed.Is(error_details_pb2.QuotaFailure.DESCRIPTOR):
        for quota in error_details_pb2.QuotaFailure.FromString(packed.value).violations:
            yield errors.Violation(quota.subject, quota.description)
    elif packed.Is(error_details_pb2.PreconditionFailure.DESCRIPTOR):
        for unmet in error_details_pb2.PreconditionFailure.FromString(packed.value).violations:
            yield errors.Violation(unmet.subject, unmet.description)


def from_rpc_error(error: grpc.aio.AioRpcError) -> errors.ServiceError:
    """Return the error that a call failed with, as its servicer raised it."""
    for key, value in error.trailing_metadata() or ():
        if key == DETAILS_KEY and isinstance(value, bytes):
            try:
                status = status_pb2.Status.FromString(value)
            except ValueError:  # not ours, or damaged: the plain code has to do
                break
            if status.code == error.code().value[0]:
                return from_status(status)
    return from_status(status_pb2.Status(code=error.code().value[0], message=error.details() or ""))


_CODE_BY_NUMBER = {code.value[0]: code for code in grpc.StatusCode}
