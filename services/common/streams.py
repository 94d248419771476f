"""The streams of JetStream: made when missing, otherwise left as the operator has set them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import nats.js.errors
from nats.js import api

from services.common.events import (
    DEAD_PREFIX,
    DEAD_STREAM,
    EVENTS_PREFIX,
    EVENTS_STREAM,
    RESULTS_PREFIX,
    RESULTS_STREAM,
    WORK_PREFIX,
    WORK_STREAM,
)

if TYPE_CHECKING:
    from nats.js import JetStreamContext

_WEEK = 7 * 24 * 3600.0
_DUPLICATE_WINDOW = 120.0


async def ensure_streams(js: JetStreamContext) -> None:
    """Make the streams of events, of work, its results and dead letters unless they are there."""
    await ensure_stream(js, EVENTS_STREAM, EVENTS_PREFIX)
    await ensure_stream(js, DEAD_STREAM, DEAD_PREFIX)
    await ensure_stream(js, WORK_STREAM, WORK_PREFIX, retention=api.RetentionPolicy.WORK_QUEUE)
    await ensure_stream(js, RESULTS_STREAM, RESULTS_PREFIX)


async def ensure_stream(
    js: JetStreamContext,
    name: str,
    prefix: str,
    *,
    retention: api.RetentionPolicy = api.RetentionPolicy.LIMITS,
) -> None:
    """Make the stream of all subjects under ``prefix`` if missing; messages stay a week."""
    try:
        await js.stream_info(name)
    except nats.js.errors.NotFoundError:
        await js.add_stream(
            api.StreamConfig(
                name=name,
                subjects=[f"{prefix}>"],
                retention=retention,
                max_age=_WEEK,
                duplicate_window=_DUPLICATE_WINDOW,
                storage=api.StorageType.FILE,
                allow_direct=True,
            )
        )
