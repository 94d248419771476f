"""What the answer of a web server says of the file behind it (RFC 9110)."""

from __future__ import annotations

import re
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from services.common.errors import DataLoss, FailedPrecondition, NotFound, ServiceError, Unavailable
from services.storage.domain.assets import without_secrets

if TYPE_CHECKING:
    import httpx

KIND = "uri"
_PARTIAL = 206
_NOT_SATISFIABLE = 416
# Twenty digits, as h11 takes of a length, are more than any file has.
_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,20})-[0-9]{1,20}/([0-9]{1,20}|\*)")
# The last one tells how the file once came into a store that speaks S3 and keeps every header.
_AS_IT_IS = frozenset({"", "identity", "aws-chunked"})
_SHOWN = 80
# Seconds: who asks for a longer rest than a day says nothing that could be planned with.
_LONGEST_REST = 24 * 3600.0


def accept(response: httpx.Response, *, resumed: bool) -> None:
    """Raise what a status other than success means; ``resumed`` where a range was asked for.

    A file in a coding that nobody asked for is refused too: stored, it would not be what it says.
    """
    status = response.status_code
    if status == _NOT_SATISFIABLE and resumed:
        raise changed()
    if status in {404, 410}:
        raise NotFound(KIND, f"{without_secrets(str(response.url))} (HTTP {status})")
    if status in {408, 425, 429} or status >= 500:
        raise Unavailable(f"the source answers HTTP {status}", _retry_after(response))
    if status not in {200, _PARTIAL}:
        raise FailedPrecondition(f"the source answers HTTP {status}")
    coding = response.headers.get("content-encoding", "")
    if any(each.strip().lower() not in _AS_IT_IS for each in coding.split(",")):
        msg = f"the source sends the file as Content-Encoding {coding[:_SHOWN]!r}, unasked"
        raise FailedPrecondition(msg)


def changed() -> ServiceError:
    """Return the error for a second answer that is of another version of the file."""
    return DataLoss("the source changed while it was being read")


def extent(response: httpx.Response) -> tuple[int, int | None]:
    """Return at which byte of the file an answer begins, and how many the file has, if told."""
    told = response.headers.get("content-length", "")
    length = int(told) if told.isdecimal() else None
    if response.status_code != _PARTIAL:
        return 0, length
    found = _CONTENT_RANGE.fullmatch(response.headers.get("content-range", ""))
    if found is None:
        msg = "the source answers with a part of the file and does not say with which"
        raise DataLoss(msg)
    start, total = int(found[1]), found[2]
    if total.isdecimal():
        return start, int(total)
    return start, None if length is None else start + length


def validator(response: httpx.Response) -> str:
    """Return what names this very version of the file, "" when nothing does.

    A weak tag may stand for different bytes. A date tells versions apart when it lies at least a
    second before the answer's own (RFC 9110, 8.8.2.2).
    """
    # What is not ASCII cannot be sent back as it came.
    told = {name: text if text.isascii() else "" for name, text in response.headers.items()}
    etag, modified = told.get("etag", ""), told.get("last-modified", "")
    if etag and not etag.startswith("W/"):
        return etag
    age = _seconds_between(modified, told.get("date", ""))
    return modified if age is not None and age >= 1 else ""


def media_type(response: httpx.Response) -> str:
    """Return the media type that is told, in lower case and without parameters, "" for none."""
    return str(response.headers.get("content-type", "")).partition(";")[0].strip().lower()


def _retry_after(response: httpx.Response) -> float | None:
    """Return the seconds of ``Retry-After``, which may be a number or a date."""
    told = response.headers.get("retry-after", "")
    if told.isdecimal():
        return min(float(told), _LONGEST_REST)
    seconds = _seconds_between(response.headers.get("date", ""), told)
    return None if seconds is None else min(max(0.0, seconds), _LONGEST_REST)


def _seconds_between(earlier: str, later: str) -> float | None:
    try:
        return (parsedate_to_datetime(later) - parsedate_to_datetime(earlier)).total_seconds()
    except (TypeError, ValueError, OverflowError):
        return None
