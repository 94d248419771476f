"""A durable subscription: every event is handled at least once, or ends as a dead letter."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import nats.errors
from nats.js import api

from services.common.errors import Unavailable
from services.common.events import DEAD_PREFIX, Event, stream_of, subject_token
from services.common.pull import Interrupted
from services.common.telemetry import get_logger, redact

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from nats.aio.msg import Msg

    from services.common.bus import Bus

_PAUSE = 0.2

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Retry:
    """What happens to an event whose handler fails.

    Attributes:
        deliveries: how often it is handed out before it is a dead letter.
        delays: seconds before the second, third, … delivery; the last one repeats.
        ack_wait: seconds without a sign of life after which another process gets it.
    """

    deliveries: int = 5
    delays: tuple[float, ...] = (0.5, 2.0, 10.0, 30.0)
    ack_wait: float = 30.0

    def delay(self, delivery: int) -> float:
        """Return the pause after delivery number ``delivery``."""
        return self.delays[min(delivery, len(self.delays)) - 1]


class Subscription:
    """Made by ``Bus.subscribe``; runs until ``stop``."""

    def __init__(
        self,
        bus: Bus,
        subject: str,
        durable: str,
        *,
        handler: Callable[[Event], Awaitable[None]],
        concurrency: int,
        retry: Retry,
    ) -> None:
        self._bus = bus
        self._subject = subject
        self._durable = durable
        self._stream = stream_of(subject)
        self._handler = handler
        self._concurrency = concurrency
        self._retry = retry
        self._slots = asyncio.Semaphore(concurrency)
        self._held: dict[str, Msg] = {}
        self._handling: set[asyncio.Task[None]] = set()
        self._loops: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Create the consumer when it is missing and begin to handle events."""
        await self._ensure()
        self._loops = [asyncio.create_task(self._run()), asyncio.create_task(self._keep_alive())]

    async def stop(self, *, grace: float = 5.0) -> None:
        """Take no more events; running handlers may finish for ``grace`` seconds."""
        loops, self._loops = self._loops, []
        for task in loops[:1]:
            task.cancel()
        await asyncio.gather(*loops[:1], return_exceptions=True)
        if self._handling:
            await asyncio.wait(self._handling, timeout=grace)
        rest = [*loops[1:], *self._handling]
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)

    async def _ensure(self) -> None:
        await self._bus.ensure_streams()
        config = api.ConsumerConfig(
            name=self._durable,
            durable_name=self._durable,
            ack_policy=api.AckPolicy.EXPLICIT,
            ack_wait=self._retry.ack_wait,
            filter_subject=self._subject,
            # Counted here and not by the server, which would leave the message behind without a
            # word.
            max_deliver=-1,
        )
        await self._bus.js.add_consumer(self._stream, config)

    async def _run(self) -> None:
        while True:
            try:
                await self._consume()
            except (Interrupted, TimeoutError, nats.errors.Error) as error:
                log.debug("subscription_resumes", durable=self._durable, cause=str(error))
            except Exception as error:
                log.error("subscription_failed", durable=self._durable, exc_info=error)
            await asyncio.sleep(_PAUSE)
            with contextlib.suppress(Exception):  # what is missing is told where it is consumed
                await self._ensure()

    async def _consume(self) -> None:
        async with self._bus.pulling(self._stream, self._durable, batch=self._free) as session:
            try:
                while True:
                    await self._slots.acquire()
                    try:
                        message = await session.next()
                    except BaseException:
                        self._slots.release()
                        raise
                    self._begin(message)
            finally:
                for message in session.arrived():
                    await _tell(message.nak())

    def _free(self) -> int:
        """Return how many events may be taken now: one waits for nobody."""
        return max(1, self._concurrency - len(self._handling))

    def _begin(self, message: Msg) -> None:
        self._held[message.reply] = message
        task = asyncio.create_task(self._handle(message))
        self._handling.add(task)
        task.add_done_callback(self._handling.discard)

    async def _handle(self, message: Msg) -> None:
        event = Event.from_message(message)
        try:
            if event.delivery > self._retry.deliveries:
                await self._bury(message, event, "no handler answered")
                return
            await self._handler(event)
        except asyncio.CancelledError:
            await _tell(message.nak())
            raise
        except Exception as error:
            await self._failed(message, event, error)
        else:
            await _tell(message.ack())
        finally:
            self._held.pop(message.reply, None)
            self._slots.release()

    async def _failed(self, message: Msg, event: Event, error: Exception) -> None:
        log.warning(
            "event_failed",
            durable=self._durable,
            subject=event.subject,
            sequence=event.sequence,
            delivery=event.delivery,
            exc_info=error,
        )
        if event.delivery >= self._retry.deliveries:
            await self._bury(message, event, f"{type(error).__name__}: {error}")
        else:
            await _tell(message.nak(delay=self._retry.delay(event.delivery)))

    async def _bury(self, message: Msg, event: Event, cause: str) -> None:
        dead = Event(
            subject=DEAD_PREFIX + subject_token(self._durable),
            data=event.data,
            event_id=f"{self._stream}/{self._durable}/{event.sequence}",
            headers={
                **{key: text for key, text in event.headers.items() if key.startswith("ce-")},
                "reelmesh-subject": event.subject,
                "reelmesh-sequence": str(event.sequence),
                "reelmesh-deliveries": str(event.delivery),
                "reelmesh-cause": " ".join(str(redact(cause)).split())[:500],
            },
        )
        try:
            await self._bus.publish_many([dead])
        except Unavailable:
            await _tell(message.nak(delay=self._retry.delay(event.delivery)))
            return
        log.error("dead_letter", durable=self._durable, subject=event.subject, cause=cause)
        await _tell(message.term())

    async def _keep_alive(self) -> None:
        while True:
            await asyncio.sleep(self._retry.ack_wait / 3)
            for message in tuple(self._held.values()):
                await _tell(message.in_progress())


async def _tell(answer: Awaitable[None]) -> None:
    # An answer that does not arrive means one more delivery, which handlers have to bear anyway.
    with contextlib.suppress(nats.errors.Error):
        await answer
