"""The worker's end of the work queue: one piece of work at a time, the most urgent first.

One durable consumer per queue, shared by all workers; JetStream gives each message to one of them
and, when that one stops saying that it lives, to another. The position is looked up in the order
of the queues each time, so that urgent work never waits behind what can.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import nats.errors
from nats.aio.msg import Msg

from services.common.bus import Bus
from services.common.errors import Unavailable
from services.common.events import DEAD_PREFIX, WORK_STREAM, subject_token
from services.common.nats_client import confirmed
from services.common.telemetry import get_logger, redact
from services.generator.adapters.work_places import consumer_name, make_consumer, place
from services.generator.domain.gpu_work import Queue, WorkOrder, order_from_record

_ASK = json.dumps({"batch": 1, "no_wait": True}).encode()
_PATIENCE = 2.0
_LOOK_AGAIN = 1.0  # what was handed back rings no bell

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Delivery:
    """A piece of work in this worker's hands; `count` is how often it was given out, from 1."""

    message: Msg
    queue: Queue

    @property
    def count(self) -> int:
        """How often it was given to a worker, this time included."""
        return self.message.metadata.num_delivered or 1

    @property
    def order(self) -> WorkOrder:
        """What is to be done. Raises what `order_from_record` raises."""
        return order_from_record(json.loads(self.message.data))

    async def living(self) -> None:
        """Say that it is still being worked on."""
        await _told(self.message.in_progress())

    async def done(self) -> None:
        """Take it out of the queue for good."""
        await _told(self.message.ack())

    async def hand_back(self, delay: float = 0.0) -> None:
        """Let another worker have it, after `delay` seconds."""
        await _told(self.message.nak(delay=delay or None))


class WorkIntake:
    """Takes work from queues, the first of them first. `ack_wait` is the longest silence, in s."""

    def __init__(self, bus: Bus, queues: Sequence[Queue], *, ack_wait: float) -> None:
        self._bus = bus
        self._queues = tuple(queues)
        self._ack_wait = ack_wait
        self._bell = asyncio.Event()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Make the consumers and hear of new work while the block runs. Raises Unavailable."""
        with confirmed():
            await self._ensure()
        async with AsyncExitStack() as stack:
            for queue in self._queues:
                with confirmed():
                    heard = await self._bus.client.subscribe(place(queue), cb=self._ring)
                stack.push_async_callback(_left, heard)
            yield

    async def next(self) -> Delivery:
        """Return the most urgent piece of work, however long there is none."""
        while True:
            self._bell.clear()
            try:
                for queue in self._queues:
                    if (found := await self._one(queue)) is not None:
                        return Delivery(found, queue)
            except (TimeoutError, nats.errors.Error, Unavailable) as error:
                log.debug("work_queue_away", cause=str(error))
                with contextlib.suppress(TimeoutError, nats.errors.Error):
                    await self._ensure()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_AGAIN):
                    await self._bell.wait()

    async def bury(self, delivery: Delivery, cause: str) -> None:
        """Keep a message that nobody can do anything with where an operator finds it."""
        data = delivery.message.data
        name = consumer_name(delivery.queue)
        facts = {"reelmesh-cause": " ".join(str(redact(cause)).split())[:500]}
        sequence = delivery.message.metadata.sequence.stream
        subject = DEAD_PREFIX + subject_token(name)
        await self._bus.publish(subject, data, event_id=f"{name}/{sequence}", headers=facts)

    async def _one(self, queue: Queue) -> Msg | None:
        subject = f"$JS.API.CONSUMER.MSG.NEXT.{WORK_STREAM}.{consumer_name(queue)}"
        asked = asyncio.ensure_future(
            self._bus.client.request(subject, _ASK, timeout=_PATIENCE, old_style=True)
        )
        try:
            message = await asyncio.shield(asked)
        except asyncio.CancelledError:
            await _returned(asked)
            raise
        status = _status(message)
        if status is None:
            return message
        if status == "503":  # nobody answers: the consumer is gone
            raise nats.errors.NoRespondersError
        return None

    async def _ensure(self) -> None:
        await self._bus.ensure_streams()
        for queue in self._queues:
            await make_consumer(self._bus.js, queue, ack_wait=self._ack_wait)

    async def _ring(self, _: Msg) -> None:
        self._bell.set()


def _status(message: Msg) -> str | None:
    return message.headers.get("Status") if message.headers and not message.data else None


async def _returned(asked: asyncio.Future[Msg]) -> None:
    """Give back what was handed out to a worker that stopped asking."""
    with contextlib.suppress(TimeoutError, nats.errors.Error):
        message = await asked
        if _status(message) is None:
            await message.nak()


async def _left(subscription: Any) -> None:
    with contextlib.suppress(nats.errors.Error):
        await subscription.unsubscribe()


async def _told(answer: Any) -> None:
    # An answer that does not arrive means one more delivery, which the first verdict settles.
    with contextlib.suppress(nats.errors.Error):
        await answer
