"""Reading a subject in order from a position on: the ordered consumer behind every watch stream."""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import nats.errors
import nats.js.errors
from nats.js import api

from services.common.events import Event, stream_of
from services.common.pull import Interrupted
from services.common.telemetry import get_logger

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import datetime

    from nats.aio.msg import Msg

    from services.common.bus import Bus
    from services.common.pull import PullSession

_BATCH = 256
_PAUSE = 0.2

log = get_logger(__name__)


class Replay:
    """Events of one subject; iterate over it once.

    Nothing is acknowledged. The position is kept here: after a lost connection, a lost consumer or
    a hole in the numbers of the deliveries, a new consumer starts behind the last event that was
    handed out.
    """

    def __init__(self, bus: Bus, subject: str, from_sequence: int | None) -> None:
        self._bus = bus
        self._subject = subject
        self._stream = stream_of(subject)
        self._next = from_sequence
        self._consumer = ""
        self._session: PullSession | None = None
        self._open = AsyncExitStack()
        self._delivered = 0
        self._created: datetime | None = None
        self.pending = 0
        """Events in the stream behind the one that was handed out last."""

    async def open(self) -> PullSession:
        """Create the consumer; what is published from now on is seen."""
        start = self._start(await self._stream_info())
        config = api.ConsumerConfig(
            deliver_policy=api.DeliverPolicy.BY_START_SEQUENCE,
            opt_start_seq=start,
            ack_policy=api.AckPolicy.NONE,
            filter_subject=self._subject,
            inactive_threshold=60.0,
            mem_storage=True,
            num_replicas=1,
            max_deliver=1,
        )
        info = await self._bus.js.add_consumer(self._stream, config)
        self._consumer = info.name
        self._delivered = 0
        self.pending = info.num_pending or 0
        pulling = self._bus.pulling(self._stream, info.name, batch=lambda: _BATCH)
        self._session = await self._open.enter_async_context(pulling)
        return self._session

    async def _stream_info(self) -> api.StreamInfo:
        try:
            return await self._bus.js.stream_info(self._stream)
        except nats.js.errors.NotFoundError:
            await self._bus.ensure_streams()
            return await self._bus.js.stream_info(self._stream)

    def _start(self, info: api.StreamInfo) -> int:
        """Return the sequence to read from; a stream that was made anew is read from its start."""
        if self._next is None:
            self._next = info.state.last_seq + 1
        anew = self._created not in {None, info.created}
        if anew or self._next > info.state.last_seq + 1:
            log.warning("stream_rebuilt", stream=self._stream, expected=self._next)
            self._next = 1
        self._created = info.created
        return max(1, self._next)

    async def close(self) -> None:
        """Give the consumer back."""
        await self._abandon()
        if self._consumer and self._bus.connected:
            with contextlib.suppress(nats.errors.Error, TimeoutError):
                await self._bus.js.delete_consumer(self._stream, self._consumer)
        self._consumer = ""

    async def __aiter__(self) -> AsyncIterator[Event]:
        while True:
            try:
                session = self._session or await self.open()
                event = self._accept(await session.next())
            except (Interrupted, TimeoutError, nats.errors.Error) as error:
                log.debug("replay_resumes", subject=self._subject, cause=str(error))
                await self._abandon()
                await asyncio.sleep(_PAUSE)
                continue
            yield event

    def _accept(self, message: Msg) -> Event:
        metadata = message.metadata
        event = Event.from_message(message)
        self._delivered += 1
        if metadata.sequence.consumer != self._delivered:
            msg = f"delivery {metadata.sequence.consumer} came after {self._delivered - 1}"
            raise Interrupted(msg)
        self._next = event.sequence + 1
        self.pending = metadata.num_pending or 0
        return event

    async def _abandon(self) -> None:
        self._session = None
        await self._open.aclose()
