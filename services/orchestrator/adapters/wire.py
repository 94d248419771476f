"""Small conversions that every client and the servicer need: times, money, errors."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc.status_pb2 import Status
from google.type.money_pb2 import Money

from services.common.errors import InvalidArgument, ServiceError
from services.common.status import BY_REASON, from_status, to_status
from services.orchestrator.domain.notices import Translated
from services.orchestrator.domain.values import Failure

_MICROS = 1_000_000
_NANOS_PER_MICRO = 1_000
# US dollars that a caller can name: any sum of such amounts in micro-USD fits into 64 bits.
MAX_AMOUNT = 1_000_000_000


def to_timestamp(moment: datetime | None) -> Timestamp | None:
    """The moment, or None."""
    if moment is None:
        return None
    stamp = Timestamp()
    stamp.FromDatetime(moment)
    return stamp


def from_timestamp(stamp: Timestamp) -> datetime | None:
    """The moment, or None where it was never set."""
    return stamp.ToDatetime(UTC) if stamp.seconds or stamp.nanos else None


def to_duration(seconds: float | None) -> Duration | None:
    """The length, or None."""
    if seconds is None:
        return None
    length = Duration()
    length.FromTimedelta(timedelta(seconds=seconds))
    return length


def from_duration(length: Duration) -> float | None:
    """Seconds, or None where it was never set."""
    # One division: the double that is nearest to what was sent, as a literal 2.631 would be.
    return length.ToNanoseconds() / 1e9 or None


def to_money(micros: int | None) -> Money | None:
    """Micro-USD as Money; None stays None."""
    if micros is None:
        return None
    units, rest = divmod(abs(micros), _MICROS)
    sign = -1 if micros < 0 else 1
    return Money(currency_code="USD", units=sign * units, nanos=sign * rest * _NANOS_PER_MICRO)


def from_money(name: str, money: Money) -> int:
    """Money as micro-USD. Raises InvalidArgument for another currency, a finer or a huge amount."""
    if money.currency_code not in {"", "USD"}:
        raise InvalidArgument(f"{name}.currency_code", "is not supported", allowed=("USD",))
    if money.nanos % _NANOS_PER_MICRO:
        raise InvalidArgument(f"{name}.nanos", "is too fine", allowed=("multiples of 1000",))
    units, nanos = int(money.units), int(money.nanos)
    if abs(units) > MAX_AMOUNT or abs(nanos) >= _MICROS * _NANOS_PER_MICRO:
        raise InvalidArgument(name, f"must be {MAX_AMOUNT:,} USD at most, nanos below 10^9")
    return units * _MICROS + nanos // _NANOS_PER_MICRO


def to_error(failure: Failure | None) -> Status | None:
    """A failure as `google.rpc.Status` with its ErrorInfo."""
    if failure is None:
        return None
    kind = BY_REASON.get(failure.reason, ServiceError)
    state = {
        "message": failure.message,
        "reason": failure.reason,
        "retry_after": failure.retry_after_seconds,
        "metadata": dict(failure.metadata),
        "violations": (),
    }
    return to_status(kind.rebuild(state))


def from_error(status: Status) -> Failure | None:
    """The failure in a `google.rpc.Status`; None for OK."""
    if not status.code:
        return None
    error = from_status(status)
    return Failure(
        reason=error.reason,
        message=error.message,
        retryable=error.retryable,
        metadata=error.metadata,
        retry_after_seconds=error.retry_after,
    )


def told_of(warnings: Iterable[str], texts: Sequence[Mapping[str, str]]) -> tuple[Translated, ...]:
    """What a generation has to say, in the languages that its generator knows; before, English."""
    in_english = ({"en": sentence} for sentence in warnings)
    return tuple(Translated(dict(each)) for each in (texts or in_english))
