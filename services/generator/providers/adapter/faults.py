"""Why vendors say no, in one vocabulary, and the service error that each of them becomes."""

import re
from enum import StrEnum

from services.common.errors import (
    Cancelled,
    GenerationFailed,
    InvalidArgument,
    ModelRetired,
    Moderated,
    ProviderRefused,
    RateLimited,
    ResourceExhausted,
    ServiceError,
    Unavailable,
)
from services.generator.domain.tasks import Json

MAX_MESSAGE = 500


class Fault(StrEnum):
    """A kind of refusal or failure."""

    MODERATED = "moderated"
    INVALID = "invalid"
    BILLING = "billing"
    DAILY_QUOTA = "daily_quota"
    RATE = "rate"
    CONCURRENCY = "concurrency"
    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"
    RETIRED = "retired"
    LOST = "lost"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    UNAVAILABLE = "unavailable"
    VENDOR = "vendor"


_BY_STATUS = {
    400: Fault.INVALID,
    401: Fault.UNAUTHENTICATED,
    402: Fault.BILLING,
    403: Fault.FORBIDDEN,
    404: Fault.LOST,
    410: Fault.RETIRED,
    413: Fault.INVALID,
    415: Fault.INVALID,
    422: Fault.INVALID,
    429: Fault.RATE,
    499: Fault.CANCELLED,
}

_ERRORS: dict[Fault, type[ServiceError]] = {
    Fault.MODERATED: Moderated,
    Fault.BILLING: ProviderRefused,
    Fault.UNAUTHENTICATED: ProviderRefused,
    Fault.FORBIDDEN: ProviderRefused,
    Fault.DAILY_QUOTA: ResourceExhausted,
    Fault.RETIRED: ModelRetired,
    Fault.LOST: GenerationFailed,
    Fault.EXPIRED: GenerationFailed,
    Fault.VENDOR: GenerationFailed,
    Fault.CANCELLED: Cancelled,
}

_MODERATION = re.compile(
    r"moderat|content.?polic|usage.?polic|safety|nsfw|sensitive|risk.?control|flagged|"
    r"inappropriate|prohibited|responsible ai",
    re.IGNORECASE,
)


def fault_of_status(status: int) -> Fault:
    """Return what an HTTP status means where the vendor gives it no meaning of its own."""
    if status >= 500:
        return Fault.UNAVAILABLE
    return _BY_STATUS.get(status, Fault.VENDOR)


def sounds_moderated(words: str) -> bool:
    """Tell whether a vendor's sentence speaks of content moderation."""
    return bool(_MODERATION.search(words))


def text_of(body: Json) -> str:
    """Return the first sentence that explains an error body of any known shape."""
    if isinstance(body, str):
        return body[:MAX_MESSAGE]
    if isinstance(body, list):
        return "; ".join(filter(None, map(text_of, body[:3])))[:MAX_MESSAGE]
    if isinstance(body, dict):
        for key in ("message", "detail", "error", "msg", "failure", "errors", "title", "fault_msg"):
            found = text_of(body.get(key))
            if found:
                return found
    return ""


def error_of(
    fault: Fault, message: str, *, code: str = "", retry_after: float | None = None
) -> ServiceError:
    """Return the service error that tells a caller of `fault`; `metadata` has the vendor's code."""
    metadata = {"fault": str(fault), **({"provider_code": code} if code else {})}
    if fault is Fault.INVALID:
        refused: ServiceError = InvalidArgument("task", f"the vendor refused it: {message}")
    elif fault in {Fault.RATE, Fault.CONCURRENCY}:
        refused = RateLimited(message, retry_after)
    elif fault is Fault.UNAVAILABLE:
        refused = Unavailable(message, retry_after)
    else:
        refused = _ERRORS[fault](message)
    refused.metadata.update(metadata)
    return refused
