"""Pulling from a JetStream consumer without gaps in time: long polls that notice a dead connection.

The client library's ``fetch`` holds a first message back until its batch is full or its time is up,
and waits out its whole timeout after a reconnect. This asks for a batch, hands each message on as
it arrives, and gives up at once when the connection was renewed, or after two and a half missed
heartbeats.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING

import nats.errors

if TYPE_CHECKING:
    from collections.abc import Callable

    from nats.aio.client import Client
    from nats.aio.msg import Msg
    from nats.aio.subscription import Subscription

_HEARTBEAT = 1.0
_EXPIRES = 30.0
_NANOSECONDS = 1_000_000_000
_IDLE = "100"
_ENDED = frozenset({"404", "408"})


class Interrupted(Exception):
    """The session is over: the connection was renewed, or the consumer is silent or gone."""


class PullSession:
    """Messages of one consumer, for as long as the connection and the consumer live."""

    def __init__(
        self, client: Client, stream: str, consumer: str, *, batch: Callable[[], int]
    ) -> None:
        self._client = client
        self._next = f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}"
        self._batch = batch
        self._wanted = 0
        self._inbox = client.new_inbox()
        self._queue: asyncio.Queue[Msg | None] = asyncio.Queue()
        self._subscription: Subscription | None = None

    async def open(self) -> None:
        """Begin to listen for messages."""
        self._subscription = await self._client.subscribe(self._inbox, cb=self._received)

    async def close(self) -> None:
        """Stop listening."""
        if self._subscription is not None:
            with contextlib.suppress(nats.errors.Error):
                await self._subscription.unsubscribe()

    async def _received(self, message: Msg) -> None:
        self._queue.put_nowait(message)

    def interrupt(self) -> None:
        """End the session: ``next`` raises ``Interrupted`` after what has arrived."""
        self._queue.put_nowait(None)

    def arrived(self) -> list[Msg]:
        """Return, and forget, what has arrived and was not handed out."""
        found = []
        while not self._queue.empty():
            message = self._queue.get_nowait()
            if message is not None and _status(message) is None:
                found.append(message)
        return found

    async def next(self) -> Msg:
        """Return the next message, however long it takes; raises ``Interrupted``."""
        while True:
            if self._wanted <= 0:
                await self._ask()
            message = await self._wait()
            status = _status(message)
            if status is None:
                self._wanted -= 1
                return message
            if status in _ENDED:
                self._wanted = 0
            elif status != _IDLE:
                raise Interrupted(_description(message))

    async def _ask(self) -> None:
        wanted = self._batch()
        request = {
            "batch": wanted,
            "expires": int(_EXPIRES * _NANOSECONDS),
            "idle_heartbeat": int(_HEARTBEAT * _NANOSECONDS),
        }
        await self._client.publish(self._next, json.dumps(request).encode(), reply=self._inbox)
        self._wanted = wanted

    async def _wait(self) -> Msg:
        try:
            async with asyncio.timeout(_HEARTBEAT * 2.5):
                message = await self._queue.get()
        except TimeoutError:
            msg = "no heartbeat"
            raise Interrupted(msg) from None
        if message is None:
            msg = "the connection was renewed"
            raise Interrupted(msg)
        return message


def _status(message: Msg) -> str | None:
    return message.headers.get("Status") if message.headers and not message.data else None


def _description(message: Msg) -> str:
    headers = message.headers or {}
    return f"{headers.get('Status', '')} {headers.get('Description', '')}".strip()
