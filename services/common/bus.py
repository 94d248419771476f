"""The event bus on NATS JetStream.

Streams: ``REELMESH_EVENTS`` (kept for a week), ``REELMESH_WORK`` (a work queue: each message goes
to one worker), ``REELMESH_RESULTS`` (what became of it), ``REELMESH_DEAD`` (what no handler could
handle, with the cause). They are made when missing and otherwise left as the operator has set them.
Truth is in the databases: the bus may be lost and rebuilt.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Self

import nats.errors
import nats.js.errors

from services.common import clock
from services.common.errors import Unavailable
from services.common.events import Event, event_headers
from services.common.nats_client import confirmed, open_client
from services.common.pull import PullSession
from services.common.replay import Replay
from services.common.streams import ensure_streams
from services.common.subscription import Retry, Subscription
from services.common.telemetry import get_logger

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
    from datetime import datetime

    from nats.aio.client import Client
    from nats.js import JetStreamContext, api

    Handler = Callable[[Event], Awaitable[None]]


log = get_logger(__name__)


class Bus:
    """A connection to the bus; it reconnects for ever.

    Args:
        client: an open NATS connection.
        source: CloudEvents source of what is published here, such as ``reelmesh/orchestrator``.
        now: the clock of ``ce-time``.
        timeout: seconds that the bus may take to confirm a message.
    """

    def __init__(
        self,
        client: Client,
        *,
        source: str = "reelmesh",
        now: Callable[[], datetime] = clock.now,
        timeout: float = 5.0,
    ) -> None:
        self.client = client
        self.js: JetStreamContext = client.jetstream(timeout=timeout)
        self._source = source
        self._now = now
        self._timeout = timeout
        self._sessions: set[PullSession] = set()
        self._subscriptions: list[Subscription] = []

    @classmethod
    async def connect(
        cls,
        url: str,
        *,
        source: str = "reelmesh",
        credentials: str = "",
        timeout: float = 10.0,
        now: Callable[[], datetime] = clock.now,
    ) -> Self:
        """Return an open bus with its streams; raises ``Unavailable`` after ``timeout`` seconds."""
        holder: list[Self] = []

        async def reconnected() -> None:
            for bus in holder:
                bus.connection_renewed()

        client = await open_client(
            url, name=source, credentials=credentials, timeout=timeout, reconnected=reconnected
        )
        bus = cls(client, source=source, now=now)
        holder.append(bus)
        try:
            with confirmed():
                await bus.ensure_streams()
        except Unavailable:
            await client.close()
            raise
        return bus

    @property
    def connected(self) -> bool:
        """Whether the connection is up now: the readiness check."""
        return bool(self.client.is_connected)

    async def ensure_streams(self) -> None:
        """Make every stream that is missing."""
        await ensure_streams(self.js)

    async def publish(
        self,
        subject: str,
        payload: bytes,
        *,
        event_id: str,
        headers: Mapping[str, str] | None = None,
    ) -> int:
        """Store one event and return its sequence in the stream.

        The same ``event_id`` within two minutes is stored once and answers the first sequence.
        Raises ``Unavailable`` when the bus did not confirm: publish again with the same id.
        """
        event = Event(subject, payload, event_id, headers=headers or {})
        return (await self.publish_many([event]))[0]

    async def publish_many(self, events: Iterable[Event]) -> list[int]:
        """Store events in their order, without waiting in between; see ``publish``."""
        batch = list(events)
        try:
            with confirmed(but=nats.js.errors.NoStreamResponseError):
                return await self._publish(batch)
        except nats.js.errors.NoStreamResponseError:
            log.warning("stream_missing")
        with confirmed():
            await self.ensure_streams()
            return await self._publish(batch)

    async def _publish(self, events: list[Event]) -> list[int]:
        if self.client.is_closed or not self.client.is_connected:
            raise nats.errors.ConnectionReconnectingError
        waiting: list[asyncio.Future[api.PubAck]] = []
        try:
            async with asyncio.timeout(self._timeout):
                for event in events:
                    headers = event_headers(event, source=self._source, time=self._now())
                    waiting.append(
                        await self.js.publish_async(event.subject, event.data, headers=headers)
                    )
                return [ack.seq for ack in await asyncio.gather(*waiting)]
        finally:
            for future in waiting:
                if not future.cancel() and not future.cancelled():
                    future.exception()  # seen: the first failure has been told

    async def subscribe(
        self,
        subject: str,
        durable: str,
        handler: Handler,
        *,
        concurrency: int = 1,
        retry: Retry | None = None,
    ) -> Subscription:
        """Hand every event of ``subject`` to ``handler``, at least once, and remember the position.

        All processes that use the same ``durable`` name share the events. An event is done when the
        handler returns; when it raises, it is tried again as ``retry`` says, and goes to the dead
        letters after that. With ``concurrency`` 1 events are handled in their order.
        """
        subscription = Subscription(
            self,
            subject,
            durable,
            handler=handler,
            concurrency=concurrency,
            retry=retry or Retry(),
        )
        with confirmed():
            await subscription.start()
        self._subscriptions.append(subscription)
        return subscription

    @asynccontextmanager
    async def replay(self, subject: str, from_sequence: int | None = None) -> AsyncIterator[Replay]:
        """Read the events of ``subject`` in order and then follow live ones, without a gap.

        Iterating yields each event once, also across a lost connection or a restarted server. When
        the block is entered the reader stands: whatever is published after that will be seen.
        A stream takes about a thousand readers: share one in a process and fan out behind it.

        Args:
            subject: may have wildcards.
            from_sequence: first sequence of the stream to read; ``None`` reads new events only.
        """
        replay = Replay(self, subject, from_sequence)
        with confirmed():
            await replay.open()
        try:
            yield replay
        finally:
            await replay.close()

    @asynccontextmanager
    async def pulling(
        self, stream: str, consumer: str, *, batch: Callable[[], int]
    ) -> AsyncIterator[PullSession]:
        """Open a session that takes ``batch()`` at a time, until the connection is renewed."""
        session = PullSession(self.client, stream, consumer, batch=batch)
        await session.open()
        self._sessions.add(session)
        try:
            yield session
        finally:
            self._sessions.discard(session)
            await session.close()

    def connection_renewed(self) -> None:
        """Make every reader ask again: what it had asked of the old connection is lost."""
        log.info("bus_reconnected")
        for session in tuple(self._sessions):
            session.interrupt()

    async def close(self) -> None:
        """Stop the subscriptions, let running handlers finish, and close the connection."""
        for subscription in self._subscriptions:
            await subscription.stop()
        await self.client.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
