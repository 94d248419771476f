"""A connection to NATS that comes back for ever and speaks of its troubles in the log."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import nats.errors
from nats.aio.client import Client

from services.common.errors import Unavailable
from services.common.telemetry import get_logger, redact

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

# For ever, five times a second; the client's type says int and its code sleeps for any number.
_RECONNECT: Any = {"connect_timeout": 2, "reconnect_time_wait": 0.2, "max_reconnect_attempts": -1}

log = get_logger(__name__)


async def open_client(
    url: str,
    *,
    name: str,
    credentials: str,
    timeout: float,
    reconnected: Callable[[], Awaitable[None]],
) -> Client:
    """Return an open connection; raises ``Unavailable`` after ``timeout`` seconds.

    ``credentials`` is the path of a credentials file, or "". ``reconnected`` is called each time
    the connection was lost and is up again.
    """
    client = Client()
    try:
        async with asyncio.timeout(timeout):
            await client.connect(
                servers=[part.strip() for part in url.split(",")],
                name=name,
                error_cb=_log_error,
                disconnected_cb=_log_disconnect,
                reconnected_cb=reconnected,
                user_credentials=credentials or None,
                **_RECONNECT,
            )
    except (TimeoutError, OSError, nats.errors.Error) as error:
        await client.close()
        msg = f"the event bus at {redact(url)} is not reachable"
        raise Unavailable(msg) from error
    return client


@contextmanager
def confirmed(but: type[Exception] | None = None) -> Iterator[None]:
    """Turn what the client library raises into ``Unavailable``, ``but`` excepted."""
    try:
        yield
    except (TimeoutError, nats.errors.Error) as error:
        if but is not None and isinstance(error, but):
            raise
        cause = getattr(error, "description", "") or type(error).__name__
        msg = f"the event bus did not confirm: {cause}"
        raise Unavailable(msg, retry_after=1.0) from error


async def _log_error(error: Exception) -> None:
    log.warning("bus_error", error=f"{type(error).__name__}: {error}")


async def _log_disconnect() -> None:
    log.warning("bus_disconnected")
