"""Turns HTTP answers of vendors into replies: read whole within bounds, our own secrets struck."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from services.generator.providers.adapter import Json, Reply

MAX_REPLY_BYTES = 64 * 1024 * 1024
MAX_WORDS_BYTES = 256 * 1024


async def read_all(response: httpx.Response) -> bytes:
    """Return the body. Raises httpx.ReadError where it is too long."""
    content = bytearray()
    async for chunk in response.aiter_bytes():
        content += chunk
        if len(content) > MAX_REPLY_BYTES:
            message = f"more than {MAX_REPLY_BYTES} bytes"
            raise httpx.ReadError(message)
    return bytes(content)


def reply_of(
    response: httpx.Response, content: bytes, step: str, *, now: datetime, secrets: Sequence[str]
) -> Reply:
    """Return what came back. Some vendors repeat the key in their messages: it is struck out."""
    if len(content) <= MAX_WORDS_BYTES:
        for secret in secrets:
            content = content.replace(secret.encode(), b"[secret]")
    headers = {name.lower(): value for name, value in response.headers.items()}
    headers |= _seconds(headers, now)
    return Reply(
        status=response.status_code,
        body=_json(content),
        content=content,
        media_type=headers.get("content-type", "").partition(";")[0].strip().lower(),
        headers=headers,
        step=step,
    )


def _json(content: bytes) -> Json:
    try:
        found: Json = json.loads(content)
    except (ValueError, RecursionError):
        return None
    match found:
        case [{"error": _} as alone]:  # so do Google's front ends wrap an error
            return alone
    return found


def _seconds(headers: Mapping[str, str], now: datetime) -> dict[str, str]:
    """Return Retry-After in seconds where the vendor wrote a date; one without a zone is of UTC."""
    try:
        until = parsedate_to_datetime(headers.get("retry-after", ""))
        seconds = (until if until.tzinfo else until.replace(tzinfo=UTC)) - now
    except (TypeError, ValueError, OverflowError):
        return {}
    return {"retry-after": str(max(0.0, seconds.total_seconds()))}
